"""A soft prompt: n trained vectors in front of the input.

Source: Lester, Al-Rfou & Constant 2021 (arXiv:2104.08691).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn

from surefoot.models.local import LocalModel
from surefoot.models.virtual import put_prompt, structural_copy
from surefoot.training.adapters.base import (
    Adapter,
    freeze,
    read_tensor,
    refuse_other_shape,
    virtual_ids,
    write_virtual,
)

if TYPE_CHECKING:
    from surefoot.training.adapters import AdapterSettings

COMMON = 5000  # byte-pair vocabularies are ordered by frequency, so the first ids are common words


class PromptAdapter(Adapter):
    """P of shape (virtual tokens, width), float32, whatever the model computes in."""

    def __init__(self, base: LocalModel, prompt: torch.Tensor) -> None:
        self.prompt = nn.Parameter(prompt.to(base.model.device, torch.float32))
        self.parameters = {"prompt": self.prompt} if len(prompt) else {}
        module = structural_copy(base.model)
        if len(prompt):
            put_prompt(module, self.prompt)
        self.model = base.adapted(freeze(module), virtual_ids(base.model, len(prompt)))
        self.prompt.requires_grad_(True)

    @classmethod
    def new(cls, base: LocalModel, settings: AdapterSettings, seed: int) -> Self:
        table = base.model.get_input_embeddings().weight.detach().float().cpu()
        return cls(base, initial_vectors(table, settings.tokens, settings.initial, seed))

    @classmethod
    def read(cls, base: LocalModel, folder: Path) -> Self:
        prompt = read_tensor(folder, "prompt_embeddings")
        width = base.model.get_input_embeddings().embedding_dim
        refuse_other_shape(base, folder, "a width of", prompt.shape[-1], width)
        return cls(base, prompt)

    def save(self, folder: Path, base: str) -> None:
        from peft import PromptTuningConfig

        config = PromptTuningConfig(
            token_dim=self.prompt.shape[1],
            num_virtual_tokens=len(self.prompt),
            **shape(self.model.model.config, base),
        )
        write_virtual(folder, config, self.prompt.detach().cpu())


def initial_vectors(table: torch.Tensor, count: int, initial: str, seed: int) -> torch.Tensor:
    """Where virtual tokens begin, shape (count, width), from an embedding table (vocabulary, width)."""
    draw = torch.Generator().manual_seed(seed)
    if initial == "vocabulary":
        return table[torch.randperm(min(COMMON, len(table)), generator=draw)[:count]].clone()
    scale = table.std()
    if initial == "mean":  # with a little noise, since equal vectors would stay equal but for their positions
        return table.mean(0) + 0.01 * scale * torch.randn(count, table.shape[1], generator=draw)
    return scale * torch.randn(count, table.shape[1], generator=draw)


def shape(config: Any, base: str) -> dict[str, Any]:
    """What PEFT wants to know of the model that virtual tokens belong to."""
    seq2seq = bool(config.is_encoder_decoder)
    return {
        "task_type": "SEQ_2_SEQ_LM" if seq2seq else "CAUSAL_LM",
        "base_model_name_or_path": base,
        "num_transformer_submodules": 1,
        "num_attention_heads": config.num_attention_heads,
        "num_layers": config.num_hidden_layers,
        "inference_mode": True,
    }
