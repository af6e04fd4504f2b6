"""All weights: a copy of the model that is trained as a whole, in float32, and used in the model's own precision."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch

from surefoot.models.local import LocalModel
from surefoot.training.adapters.base import Adapter

if TYPE_CHECKING:
    from surefoot.training.adapters import AdapterSettings


class Weights(Adapter):
    """The whole model."""

    def __init__(self, base: LocalModel, module: Any) -> None:
        self.dtype = base.model.dtype
        self.parameters = dict(module.named_parameters())
        self.model = base.adapted(module)

    @classmethod
    def new(cls, base: LocalModel, settings: AdapterSettings, seed: int) -> Self:
        made = cls(base, copy.deepcopy(base.model).float().requires_grad_(True))
        made.autocast = base.model.dtype == torch.bfloat16
        return made

    @classmethod
    def read(cls, base: LocalModel, folder: Path) -> Self:
        module = type(base.model).from_pretrained(str(folder), dtype=base.model.dtype, use_safetensors=True)
        return cls(base, module.to(base.model.device).requires_grad_(False))

    def settle(self) -> None:
        self.model.model.to(self.dtype).requires_grad_(False)
        super().settle()

    def save(self, folder: Path, base: str) -> None:
        self.model.model.save_pretrained(str(folder), safe_serialization=True)
        self.model.encoder.tokenizer.save_pretrained(str(folder))
