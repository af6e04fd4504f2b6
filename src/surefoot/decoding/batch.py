"""A batch of texts in the course of being written: one row a prompt, each with its own settings, draws and end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from numpy.random import Generator

from surefoot.decoding.branch import Branch, Next
from surefoot.decoding.picking import draws, offered, pick
from surefoot.decoding.rows import Draft, Row, Vocabulary
from surefoot.decoding.sampling import Sampling


class Line(NamedTuple):
    """A row of a batch: what is written, how it is picked, and the stream of its draws."""

    draft: Draft
    sampling: Sampling
    stream: Generator


class Batch:
    """Rows that are written together. `step` holds the distributions of the tokens that are picked next."""

    def __init__(
        self, branch: Branch, drafts: Sequence[Draft], samplings: Sequence[Sampling], vocabulary: Vocabulary
    ) -> None:
        self.branch = branch
        self.vocabulary = vocabulary
        self.lines = [Line(d, s, draws(s.seed, d)) for d, s in zip(drafts, samplings, strict=True)]
        self.step = branch.first()
        self.tokens = torch.empty(0, dtype=torch.long)

    def pick(self) -> None:
        """One more token for each row."""
        self.tokens, logprobs = _drawn(self.lines, self.step)
        for line, token, values in zip(self.lines, self.tokens.tolist(), logprobs, strict=True):
            append(line.draft, line.sampling, token, values, self.vocabulary)

    def advance(self) -> None:
        """The distributions behind the tokens that were picked. Rows that came to their end leave the batch."""
        going = [place for place, line in enumerate(self.lines) if line.draft.finish_reason == "interrupted"]
        if going and len(going) < len(self.lines):
            kept = torch.tensor(going, device=self.tokens.device)
            self.branch.keep(kept)
            self.tokens = self.tokens[kept]
        self.lines = [self.lines[place] for place in going]
        if going:
            self.step = self.branch.next(self.tokens)

    def join(self, other: Batch) -> None:
        """Take in another batch's rows, behind these."""
        self.branch.join(other.branch)
        pairs = zip(self.step, other.step, strict=True)
        self.step = Next(*(torch.cat(pair) for pair in pairs))
        self.lines += other.lines


def _drawn(lines: Sequence[Line], step: Next) -> tuple[torch.Tensor, list[tuple[float, float, float]]]:
    """The next token of each row, and its log-probability as offered, as drawn, and under the plain model."""
    tokens = torch.empty(len(lines), dtype=torch.long, device=step.logits.device)
    drawn = torch.empty(len(lines), dtype=step.logits.dtype, device=step.logits.device)
    for sampling, places in alike([(line.draft, line.sampling) for line in lines]).items():
        own = [lines[place] for place in places]
        logits = step.logits[places] if len(places) < len(lines) else step.logits
        uniforms = [line.stream.random() for line in own] if sampling.temperature else []
        scores = offered([line.draft for line in own], logits, sampling)
        tokens[places] = picked = pick(scores, uniforms)
        drawn[places] = log_softmax_of(scores, picked)
    model = log_softmax_of(step.logits, tokens)
    plain = model if step.plain is step.logits else log_softmax_of(step.plain, tokens)
    return tokens, list(zip(model.tolist(), drawn.tolist(), plain.tolist(), strict=True))


def alike(rows: Sequence[tuple[Row, Sampling]]) -> dict[Sampling, list[int]]:
    """Places of the rows that are picked in the same way."""
    places: dict[Sampling, list[int]] = {}
    for place, (_, sampling) in enumerate(rows):
        places.setdefault(sampling, []).append(place)
    return places


def log_softmax_of(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """log softmax(logits[row])[tokens[row]] of each row."""
    return logits.gather(-1, tokens[:, None])[:, 0] - logits.logsumexp(-1)


def append(
    draft: Draft, sampling: Sampling, token: int, logprobs: tuple[float, float, float], vocabulary: Vocabulary
) -> None:
    """Put a token behind a draft and note whether that ends it."""
    if token in vocabulary.ends:
        draft.weigh(logprobs)
        draft.finish_reason = "stop"
        return
    draft.add(token, logprobs)
    has_ended(draft, sampling, vocabulary)


def has_ended(draft: Draft, sampling: Sampling, vocabulary: Vocabulary) -> bool:
    """Whether a draft has come to its end, which is then noted."""
    if draft.finish_reason == "stop":
        return True
    if draft.written and sampling.stop:
        text = vocabulary.decode(draft.written)
        if any(stop in text for stop in sampling.stop):
            draft.finish_reason = "stop"
            return True
    draft.finish_reason = "length" if len(draft.written) >= sampling.max_new_tokens else "interrupted"
    return draft.finish_reason == "length"
