"""A reader that answers with words of a passage: the extractive half of the last-step model.

Formula: p(i, j) = softmax(s)_i softmax(e)_j over the tokens of (passage, question), with s and e linear in their
states; the first token stands for "no answer". The answer is the best span i <= j < i + longest within the passage; of
several passages the one whose span is most probable. Source: Devlin et al. 2019 and Rajpurkar et al. 2018 (SQuAD 2.0);
Geva et al. 2021 (TACL, StrategyQA) take the best span that is not null over a step's paragraphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from surefoot.errors import BadInput
from surefoot.metrics.answers import exact_match
from surefoot.readers.heads import Headed, in_batches
from surefoot.readers.pairs import Pair, PairEncoder, load_encoder
from surefoot.readers.rows import SpanRow

LONGEST = 30  # tokens of an answer


class Span(NamedTuple):
    """Words of a passage, how probable they are (log, nats), and how probable it is that it has no answer."""

    text: str
    logprob: float
    null: float

    @property
    def is_null(self) -> bool:
        """Whether "no answer" is likelier than the span."""
        return self.null > self.logprob


def best_span(
    starts: np.ndarray, ends: np.ndarray, inside: Sequence[bool], longest: int = LONGEST
) -> tuple[int, int] | None:
    """The tokens (i, j) of highest starts[i] + ends[j] with i <= j < i + longest, both `inside`; the first of equals.
    None where no token is inside."""
    allowed = np.asarray(inside, dtype=bool)
    if not allowed.any():
        return None
    sums = np.where(allowed[:, None] & allowed[None, :], starts[:, None] + ends[None, :], -np.inf)
    band = np.triu(np.tril(np.ones(sums.shape, dtype=bool), longest - 1))
    i, j = np.unravel_index(int(np.where(band, sums, -np.inf).argmax()), sums.shape)
    return int(i), int(j)


class SpanReader:
    """An encoder with a span head. `longest` is the most tokens of an answer."""

    def __init__(self, module: Headed, longest: int = LONGEST) -> None:
        if longest < 1:
            raise BadInput(f"longest is {longest}; an answer has at least 1 token.")
        self.module = module
        self.longest = longest

    @classmethod
    def new(cls, encoder: PairEncoder | str | Path | None = None, *, seed: int = 0) -> SpanReader:
        """An encoder (a folder, MiniLM unless said) under a head of random weights."""
        pairs = encoder if isinstance(encoder, PairEncoder) else load_encoder(encoder)
        return cls(Headed(pairs, by_token=True, seed=seed))

    def read(self, pairs: Sequence[Pair], longest: int | None = None) -> list[Span]:
        """The best span of each pair's context that is not null; an empty text where there is no context."""
        found: dict[int, Span] = {}
        for places in in_batches(pairs):
            own = [pairs[place] for place in places]
            encoded = self.module.pairs.encoded(own)
            with torch.no_grad():
                logs = _log_probabilities(self.module(encoded), encoded).cpu().double().numpy()
            for k, place in enumerate(places):
                found[place] = self._span(own[k].context, encoded, k, logs[k], longest or self.longest)
        return [found[place] for place in range(len(pairs))]

    def best_over(self, question: str, passages: Sequence[str], longest: int | None = None) -> Span:
        """The most probable span over passages, each read by itself; an empty text where there are none."""
        spans = self.read([Pair(passage, question) for passage in passages], longest)
        return max(spans, key=lambda span: span.logprob, default=Span("", -np.inf, 0.0))

    def correct(self, rows: Sequence[SpanRow]) -> list[bool]:
        """Whether the answer is the right one up to articles, case and punctuation, or rightly none."""
        read = self.read([row.pair for row in rows])
        told = ["" if span.is_null else span.text for span in read]
        return [text == row.answer or exact_match(text, row.answer) == 1 for text, row in zip(told, rows, strict=True)]

    def loss(self, rows: Sequence[SpanRow]) -> torch.Tensor:
        """The mean over rows of -(log p(start) + log p(end)) / 2, with gradients; no answer is the first token."""
        encoded = self.module.pairs.encoded([row.pair for row in rows])
        logs = _log_probabilities(self.module(encoded), encoded)
        gold = torch.tensor([_gold_span(encoded, k, row) for k, row in enumerate(rows)], device=logs.device)
        return -logs.gather(1, gold[:, None, :]).mean()

    def copy(self) -> SpanReader:
        """Another reader with the same weights."""
        return SpanReader(self.module.copy(), self.longest)

    def _span(self, context: str, encoded: Any, k: int, logs: np.ndarray, longest: int) -> Span:
        null = float(logs[0].sum())
        inside = [part == 0 for part in encoded.sequence_ids(k)]
        found = best_span(logs[:, 0], logs[:, 1], inside, longest)
        if found is None:
            return Span("", -np.inf, null)
        i, j = found
        offsets = encoded["offset_mapping"][k]
        text = context[int(offsets[i][0]) : int(offsets[j][1])].strip()
        return Span(text, float(logs[i, 0] + logs[j, 1]), null)


def _log_probabilities(logits: torch.Tensor, encoded: Any) -> torch.Tensor:
    """Log-probabilities of starts and ends over the tokens that are no padding, shape (pairs, tokens, 2)."""
    padding = encoded["attention_mask"].to(logits.device) == 0
    return functional.log_softmax(logits.masked_fill(padding[..., None], -1e9), dim=1)


def _gold_span(encoded: Any, k: int, row: SpanRow) -> tuple[int, int]:
    """First and last token of the first place where the answer stands; (0, 0) for none, and where it was cut off.

    Raises `BadInput` for an answer that is not in the context.
    """
    if not row.answer:
        return 0, 0
    start = row.pair.context.find(row.answer)
    if start < 0:
        raise BadInput(f'The answer "{row.answer[:60]}" is not in the context of "{row.pair.question[:60]}".')
    first = encoded.char_to_token(k, start, 0)
    last = encoded.char_to_token(k, start + len(row.answer) - 1, 0)
    return (0, 0) if first is None or last is None else (int(first), int(last))
