"""Attention over a prefix tree, as a transformers attention function.

The tokens of many blocks stand behind each other in one row without padding, so the matrix products see full batches;
only attention looks at blocks: queries, keys and values are gathered block by block, ancestors' keys and values come
from a pool, and a tree mask hides what is not on a token's own path. Any model that uses the interface works;
`tree_runner.supports` compares it with a plain forward pass before it is trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch

from surefoot.models.prefix import Block

_NAME = "surefoot_tree"


class Unsupported(Exception):
    """The model's attention does something that blocks cannot express (a sliding window, sinks, a soft cap)."""


class Pool:
    """Keys and values of kept blocks, per layer: tensors of shape (kept tokens, key heads, head width)."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.slots: dict[Block, int] = {}
        self.size = 0
        self.loaded: set[Block] = set()
        for block in blocks:
            if block.keeps:
                self.slots[block] = self.size
                self.size += len(block)
        self.layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def load(self, given: Sequence[Block], known: Sequence[torch.Tensor]) -> None:
        """Put in given blocks of one sequence, as far as they are among its first tokens, which are `known`: pieces of
        shape (layers, 2, key heads, tokens, head width)."""
        told = sum(piece.shape[3] for piece in known)
        new = [block for block in given if block not in self.loaded and block.depth + len(block) <= told]
        if not new:
            return
        self.loaded.update(new)
        whole = torch.cat(list(known), 3).transpose(2, 3)
        for layer, (key, value) in enumerate(whole):
            keys, values = self.of(layer, key, value)
            for block in new:
                here = slice(block.depth, block.depth + len(block))
                places = slice(self.slots[block], self.slots[block] + len(block))
                keys[places], values[places] = key[here], value[here]

    def of(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The layer's part, made like its first key and value (under autocast they differ in precision)."""
        if layer not in self.layers:
            self.layers[layer] = tuple(like.new_zeros(self.size, *like.shape[1:]) for like in (key, value))  # type: ignore
        return self.layers[layer]


class Pack:
    """Index tensors for the blocks of one forward pass: G blocks, at most L tokens each, at most P ancestor tokens.

    With a pool, ancestors were computed in earlier passes; without one they are among the blocks, so that one pass
    holds the whole plan and gradients reach everything.
    """

    def __init__(self, blocks: Sequence[Block], pool: Pool | None, device: torch.device) -> None:
        self.pool = pool
        lengths = np.array([len(block) for block in blocks])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        self.starts = dict(zip(blocks, starts.tolist(), strict=True))
        slots = self.starts if pool is None else pool.slots
        paths = [_path(block, slots) for block in blocks]
        depth = max(len(path) for path in paths)
        width = int(lengths.max())
        own = starts[:, None] + np.minimum(np.arange(width), lengths[:, None] - 1)
        above = np.zeros((len(blocks), depth), dtype=np.int64)
        seen = np.zeros((len(blocks), width, depth + width), dtype=bool)
        for row, (block, path) in enumerate(zip(blocks, paths, strict=True)):
            above[row, : len(path)] = path
            seen[row, :, : len(path)] = True
            seen[row, : len(block), depth : depth + len(block)] = _tree_mask(block)
            seen[row, len(block) :, depth] = True  # a padding query must see something, or its softmax is 0 / 0
        valid = np.arange(width) < lengths[:, None]
        kept = [] if pool is None else [block for block in blocks if block.keeps]
        self.tokens = _tensor(np.concatenate([block.tokens for block in blocks])[None], device)
        self.positions = _tensor(np.concatenate([block.positions for block in blocks])[None], device)
        self.furthest = int(self.positions.max()) + 1
        self.own, self.above, self.valid = (_tensor(array, device) for array in (own, above, valid))
        self.seen = _tensor(seen[:, None], device)
        self.bias: torch.Tensor | None = None
        keep = [np.arange(self.starts[block], self.starts[block] + len(block)) for block in kept]
        places = [np.arange(slots[block], slots[block] + len(block)) for block in kept]
        self.keep = _tensor(np.concatenate(keep), device) if kept else None
        self.slots = _tensor(np.concatenate(places), device) if kept else None
        self.calls = 0

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None
    ) -> torch.Tensor:
        """Attention of shape (1, tokens, heads, head width) for queries (1, heads, tokens, head width)."""
        self.calls += 1
        q, k, v = (x[0].transpose(0, 1) for x in (query, key, value))  # (tokens, heads, head width)
        pool_k, pool_v = (k, v) if self.pool is None else self.pool.of(layer, k, v)
        if self.keep is not None:
            pool_k[self.slots], pool_v[self.slots] = k[self.keep], v[self.keep]
        if self.bias is None:
            lowest = torch.finfo(q.dtype).min
            self.bias = torch.zeros(self.seen.shape, dtype=q.dtype, device=q.device).masked_fill_(~self.seen, lowest)
        out = torch.nn.functional.scaled_dot_product_attention(
            q[self.own].transpose(1, 2),
            torch.cat([pool_k[self.above], k[self.own]], 1).transpose(1, 2),
            torch.cat([pool_v[self.above], v[self.own]], 1).transpose(1, 2),
            attn_mask=self.bias,
            scale=scaling,
            enable_gqa=q.shape[1] != k.shape[1],
        )
        return out.transpose(1, 2)[self.valid][None]


def _path(block: Block, slots: Mapping[Block, int]) -> np.ndarray:
    """Places of all the block's ancestors' tokens, from the root down."""
    ranges = [np.arange(slots[above], slots[above] + len(above)) for above in block.ancestors]
    return np.concatenate(ranges) if ranges else np.zeros(0, dtype=np.int64)


def _tree_mask(block: Block) -> np.ndarray:
    places = np.arange(len(block))
    mask: np.ndarray = (places[None, :] <= places[:, None]) & (places[:, None] < block.reach[None, :])
    return mask


def _tensor(array: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


_PACK: ContextVar[Pack] = ContextVar("surefoot_pack")


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,  # noqa: ARG001 - the pack has its own mask
    scaling: float | None = None,
    **extras: Any,
) -> tuple[torch.Tensor, None]:
    pack = _PACK.get()
    window = extras.get("sliding_window")
    if window is not None and pack.furthest > window:
        raise Unsupported(f"sliding window of {window} tokens")
    if any(extras.get(name) is not None for name in ("softcap", "s_aux", "position_bias")):
        raise Unsupported("attention with a soft cap, sinks or a position bias")
    return pack.attend(module.layer_idx, query, key, value, scaling), None


@contextmanager
def tree_mode(model: Any, pack: Pack) -> Iterator[None]:
    from transformers import AttentionInterface

    AttentionInterface.register(_NAME, _attention)
    config = model.config
    before = config._attn_implementation
    config._attn_implementation = _NAME
    token = _PACK.set(pack)
    try:
        yield
    finally:
        _PACK.reset(token)
        config._attn_implementation = before
