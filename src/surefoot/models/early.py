"""What a model's earlier layers would say: logits of hidden states through the model's own last norm and head.

A structural copy of the model, the very same weights, hands the states of the chosen layers on beside the last one's:
its last norm gives them side by side along the width, its head reads each. One pass then gives all of them, wherever the
model is computed: with caches, on prefix trees, as a decoder of an encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from surefoot.errors import NotAvailable
from surefoot.models.virtual import structural_copy

LAYERS = ("layers", "h", "block")
NORMS = ("norm", "ln_f", "final_layer_norm", "final_layernorm")

Combine = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Logits of the early layers (layers, ..., vocabulary) and of the last (..., vocabulary) to those that are offered."""


class Tap(nn.Module):
    """A layer that keeps what it was given."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.given = torch.empty(0)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("layer"), name)

    def forward(self, states: torch.Tensor, *rest: Any, **named: Any) -> Any:
        self.given = states
        return self.layer(states, *rest, **named)


class WideNorm(nn.Module):
    """Early states, normed or as they are, and the last one's normed: (..., width) to (..., (taps + 1) x width)."""

    def __init__(self, norm: nn.Module, taps: Sequence[Tap], normed: bool) -> None:
        super().__init__()
        self.norm = norm
        self.taps = nn.ModuleList(taps)
        self.normed = normed

    def forward(self, last: torch.Tensor) -> torch.Tensor:
        early = [self.norm(tap.given) if self.normed else tap.given for tap in self.taps]
        return torch.cat([*early, self.norm(last)], -1)


class WideHead(nn.Module):
    """Reads each layer's states and gives, in float32, the combined logits and behind them the model's own."""

    def __init__(self, head: nn.Module, layers: int, combine: Combine) -> None:
        super().__init__()
        self.head = head
        self.layers = layers
        self.combine = combine

    @property
    def weight(self) -> Any:
        return self.head.weight

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        every = torch.stack([self.head(part).float() for part in states.chunk(self.layers, -1)])
        return torch.cat([self.combine(every[:-1], every[-1]), every[-1]], -1)


def with_early_layers(model: Any, layers: Sequence[int], combine: Combine, *, normed: bool = True) -> Any:
    """A structural copy whose logits are twice as wide: `combine` of early and last layers, then the model's own.

    A layer k is the state behind k layers, 0 the embedding. Raises `NotAvailable` where a plain pass of the model that
    shows its hidden states says otherwise.
    """
    refused = NotAvailable(
        f"{type(model).__name__} does not show the states of its layers before its last norm and head, "
        "which contrasting layers needs; use a model of the Llama, GPT-2 or T5 kind."
    )
    copied = structural_copy(model)
    decoder = copied.get_decoder()
    owner = next((name for name in LAYERS if isinstance(getattr(decoder, name, None), nn.ModuleList)), None)
    norm = next((name for name in NORMS if isinstance(getattr(decoder, name, None), nn.Module)), None)
    if owner is None or norm is None:
        raise refused
    stack = getattr(decoder, owner)
    for layer in layers:
        stack[layer] = Tap(stack[layer])
    wide = WideNorm(getattr(decoder, norm), [stack[layer] for layer in layers], normed)
    setattr(decoder, norm, wide)
    copied.set_output_embeddings(WideHead(copied.get_output_embeddings(), len(layers) + 1, combine))
    if not _agrees(model, copied, wide, layers):
        raise refused
    return copied


def depth(model: Any) -> int:
    """Layers of the decoder."""
    config = model.config
    return int(getattr(config, "num_decoder_layers", 0) or config.num_hidden_layers)


@torch.inference_mode()
def _agrees(model: Any, copied: Any, wide: WideNorm, layers: Sequence[int]) -> bool:
    """Whether a plain pass gives the same logits and states, with nothing between the head and the logits."""
    ids = torch.tensor([[3, 5, 4]], device=model.device)
    inputs = {"input_ids": ids} | ({"decoder_input_ids": ids} if model.config.is_encoder_decoder else {})
    read: list[torch.Tensor] = []
    handle = model.get_output_embeddings().register_forward_hook(lambda _, __, out: read.append(out))
    try:
        plain = model(**inputs, output_hidden_states=True, use_cache=False)
        own = copied(**inputs, use_cache=False).logits
    except (RuntimeError, TypeError, ValueError):
        return False
    finally:
        handle.remove()
    states = plain.decoder_hidden_states if model.config.is_encoder_decoder else plain.hidden_states
    size = plain.logits.shape[-1]
    same = [(read[0], plain.logits), (own[..., size:], plain.logits.float())]
    same += [(tap.given, states[layer]) for tap, layer in zip(wide.taps, layers, strict=True)]  # type: ignore[misc]
    return own.shape[-1] == 2 * size and all(torch.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in same)
