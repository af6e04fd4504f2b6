"""Token-by-token generation: one row a prompt, each with its own key-value cache, its own draws and its own end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch

from surefoot.models.base import Sampling


class Branch(Protocol):
    """A batch of prompts in the course of being continued."""

    def first(self) -> torch.Tensor:
        """Logits of the first new token, shape (rows, vocabulary)."""
        ...

    def next(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits behind the appended tokens, shape (rows, vocabulary)."""
        ...

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows only."""
        ...


class CausalBranch:
    """A decoder-only model: left-padded prompts, one growing cache."""

    def __init__(self, model: Any, prompts: Sequence[Sequence[int]], pad: int) -> None:
        from transformers import DynamicCache

        self.model = model
        width = max(len(ids) for ids in prompts)
        padded = [[pad] * (width - len(ids)) + list(ids) for ids in prompts]
        mask = [[0] * (width - len(ids)) + [1] * len(ids) for ids in prompts]
        self.ids = torch.tensor(padded, device=model.device)
        self.mask = torch.tensor(mask, device=model.device)
        self.cache = DynamicCache(config=model.config)

    def first(self) -> torch.Tensor:
        positions = (self.mask.cumsum(-1) - 1).clamp(min=0)
        return self._forward(self.ids, positions)

    def next(self, tokens: torch.Tensor) -> torch.Tensor:
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], 1)
        return self._forward(tokens[:, None], self.mask.sum(-1, keepdim=True) - 1)

    def keep(self, rows: torch.Tensor) -> None:
        self.mask = self.mask[rows]
        self.cache.batch_select_indices(rows)

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        out = self.model(
            input_ids=ids,
            attention_mask=self.mask,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = out.logits[:, -1].float()
        return logits


class Seq2SeqBranch:
    """An encoder-decoder: prompts encoded once, a growing decoder cache."""

    def __init__(self, model: Any, prompts: Sequence[Sequence[int]], pad: int, opening: Sequence[int]) -> None:
        from transformers import DynamicCache, EncoderDecoderCache

        self.model = model
        self.opening = torch.tensor([list(opening)] * len(prompts), device=model.device)
        width = max(len(ids) for ids in prompts)
        ids = torch.tensor([list(p) + [pad] * (width - len(p)) for p in prompts], device=model.device)
        mask = [[1] * len(p) + [0] * (width - len(p)) for p in prompts]
        self.mask = torch.tensor(mask, device=model.device)
        self.encoded = model.get_encoder()(input_ids=ids, attention_mask=self.mask, return_dict=True)
        self.cache = EncoderDecoderCache(DynamicCache(config=model.config), DynamicCache(config=model.config))

    def first(self) -> torch.Tensor:
        return self._forward(self.opening)

    def next(self, tokens: torch.Tensor) -> torch.Tensor:
        return self._forward(tokens[:, None])

    def _forward(self, ids: torch.Tensor) -> torch.Tensor:
        out = self.model(
            encoder_outputs=self.encoded,
            attention_mask=self.mask,
            decoder_input_ids=ids,
            past_key_values=self.cache,
            use_cache=True,
        )
        logits: torch.Tensor = out.logits[:, -1].float()
        return logits

    def keep(self, rows: torch.Tensor) -> None:
        self.mask = self.mask[rows]
        self.encoded.last_hidden_state = self.encoded.last_hidden_state[rows]
        self.cache.batch_select_indices(rows)


class Written(NamedTuple):
    """One row's tokens, their natural-log probabilities under the model, and why it ended.

    The end token is not among the tokens; where it was drawn, its log-probability is the last one all the same.
    """

    tokens: list[int]
    logprobs: list[float]
    finish_reason: Literal["stop", "length"]


Watch = Callable[[int, Sequence[int], torch.Tensor], None]
"""Called at each step with the step, the indices of the rows still going, and their log-probabilities."""


@torch.inference_mode()
def write(
    branch: Branch,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    ends: frozenset[int],
    text_of: Callable[[Sequence[int]], str],
    watch: Watch | None = None,
) -> list[Written]:
    """Continue every row until an end token, a stop string or `max_new_tokens`. Finished rows leave the batch."""
    rows = list(range(len(prompts)))
    tokens: list[list[int]] = [[] for _ in rows]
    logprobs: list[list[float]] = [[] for _ in rows]
    stopped: set[int] = set()
    draws = [_draws(sampling.seed, ids) for ids in prompts] if sampling.temperature else []
    logits = branch.first()
    for step in range(sampling.max_new_tokens):
        logp = torch.log_softmax(logits, -1)
        if watch:
            watch(step, rows, logp)
        picked = pick(logp, sampling, [draws[row].random() for row in rows] if draws else [])
        values = logp.gather(-1, picked[:, None])[:, 0].tolist()
        for row, token, value in zip(rows, picked.tolist(), values, strict=True):
            logprobs[row].append(value)
            if token in ends:
                stopped.add(row)
                continue
            tokens[row].append(token)
            if sampling.stop and any(stop in text_of(tokens[row]) for stop in sampling.stop):
                stopped.add(row)
        going = [place for place, row in enumerate(rows) if row not in stopped]
        if not going or step + 1 == sampling.max_new_tokens:
            break
        if len(going) < len(rows):
            kept = torch.tensor(going, device=picked.device)
            branch.keep(kept)
            picked, rows = picked[kept], [rows[place] for place in going]
        logits = branch.next(picked)
    return [Written(tokens[row], logprobs[row], "stop" if row in stopped else "length") for row in range(len(prompts))]


def pick(logp: torch.Tensor, sampling: Sampling, uniforms: Sequence[float]) -> torch.Tensor:
    """The next token of each row: the most probable, or the inverse of the cumulative distribution at its draw."""
    if not sampling.temperature:
        return logp.argmax(-1)
    probabilities = torch.softmax(logp.double() / sampling.temperature, -1)
    probabilities, order = torch.sort(probabilities, dim=-1, descending=True, stable=True)
    cumulative = probabilities.cumsum(-1)
    nucleus = (cumulative - probabilities) < sampling.top_p
    total = (probabilities * nucleus).sum(-1, keepdim=True)
    target = torch.tensor(uniforms, dtype=torch.float64, device=logp.device)[:, None] * total
    place = torch.searchsorted(cumulative, target, right=True).clamp(max=logp.shape[-1] - 1)
    return order.gather(-1, place)[:, 0]


def _draws(seed: int, prompt: Sequence[int]) -> np.random.Generator:
    """A stream of uniforms that depends on the prompt's own tokens and the seed, and on nothing around it."""
    digest = hashlib.sha256(f"{seed}/{list(prompt)}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
