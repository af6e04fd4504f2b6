"""Carries out a prefix-tree plan on a decoder-only transformer, level by level, in packs of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from surefoot.errors import NotAvailable
from surefoot.models.prefix import Block, Plan, plan
from surefoot.models.prefix_store import BLOCK, PrefixStore
from surefoot.models.tree_attention import Pack, Pool, Unsupported, tree_mode

Reads = Mapping[Block, Mapping[int, Sequence[int]]]
"""For each block and place in it, the token ids whose log-probability *behind* that place is wanted."""


def whole_logits(model: Any, made: Plan, places: Sequence[tuple[Block, int]]) -> torch.Tensor:
    """Logits behind the places, shape (places, vocabulary), with gradients, from one pass over the whole plan."""
    pack = Pack(made.blocks, None, model.device)
    kept = torch.tensor([pack.starts[block] + place for block, place in places], device=model.device)
    with tree_mode(model, pack):
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

    def prefill(self, prompts: Sequence[Sequence[int]], block_tokens: int, store: PrefixStore | None = None) -> Read:
        """Reads prompts that are to be continued; each distinct prefix is computed once, or taken from the store."""
        known = [store.longest(self.model, prompt) if store else [] for prompt in prompts]
        made = plan(prompts, block_tokens, [BLOCK * len(own) for own in known])
        for block in made.blocks:
            block.keeps = True
        pool = Pool(made.blocks)
        paths = [made.places(prompt) for prompt in prompts]
        for path, own in zip(paths, known, strict=True):
            pool.load([block for block in path[-1][0].ancestors if block.given], own)
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
        with tree_mode(self.model, pack):
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
