"""Keys and values of prompts that were read before, kept for the next prompt that begins alike.

A prompt is cut into blocks of `BLOCK` tokens; a block is known by its own tokens and by all blocks before it. What was
used least recently goes first when the memory is full.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import count, islice, takewhile
from weakref import WeakKeyDictionary

import numpy as np
import torch

BLOCK = 32  # tokens


class PrefixStore:
    """Blocks of shape (layers, 2, key heads, `BLOCK`, head width), at most `capacity` bytes of them."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.held = self.found = self.asked = 0
        self._blocks: OrderedDict[bytes, torch.Tensor] = OrderedDict()
        self._modules: WeakKeyDictionary[torch.nn.Module, int] = WeakKeyDictionary()
        self._numbers = count()

    def longest(self, module: torch.nn.Module, ids: Sequence[int]) -> list[torch.Tensor]:
        """The blocks that a prompt begins with, short of its last token, which is always read."""
        blocks = []
        for key in self._keys(module, ids[:-1]):
            block = self._blocks.get(key)
            if block is None:
                break
            self._blocks.move_to_end(key)
            blocks.append(block)
        self.asked += len(ids)
        self.found += BLOCK * len(blocks)
        return blocks

    def known(self, module: torch.nn.Module, ids: Sequence[int]) -> int:
        """How many tokens from the beginning on are kept."""
        return BLOCK * sum(1 for _ in takewhile(self._blocks.__contains__, self._keys(module, ids)))

    def keep(
        self,
        module: torch.nn.Module,
        ids: Sequence[int],
        layers: Sequence[tuple[torch.Tensor, torch.Tensor]],
        start: int = 0,
    ) -> None:
        """Keep the blocks of a prompt from its keys and values: one pair a layer, shape (key heads, tokens, width).

        They are those of the tokens from `start` on, where a block begins; the blocks before are kept already.
        """
        first = start // BLOCK
        for index, key in enumerate(islice(self._keys(module, ids), first, None)):
            if key in self._blocks:
                self._blocks.move_to_end(key)
                continue
            part = slice(index * BLOCK, (index + 1) * BLOCK)
            block = torch.stack([torch.stack([keys[:, part], values[:, part]]) for keys, values in layers])
            self._blocks[key] = block
            self.held += _size(block)
        while self.held > self.capacity and self._blocks:
            self.held -= _size(self._blocks.popitem(last=False)[1])

    def _keys(self, module: torch.nn.Module, ids: Sequence[int]) -> Iterator[bytes]:
        """A digest for each whole block of a prompt that one module reads, which depends on everything before it."""
        digest = str(self._modules.setdefault(module, next(self._numbers))).encode()
        for start in range(0, len(ids) - BLOCK + 1, BLOCK):
            tokens = np.asarray(ids[start : start + BLOCK], dtype=np.int64).tobytes()
            digest = hashlib.blake2b(digest + tokens, digest_size=16).digest()
            yield digest


def _size(block: torch.Tensor) -> int:
    return block.numel() * block.element_size()
