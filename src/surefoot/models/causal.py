"""Decoder-only models: answers fork from their prompt, prompts from their shared prefix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch

from surefoot.models.base import ModelCard
from surefoot.models.branches import BLOCK_TOKENS, CausalBranch
from surefoot.models.local import LocalModel, Truncate
from surefoot.models.prefix import Block, Plan, plan
from surefoot.models.prefix_store import PrefixStore
from surefoot.models.tree_attention import Unsupported
from surefoot.models.tree_runner import Reads, TreeRunner, log_softmax_at, supports
from surefoot.text.formats import PromptEncoder
from surefoot.text.prompt import Prompt

Found = TypeVar("Found")
MIN_PACK_TOKENS = 512


class CausalModel(LocalModel):
    """A decoder-only transformer. `prefix_sharing=False` computes every prompt on its own, for comparison."""

    prefixes: PrefixStore | None = None
    """Keys and values of prompts that were read before, for those that begin alike; a server sets it."""

    def __init__(
        self,
        model: Any,
        encoder: PromptEncoder,
        card: ModelCard,
        *,
        truncate: Truncate = "error",
        batch_tokens: int = 0,
        prefix_sharing: bool = True,
    ) -> None:
        super().__init__(model, encoder, card, truncate=truncate, batch_tokens=batch_tokens)
        self.prefix_sharing = prefix_sharing

    @cached_property
    def shares_prefixes(self) -> bool:
        """Whether this model's attention can be computed on prefix trees; compared once with a plain pass."""
        return self.prefix_sharing and supports(self.model)

    def hidden_states(self, prompts: Sequence[Prompt | str], layer: int = -2, position: int = -1) -> np.ndarray:
        ids, _ = self._fit(self.encode(prompts), 0)
        found: list[np.ndarray] = []
        for start in range(0, len(ids), 16):
            chunk = ids[start : start + 16]
            with torch.inference_mode():
                inputs, mask = _pad_right(chunk, self.pad, self.model.device)
                out = self.model.get_decoder()(input_ids=inputs, attention_mask=mask, output_hidden_states=True)
            found.append(self._hidden(out.hidden_states, layer, position, [len(row) for row in chunk]))
            self.tokens.add(*2 * [sum(map(len, chunk))])
        return np.concatenate(found)

    def _branch(self, ids: Sequence[Sequence[int]], begun: Sequence[Sequence[int]]) -> CausalBranch:
        prompts = [[*prompt, *text] for prompt, text in zip(ids, begun, strict=True)]
        runner = self._runner() if self.shares_prefixes else None
        return CausalBranch(self.model, prompts, self.pad, self.tokens, runner, self.prefixes)

    def _logprobs(self, ids: list[list[int]], forks: list[list[list[int]]]) -> list[list[list[float]]]:
        places = self._places(ids, forks)
        found = self._read_tree(places, lambda runner, made, reads: runner.read(made, reads))
        if found is None:
            return self._plain(ids, forks, lambda logits, fork: log_softmax_at(logits, list(enumerate(fork))))
        return [[[found[place] for place in fork] for fork in choices] for choices in places.of_forks]

    def _forced_logits(self, ids: list[list[int]], forks: list[list[list[int]]]) -> list[list[torch.Tensor]]:
        places = self._places(ids, forks)
        found = self._read_tree(places, lambda runner, made, reads: runner.rows(made, reads))
        if found is None:
            return self._plain(ids, forks, lambda logits, fork: logits[: len(fork)].clone())
        return [
            [torch.stack([found[block, place] for block, place, _ in fork]) for fork in choices]
            for choices in places.of_forks
        ]

    def _places(self, ids: list[list[int]], forks: list[list[list[int]]]) -> Places:
        """Each fork's tokens but the last are put behind the prompt; its token k is read one place before."""
        paths = [[_path(prompt, fork) for fork in choices] for prompt, choices in zip(ids, forks, strict=True)]
        flat = [path for choices in paths for path in choices]
        self.tokens.asked += sum(map(len, flat))
        made = plan(flat, BLOCK_TOKENS)
        of_forks = []
        for prompt, choices, own in zip(ids, forks, paths, strict=True):
            behind = [made.places(path, len(prompt) - 1) for path in own]
            of_forks.append(
                [
                    [(*at, token) for at, token in zip(b, fork, strict=True)]
                    for b, fork in zip(behind, choices, strict=True)
                ]
            )
        return Places(made, of_forks)

    def _read_tree(self, places: Places, read: Callable[[TreeRunner, Plan, Reads], Found]) -> Found | None:
        """What `read` makes of the tree; None where this model's attention cannot be computed on one."""
        if not self.shares_prefixes:
            return None
        runner = self._runner()
        try:
            found = read(runner, places.made, places.reads())
        except Unsupported:
            self.shares_prefixes = False  # longer prompts met a sliding window: from here on prompt by prompt
            return None
        self.tokens.computed += runner.computed
        return found

    def _runner(self) -> TreeRunner:
        return TreeRunner(self.model, pack_tokens=max(MIN_PACK_TOKENS, self.batch_tokens // 4))

    def _plain(
        self, ids: list[list[int]], forks: list[list[list[int]]], read: Callable[[torch.Tensor, list[int]], Found]
    ) -> list[list[Found]]:
        """The same without any sharing: padded rows, sorted by length, each request in full."""
        jobs = [(ids[i], fork, (i, k)) for i, choices in enumerate(forks) for k, fork in enumerate(choices)]
        jobs.sort(key=lambda job: len(job[0]) + len(job[1]), reverse=True)
        found: dict[tuple[int, int], Found] = {}
        budget = self.batch_tokens
        while jobs:
            width = len(_path(*jobs[0][:2]))
            taken = jobs[: max(1, budget // width)]
            try:
                logits = self._plain_batch([(prompt, fork) for prompt, fork, _ in taken])
            except (torch.OutOfMemoryError, MemoryError):
                if len(taken) == 1:
                    raise
                budget = width * (len(taken) // 2)
                continue
            found.update({key: read(own, fork) for (_, fork, key), own in zip(taken, logits, strict=True)})
            jobs = jobs[len(taken) :]
        return [[found[i, k] for k in range(len(choices))] for i, choices in enumerate(forks)]

    @torch.inference_mode()
    def _plain_batch(self, batch: list[tuple[list[int], list[int]]]) -> list[torch.Tensor]:
        """Logits behind each fork's places, shape (fork tokens, vocabulary); views of one batch."""
        inputs, mask = _pad_right([_path(prompt, fork) for prompt, fork in batch], self.pad, self.model.device)
        self.tokens.computed += int(mask.sum())
        logits = self.model(input_ids=inputs, attention_mask=mask, use_cache=False).logits
        return [logits[row, len(prompt) - 1 :][: len(fork)] for row, (prompt, fork) in enumerate(batch)]


class Places(NamedTuple):
    """A planned tree, and for each prompt, fork and token of it the block, the place and the token that is read."""

    made: Plan
    of_forks: list[list[list[tuple[Block, int, int]]]]

    def reads(self) -> Reads:
        wanted: dict[Block, dict[int, list[int]]] = {}
        for choices in self.of_forks:
            for fork in choices:
                for block, place, token in fork:
                    wanted.setdefault(block, {}).setdefault(place, []).append(token)
        return wanted


def _path(prompt: list[int], fork: list[int]) -> list[int]:
    """What is read for a fork: its last token is only asked about."""
    return [*prompt, *fork[:-1]]


def _pad_right(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    return ids, mask
