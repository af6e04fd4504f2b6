"""A prefix: n trained keys and values in every layer. Source: Li & Liang 2021 (arXiv:2101.00190), without their
reparametrisation; Sun et al. (2024) tried both this and the prompt at the input.

In an encoder-decoder the prefix stands in the decoder, as in PEFT, which there gives layer i the part 2i mod m of the m
that are stored. So every second part of what is written for an encoder-decoder is never read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import nn

from surefoot.models.local import LocalModel
from surefoot.models.virtual import prefix_layers, put_prefix, rotation, structural_copy
from surefoot.training.adapters.base import (
    Adapter,
    freeze,
    read_tensor,
    refuse_other_shape,
    virtual_ids,
    write_virtual,
)
from surefoot.training.adapters.prompt import initial_vectors, shape

if TYPE_CHECKING:
    from surefoot.training.adapters import AdapterSettings


class PrefixAdapter(Adapter):
    """`prefix` of shape (layers, 2, virtual tokens, key heads x head width): keys as attention sees them; values."""

    def __init__(self, base: LocalModel, prefix: torch.Tensor) -> None:
        count = prefix.shape[2]
        self.prefix = nn.Parameter(prefix.to(base.model.device, torch.float32))
        self.parameters = {"prefix": self.prefix} if count else {}
        module = structural_copy(base.model)
        if count:
            put_prefix(module, self.prefix)
        freeze(module)
        ids = virtual_ids(base.model, count)
        if module.config.is_encoder_decoder:
            self.model = base.adapted(module)
            self.model.decoder_virtual = ids  # type: ignore[attr-defined]
        else:
            self.model = base.adapted(module, ids)
        self.prefix.requires_grad_(True)

    @classmethod
    def new(cls, base: LocalModel, settings: AdapterSettings, seed: int) -> Self:
        """Keys and values that the first layer's inputs would have where the tokens are vocabulary words, and so on:
        each layer's projections applied to the initial vectors."""
        table = base.model.get_input_embeddings().weight.detach().float().cpu()
        vectors = initial_vectors(table, settings.tokens, settings.initial, seed)
        vectors = vectors / table.std()  # the scale behind a layer's norm
        places = prefix_layers(base.model)
        prefix = torch.stack([torch.stack([_projected(place, vectors) for place in pair]) for pair in places])
        turned = rotation(base.model, settings.tokens)
        if turned is not None:
            prefix[:, 0] = torch.stack([turned.turn(keys.to(turned.cos.device)).cpu() for keys in prefix[:, 0]])
        return cls(base, prefix)

    @classmethod
    def read(cls, base: LocalModel, folder: Path) -> Self:
        stored = read_tensor(folder, "prompt_embeddings")
        layers, width = len(prefix_layers(base.model)), prefix_layers(base.model)[0][0].width
        seq2seq = bool(base.model.config.is_encoder_decoder)
        parts = stored.shape[-1] // (2 * width)
        wanted = parts if seq2seq and parts in (layers, 2 * layers) else layers
        refuse_other_shape(base, folder, "keys and values of", stored.shape[-1], 2 * wanted * width)
        prefix = stored.reshape(len(stored), parts, 2, width).permute(1, 2, 0, 3)
        order = [2 * layer % parts for layer in range(layers)] if seq2seq else list(range(layers))
        return cls(base, prefix[order].contiguous())

    def save(self, folder: Path, base: str) -> None:
        from peft import PrefixTuningConfig

        prefix = self.prefix.detach()
        config = self.model.model.config
        told = {**shape(config, base), "num_attention_heads": _key_heads(config)}
        if config.is_encoder_decoder:
            told |= {"num_transformer_submodules": 2, "num_layers": 2 * len(prefix)}
            prefix = torch.stack([prefix, torch.zeros_like(prefix)], 1).flatten(0, 1)
        made = PrefixTuningConfig(token_dim=prefix.shape[-1], num_virtual_tokens=prefix.shape[2], **told)
        write_virtual(folder, made, prefix.permute(2, 0, 1, 3).reshape(prefix.shape[2], -1).cpu())


def _projected(place: Any, vectors: torch.Tensor) -> torch.Tensor:
    projection = getattr(place.owner, place.name)
    with torch.no_grad():
        out = projection(vectors.to(projection.weight.device, projection.weight.dtype))
    return out[:, place.start : place.start + place.width].float().cpu()  # type: ignore[no-any-return]


def _key_heads(config: Any) -> int:
    return int(getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
