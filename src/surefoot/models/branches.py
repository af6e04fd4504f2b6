"""Branches of local models: their key-value caches, padding and positions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import torch

from surefoot.decoding.branch import Next
from surefoot.models.base import TokenCount

SHARED = 8  # a common beginning of fewer tokens is not worth a pass of its own


class CausalBranch:
    """A decoder-only model: one growing cache; prompts padded on the left, behind the beginning that all of them share.

    The shared beginning is computed once.
    """

    def __init__(self, model: Any, prompts: Sequence[Sequence[int]], pad: int, tokens: TokenCount) -> None:
        from transformers import DynamicCache

        self.model = model
        self.tokens = tokens
        self.cache = DynamicCache(config=model.config)
        shared = _shared(prompts) if _sees_all(model.config) else 0
        rest = [prompt[shared:] for prompt in prompts]
        width = max(len(ids) for ids in rest)
        self.shared = torch.tensor([list(prompts[0][:shared])], device=model.device)
        self.ids = torch.tensor([[pad] * (width - len(ids)) + list(ids) for ids in rest], device=model.device)
        mask = [[1] * shared + [0] * (width - len(ids)) + [1] * len(ids) for ids in rest]
        self.mask = torch.tensor(mask, device=model.device)

    def first(self) -> Next:
        shared = self.shared.shape[1]
        self.tokens.computed += shared + int(self.mask[:, shared:].sum())
        if shared:
            self.model(input_ids=self.shared, past_key_values=self.cache, use_cache=True, logits_to_keep=1)
            self.cache.batch_repeat_interleave(len(self.ids))
        positions = (self.mask.cumsum(-1) - 1).clamp(min=0)[:, shared:]
        return _plain(self._forward(self.ids, positions, 1)[:, -1])

    def next(self, tokens: torch.Tensor) -> Next:
        return _plain(self.extend(tokens[:, None])[:, -1])

    def extend(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits behind each of the appended tokens (rows, k), shape (rows, k, vocabulary)."""
        self.tokens.computed += tokens.numel()
        self.mask = torch.cat([self.mask, self.mask.new_ones(tokens.shape)], 1)
        positions = (self.mask.cumsum(-1) - 1)[:, -tokens.shape[1] :]
        return self._forward(tokens, positions, tokens.shape[1])

    def forget(self, counts: Sequence[int]) -> None:
        """Take back the last tokens of each row, so many a row; they stay in the cache, unseen."""
        for row, count in enumerate(counts):
            seen = self.mask[row].nonzero()[:, 0]
            self.mask[row, seen[len(seen) - count :]] = 0

    def keep(self, rows: torch.Tensor) -> None:
        self.mask = self.mask[rows]
        self.cache.batch_select_indices(rows)

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, wanted: int) -> torch.Tensor:
        out = self.model(
            input_ids=ids,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=wanted,
        )
        logits: torch.Tensor = out.logits.float()
        return logits


class Seq2SeqBranch:
    """An encoder-decoder: prompts encoded once, a growing decoder cache. `openings` are equally long."""

    def __init__(
        self,
        model: Any,
        prompts: Sequence[Sequence[int]],
        pad: int,
        openings: Sequence[Sequence[int]],
        tokens: TokenCount,
    ) -> None:
        from transformers import DynamicCache, EncoderDecoderCache

        self.model = model
        self.tokens = tokens
        self.openings = torch.tensor([list(opening) for opening in openings], device=model.device)
        width = max(len(ids) for ids in prompts)
        ids = torch.tensor([list(p) + [pad] * (width - len(p)) for p in prompts], device=model.device)
        mask = [[1] * len(p) + [0] * (width - len(p)) for p in prompts]
        self.mask = torch.tensor(mask, device=model.device)
        tokens.computed += int(self.mask.sum())
        self.encoded = model.get_encoder()(input_ids=ids, attention_mask=self.mask, return_dict=True)
        self.cache = EncoderDecoderCache(DynamicCache(config=model.config), DynamicCache(config=model.config))

    def first(self) -> Next:
        return self._forward(self.openings)

    def next(self, tokens: torch.Tensor) -> Next:
        self.tokens.computed += len(tokens)
        return self._forward(tokens[:, None])

    def keep(self, rows: torch.Tensor) -> None:
        self.mask = self.mask[rows]
        self.encoded.last_hidden_state = self.encoded.last_hidden_state[rows]
        self.cache.batch_select_indices(rows)

    def _forward(self, ids: torch.Tensor) -> Next:
        out = self.model(
            encoder_outputs=self.encoded,
            attention_mask=self.mask,
            decoder_input_ids=ids,
            past_key_values=self.cache,
            use_cache=True,
        )
        return _plain(out.logits[:, -1].float())


def _plain(logits: torch.Tensor) -> Next:
    return Next(logits, logits)


def _shared(prompts: Sequence[Sequence[int]]) -> int:
    """Tokens that all prompts begin with, short of the last of the shortest; 0 where they are few."""
    if len(prompts) < 2:
        return 0
    limit = min(map(len, prompts)) - 1
    columns = zip(*(prompt[:limit] for prompt in prompts), strict=True)
    count = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
    return count if count >= SHARED else 0


def _sees_all(config: Any) -> bool:
    """Whether all layers see all tokens; a sliding window counts places, padding among them."""
    return not getattr(config, "sliding_window", None)
