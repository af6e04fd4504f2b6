"""Carries out a prefix-tree plan on a decoder-only transformer.

The tokens of many blocks stand behind each other in one row without padding, so the matrix products see full batches;
only attention looks at blocks: queries, keys and values are gathered block by block, ancestors' keys and values come
from a pool, and a tree mask hides what is not on a token's own path. It is plugged in as a transformers attention
function, so any model that uses that interface works; `supports` compares it with a plain forward pass before it is
trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import numpy as np
import torch

from surefoot.errors import NotAvailable
from surefoot.models.prefix import Block, Plan, plan

Reads = Mapping[Block, Mapping[int, Sequence[int]]]
"""For each block and place in it, the token ids whose log-probability *behind* that place is wanted."""

_NAME = "surefoot_tree"


class Unsupported(Exception):
    """The model's attention does something that blocks cannot express (a sliding window, sinks, a soft cap)."""


class Pool:
    """Keys and values of kept blocks, per layer: tensors of shape (kept tokens, key heads, head width)."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.slots: dict[Block, int] = {}
        self.size = 0
        for block in blocks:
            if block.keeps:
                self.slots[block] = self.size
                self.size += len(block)
        self.layers: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

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
def _tree_mode(model: Any, pack: Pack) -> Iterator[None]:
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


def whole_logits(model: Any, made: Plan, places: Sequence[tuple[Block, int]]) -> torch.Tensor:
    """Logits behind the places, shape (places, vocabulary), with gradients, from one pass over the whole plan."""
    pack = Pack(made.blocks, None, model.device)
    kept = torch.tensor([pack.starts[block] + place for block, place in places], device=model.device)
    with _tree_mode(model, pack):
        out = model(input_ids=pack.tokens, position_ids=pack.positions, use_cache=False, logits_to_keep=kept)
    logits: torch.Tensor = out.logits[0]
    return logits


class Read(NamedTuple):
    """Prompts that were read: logits behind each (rows, vocabulary), keys and values of all their tokens, and in which
    slots those of each prompt lie, in their order."""

    logits: torch.Tensor
    layers: Mapping[int, tuple[torch.Tensor, torch.Tensor]]
    slots: Sequence[np.ndarray]


class TreeRunner:
    """Reads log-probabilities from a planned batch, level by level, in packs of at most `pack_tokens` tokens."""

    def __init__(self, model: Any, pack_tokens: int = 1024) -> None:
        self.model = model
        self.pack_tokens = pack_tokens
        self.computed = 0

    def read(self, made: Plan, reads: Reads) -> dict[tuple[Block, int, int], float]:
        """Natural-log probability of each wanted token: {(block, place, token id): log p}."""
        found: dict[tuple[Block, int, int], float] = {}
        for places, logits in self.passes(made, reads):
            wanted = [(row, token) for row, (block, place) in enumerate(places) for token in reads[block][place]]
            values = log_softmax_at(logits, wanted)
            found.update({(*places[row], token): value for (row, token), value in zip(wanted, values, strict=True)})
        return found

    def rows(self, made: Plan, reads: Reads) -> dict[tuple[Block, int], torch.Tensor]:
        """Logits (vocabulary) behind each place: {(block, place): logits}."""
        passes = self.passes(made, reads)
        return {place: row for places, logits in passes for place, row in zip(places, logits, strict=True)}

    def prefill(self, prompts: Sequence[Sequence[int]], block_tokens: int) -> Read:
        """Reads prompts that are to be continued; each distinct prefix is computed once."""
        made = plan(prompts, block_tokens)
        for block in made.blocks:
            block.keeps = True
        pool = Pool(made.blocks)
        paths = [made.places(prompt) for prompt in prompts]
        reads: dict[Block, dict[int, list[int]]] = {}
        for path in paths:
            reads.setdefault(path[-1][0], {})[path[-1][1]] = []
        found: dict[tuple[Block, int], torch.Tensor] = {}
        for places, logits in self.passes(made, reads, pool):
            found.update(zip(places, logits.float(), strict=True))
        slots = [np.array([pool.slots[block] + place for block, place in path]) for path in paths]
        return Read(torch.stack([found[path[-1]] for path in paths]), pool.layers, slots)

    def passes(
        self, made: Plan, reads: Reads, pool: Pool | None = None
    ) -> Iterator[tuple[list[tuple[Block, int]], torch.Tensor]]:
        """For each forward pass, the places that are wanted and the logits behind them (places, vocabulary).

        `pool` is left with the keys and values of the blocks that are kept.
        """
        pool = Pool(made.blocks) if pool is None else pool
        for level in made.levels():
            pending = sorted(level, key=lambda block: (block.depth, len(block)), reverse=True)
            while pending:
                taken = self._fit(pending)
                try:
                    places, logits = self._forward(pending[:taken], pool, reads)
                except (torch.OutOfMemoryError, MemoryError):
                    self._halve(taken)
                    continue
                if logits is not None:
                    yield places, logits
                pending = pending[taken:]

    def _fit(self, blocks: Sequence[Block]) -> int:
        """How many of the blocks go into the next pack; at least one."""
        total = 0
        for count, block in enumerate(blocks):
            total += len(block)
            if total > self.pack_tokens and count:
                return count
        return len(blocks)

    def _halve(self, taken: int) -> None:
        """After memory ran out on a pack of `taken` blocks."""
        if taken == 1:
            raise NotAvailable("There is not enough memory for a single prompt; use a smaller model or shorter items.")
        self.pack_tokens = max(1, self.pack_tokens // 2)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def _forward(
        self, blocks: Sequence[Block], pool: Pool, reads: Reads
    ) -> tuple[list[tuple[Block, int]], torch.Tensor | None]:
        pack = Pack(blocks, pool, self.model.device)
        places = [(block, place) for block in blocks for place in reads.get(block, ())]
        kept = torch.tensor([pack.starts[block] + place for block, place in places], device=self.model.device)
        logits = None
        with _tree_mode(self.model, pack):
            if places:
                logits = self.model(
                    input_ids=pack.tokens, position_ids=pack.positions, use_cache=False, logits_to_keep=kept
                ).logits[0]
            else:
                self.model.get_decoder()(input_ids=pack.tokens, position_ids=pack.positions, use_cache=False)
        if not pack.calls:
            raise Unsupported("attention that does not use transformers' attention interface")
        self.computed += pack.tokens.numel()
        return places, logits


def log_softmax_at(logits: torch.Tensor, wanted: Sequence[tuple[int, int]], chunk: int = 256) -> list[float]:
    """log softmax(logits[row])[token] in float32 for (row, token) pairs sorted by row; never the whole matrix."""
    rows = torch.tensor([row for row, _ in wanted], device=logits.device)
    tokens = torch.tensor([token for _, token in wanted], device=logits.device)
    norms = torch.cat([part.float().logsumexp(-1) for part in torch.split(logits, chunk)])
    values: list[float] = (logits[rows, tokens].float() - norms[rows]).tolist()
    return values


def supports(model: Any) -> bool:
    """Whether tree and plain forward passes agree on a small branching batch of this very model."""
    vocabulary = model.get_input_embeddings().num_embeddings
    ids = [(7 * i * i + 11) % vocabulary for i in range(24)]
    sequences = [ids[:16], [*ids[:12], *ids[16:20]], [*ids[:12], *ids[18:24]]]
    made = plan(sequences, block_tokens=12)
    reads: dict[Block, dict[int, list[int]]] = {}
    for sequence in sequences:
        block, place = made.places(sequence)[-1]
        reads.setdefault(block, {})[place] = [1, 2, 3]
    try:
        tree = TreeRunner(model).read(made, reads)
    except (Unsupported, TypeError, AttributeError, ValueError, KeyError):
        return False
    with torch.inference_mode():
        for sequence in sequences:
            block, place = made.places(sequence)[-1]
            logits = model(input_ids=torch.tensor([sequence], device=model.device), use_cache=False).logits[0, -1:]
            tolerance = 0.25 if logits.dtype in (torch.bfloat16, torch.float16) else 1e-3
            plain = log_softmax_at(logits, [(0, 1), (0, 2), (0, 3)])
            if any(abs(tree[block, place, token] - p) > tolerance for token, p in zip([1, 2, 3], plain, strict=True)):
                return False
    return True
