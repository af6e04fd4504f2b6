"""What a model's earlier layers would say: logits of hidden states through the model's own last norm and head.

A structural copy of the model, the very same weights, hands the states of the chosen layers on beside the last one's:
its decoder gives them side by side along the width, its head reads each. One pass then gives all of them, wherever
the model is computed: with caches, on prefix trees, as a decoder of an encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from surefoot.errors import NotAvailable
from surefoot.models.virtual import structural_copy

NORMS = ("norm", "ln_f", "final_layer_norm", "final_layernorm")

Combine = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Logits of the early layers (layers, ..., vocabulary) and of the last (..., vocabulary) to those that are offered."""


class WideDecoder(nn.Module):
    """A decoder whose last state has those of earlier layers in front: (rows, tokens, (layers + 1) x width)."""

    def __init__(self, decoder: nn.Module, layers: Sequence[int], norm: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder
        self.layers = layers
        self._norm = [norm]  # in a list: a child of the decoder, not of this

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("decoder"), name)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        out = self.decoder(*inputs, **{**named, "output_hidden_states": True})
        early = [self._norm[0](out.hidden_states[layer]) for layer in self.layers]
        out.last_hidden_state = torch.cat([*early, out.last_hidden_state], -1)
        return out


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

    A layer k is the state behind k layers, 0 the embedding; `normed` puts it through the last norm. Raises
    `NotAvailable` for a model that does something between its last layer, its norm, its head and its logits that this
    knows nothing of.
    """
    copied = structural_copy(model)
    decoder = copied.get_decoder()
    norm = next((getattr(decoder, name) for name in NORMS if hasattr(decoder, name)), None)
    places = [(p, name) for p in copied.modules() for name, child in p.named_children() if child is decoder]
    if norm is not None and len(places) == 1:
        setattr(*places[0], WideDecoder(decoder, layers, norm if normed else nn.Identity()))
        copied.set_output_embeddings(WideHead(copied.get_output_embeddings(), len(layers) + 1, combine))
        if _agrees(model, copied, norm):
            return copied
    raise NotAvailable(
        f"{type(model).__name__} does not lead its layers' states through one last norm and head to its logits, "
        "which contrasting layers needs; use a model of the Llama, GPT-2 or T5 kind."
    )


def depth(model: Any) -> int:
    """Layers of the decoder."""
    config = model.config
    return int(getattr(config, "num_decoder_layers", 0) or config.num_hidden_layers)


@torch.inference_mode()
def _agrees(model: Any, copied: Any, norm: nn.Module) -> bool:
    """Whether the wide logits hold the model's own, which are what its head gives, of what its last norm gives."""
    ids = torch.tensor([[3, 5, 4]], device=model.device)
    inputs = {"input_ids": ids} | ({"decoder_input_ids": ids} if model.config.is_encoder_decoder else {})
    read: dict[str, torch.Tensor] = {}
    hooks = [
        norm.register_forward_hook(lambda _, __, out: read.update({"normed": out} | read)),
        copied.get_output_embeddings().head.register_forward_hook(lambda _, __, out: read.update(headed=out)),
    ]
    try:
        plain = model(**inputs, output_hidden_states=True, use_cache=False)
        own = copied(**inputs, use_cache=False).logits.chunk(2, -1)[1]
    except (RuntimeError, TypeError, ValueError, AttributeError):
        return False
    finally:
        for hook in hooks:
            hook.remove()
    states = plain.decoder_hidden_states if model.config.is_encoder_decoder else plain.hidden_states
    pairs = [(own, plain.logits), (read["headed"], plain.logits), (read["normed"], states[-1])]
    return all(a.shape == b.shape and torch.allclose(a.float(), b.float(), 1e-3, 1e-4) for a, b in pairs)
