"""A key-value cache with room: a token is appended in place, where the library's own copies all that is there."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

ROOM = 128  # tokens by which a full store grows


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """The library's growing layer over a store longer than what it holds; `keys` and `values` are views of it.

    `rows` is how many rows the store was made for.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self.store: tuple[torch.Tensor, ...] | None = None
        self.rows = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        held = self.get_seq_length()
        total = held + key_states.shape[-2]
        if self.store is None or total > self.store[0].shape[-2]:
            pairs = ((self.keys, key_states), (self.values, value_states))
            self.store = tuple(_grown(old, new, held, total) for old, new in pairs)
            self.rows = len(key_states)
        for part, new in zip(self.store, (key_states, value_states), strict=True):
            part[:, :, held:total] = new
        self.keys, self.values = (part[:, :, :total] for part in self.store)
        return self.keys, self.values

    def fill(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Begin with what was computed elsewhere, shape (rows, key heads, tokens, head width)."""
        self.lazy_initialization(keys, values)
        self.keys, self.values, self.store = keys, values, None

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self.store = None

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Rows that stay move up within the store; what is half empty is copied, and its memory given back."""
        rows = indices.tolist()
        rising = all(a < b for a, b in pairwise(rows))
        if self.store is None or not rising or 2 * len(rows) <= self.rows or indices.device.type != "cpu":
            super().batch_select_indices(indices)
            self.store = None
            return
        total = self.get_seq_length()
        for part in self.store:
            for to, row in enumerate(rows):
                if to != row:
                    part[to, :, :total] = part[row, :, :total]
        self.store = tuple(part[: len(rows)] for part in self.store)
        self.keys, self.values = (part[:, :, :total] for part in self.store)

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        super().reorder_cache(beam_idx)
        self.store = None


def _grown(old: torch.Tensor | None, new: torch.Tensor, held: int, total: int) -> torch.Tensor:
    """A store for `total` tokens and some more that begins with what is held."""
    store = new.new_empty(*new.shape[:2], total + ROOM, new.shape[-1])
    if held and old is not None:
        store[:, :, :held] = old
    return store


def roomy_cache(config: Any) -> Any:
    """The library's cache for this model, with room in those of its layers that keep every token."""
    cache = DynamicCache(config=config)
    cache.layers = [RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache
