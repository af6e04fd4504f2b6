"""Decoder-only models: answers fork from their prompt, prompts from their shared prefix."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch

from surefoot.models.base import ModelCard
from surefoot.models.generation import Branch, CausalBranch
from surefoot.models.local import LocalModel, Truncate
from surefoot.models.prefix import Block, plan
from surefoot.models.tree_attention import TreeRunner, Unsupported, log_softmax_at, supports
from surefoot.text.formats import PromptEncoder
from surefoot.text.prompt import Prompt

BLOCK_TOKENS = 256  # up to here a question and its options are one block; attention cost grows with its square
MIN_PACK_TOKENS = 512


class CausalModel(LocalModel):
    """A decoder-only transformer. `prefix_sharing=False` computes every prompt on its own, for comparison."""

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

    def _branch(self, ids: Sequence[Sequence[int]]) -> Branch:
        return CausalBranch(self.model, ids, self.pad)

    def _logprobs(self, ids: list[list[int]], forks: list[list[list[int]]]) -> list[list[list[float]]]:
        """Each fork's tokens but the last are put behind the prompt; its token k is read one place before."""
        paths = [[[*prompt, *fork[:-1]] for fork in choices] for prompt, choices in zip(ids, forks, strict=True)]
        flat = [path for choices in paths for path in choices]
        made = plan(flat, BLOCK_TOKENS)
        reads: dict[Block, dict[int, list[int]]] = {}
        places = []
        for prompt, choices, own in zip(ids, forks, paths, strict=True):
            for fork, path in zip(choices, own, strict=True):
                behind = made.places(path, len(prompt) - 1)
                places.append([(block, place, token) for (block, place), token in zip(behind, fork, strict=True)])
                for block, place, token in places[-1]:
                    reads.setdefault(block, {}).setdefault(place, []).append(token)
        try:
            found = self._read_tree(made, reads) if self.shares_prefixes else None
        except Unsupported:
            self.shares_prefixes = False  # longer prompts met a sliding window: from here on prompt by prompt
            found = None
        self.tokens.asked += sum(map(len, flat))
        if found is None:
            return self._plain_logprobs(ids, forks, paths)
        rows = iter([[found[key] for key in row] for row in places])
        return [[next(rows) for _ in choices] for choices in forks]

    def _read_tree(self, made: Any, reads: dict[Block, dict[int, list[int]]]) -> dict[tuple[Block, int, int], float]:
        runner = TreeRunner(self.model, pack_tokens=max(MIN_PACK_TOKENS, self.batch_tokens // 4))
        found = runner.read(made, reads)
        self.tokens.computed += runner.computed
        return found

    def _plain_logprobs(
        self, ids: list[list[int]], forks: list[list[list[int]]], paths: list[list[list[int]]]
    ) -> list[list[list[float]]]:
        """The same without any sharing: padded rows, sorted by length, each request in full."""
        jobs = [(i, k) for i, choices in enumerate(paths) for k in range(len(choices))]
        jobs.sort(key=lambda job: len(paths[job[0]][job[1]]), reverse=True)
        result: list[list[list[float]]] = [[[] for _ in choices] for choices in forks]
        budget = self.batch_tokens
        while jobs:
            width = len(paths[jobs[0][0]][jobs[0][1]])
            taken = jobs[: max(1, budget // width)]
            try:
                rows = self._plain_batch([(ids[i], forks[i][k], paths[i][k]) for i, k in taken])
            except (torch.OutOfMemoryError, MemoryError):
                if len(taken) == 1:
                    raise
                budget = width * (len(taken) // 2)
                continue
            for (i, k), row in zip(taken, rows, strict=True):
                result[i][k] = row
            jobs = jobs[len(taken) :]
        return result

    @torch.inference_mode()
    def _plain_batch(self, batch: list[tuple[list[int], list[int], list[int]]]) -> list[list[float]]:
        inputs, mask = _pad_right([path for _, _, path in batch], self.pad, self.model.device)
        self.tokens.computed += int(mask.sum())
        logits = self.model(input_ids=inputs, attention_mask=mask, use_cache=False).logits
        return [
            log_softmax_at(logits[row, len(prompt) - 1 : len(path)], list(enumerate(fork)))
            for row, (prompt, fork, path) in enumerate(batch)
        ]


def _pad_right(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    return ids, mask
