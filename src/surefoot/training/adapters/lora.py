"""LoRA: a trained matrix of low rank beside each linear layer, W + (alpha / r) B A.

Source: Hu et al. 2021 (arXiv:2106.09685). The layers are PEFT's.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from surefoot.models.local import LocalModel
from surefoot.models.virtual import structural_copy
from surefoot.training.adapters.base import Adapter, freeze

if TYPE_CHECKING:
    from surefoot.training.adapters import AdapterSettings


class LoraAdapter(Adapter):
    """PEFT's layers in a structural copy; their matrices are float32."""

    def __init__(self, base: LocalModel, peft: Any) -> None:
        self.peft = peft
        for name, parameter in peft.named_parameters():
            parameter.requires_grad_("lora_" in name)
        self.parameters = {name: p for name, p in peft.named_parameters() if p.requires_grad}
        self.model = base.adapted(peft.get_base_model())

    @classmethod
    def new(cls, base: LocalModel, settings: AdapterSettings, seed: int) -> Self:
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=settings.rank,
            lora_alpha=2 * settings.rank,
            lora_dropout=0.0,
            target_modules="all-linear",
            task_type="SEQ_2_SEQ_LM" if base.model.config.is_encoder_decoder else "CAUSAL_LM",
        )
        with torch.random.fork_rng(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PEFT about its own use of the library
            torch.manual_seed(seed)
            return cls(base, get_peft_model(freeze(structural_copy(base.model)), config))

    @classmethod
    def read(cls, base: LocalModel, folder: Path) -> Self:
        from peft import PeftModel

        from surefoot.errors import BadInput

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return cls(base, PeftModel.from_pretrained(structural_copy(base.model), str(folder)))
        except (RuntimeError, ValueError) as error:
            first = str(error).strip().splitlines()[0]
            raise BadInput(f'The part in "{folder}" does not fit "{base.name}": {first}') from None

    def save(self, folder: Path, base: str) -> None:
        self.peft.peft_config["default"].base_model_name_or_path = base
        self.peft.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
