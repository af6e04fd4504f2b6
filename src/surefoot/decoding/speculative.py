"""Speculative decoding: a draft model proposes several tokens, one pass of the target judges them, nothing changes.

At a place with the target's distribution p and the draft's q, a proposal d ~ q is kept with probability min(1, p(d) /
q(d)); otherwise the token is drawn from max(p - q, 0), normalised. Either way it has the distribution p, and a
proposal is kept with probability sum min(p, q). p and q are what is drawn from: penalties, temperature and truncation
included.

Source: Leviathan et al. 2023 (ICML), arXiv:2211.17192. There, a round of g proposals that are all kept is followed by
one token of p; here the draft proposes that one too, which costs a pass of the draft. So every place is drawn in the
same way from uniforms of its own, and the text is the same for every number of proposals, in every batch, and after a
stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch

from surefoot.decoding.batch import alike, append
from surefoot.decoding.branch import Branch, Next
from surefoot.decoding.picking import draws, offered, pick
from surefoot.decoding.rows import Draft, Row, Vocabulary
from surefoot.decoding.sampling import Sampling


class Rewindable(Branch, Protocol):
    """A branch that reads several tokens at once and can take tokens back."""

    def extend(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits behind each of the appended tokens (rows, k), shape (rows, k, vocabulary)."""
        ...

    def forget(self, counts: Sequence[int]) -> None:
        """Take back the last tokens of each row, so many a row."""
        ...


@dataclass
class Tally:
    """Proposals that were judged and those kept; passes of the target, over all rows of a batch at once."""

    judged: int = 0
    kept: int = 0
    passes: int = 0

    @property
    def share(self) -> float:
        """Share of judged proposals that were kept; NaN where none was judged."""
        return self.kept / self.judged if self.judged else float("nan")


@dataclass
class Pair:
    """A target's branch and a draft model's, over the same rows."""

    target: Rewindable
    draft: Rewindable

    def first(self) -> Next:
        return self.target.first()

    def next(self, tokens: torch.Tensor) -> Next:
        return self.target.next(tokens)

    def keep(self, rows: torch.Tensor) -> None:
        self.target.keep(rows)
        self.draft.keep(rows)

    @property
    def joins(self) -> bool:
        return self.target.joins and self.draft.joins

    def join(self, other: Pair) -> None:
        self.target.join(other.target)
        self.draft.join(other.draft)

    def forget(self, counts: Sequence[int]) -> None:
        self.target.forget(counts)
        self.draft.forget(counts)


class Live(NamedTuple):
    """A row that is being written: its settings, and three uniforms for each place of its text."""

    draft: Draft
    sampling: Sampling
    uniforms: np.ndarray

    @classmethod
    def of(cls, draft: Draft, sampling: Sampling) -> Live:
        stream = draws(sampling.seed, Row(draft.index, draft.prompt))
        return cls(draft, sampling, stream.random((sampling.max_new_tokens, 3)))

    @property
    def room(self) -> int:
        return self.sampling.max_new_tokens - self.draft.length


@torch.inference_mode()
def speculate(
    pair: Pair,
    drafts: Sequence[Draft],
    samplings: Sequence[Sampling],
    vocabulary: Vocabulary,
    tokens: int,
    tally: Tally,
) -> None:
    """Writes every draft to its end, proposing `tokens` tokens a round. Rows keep different numbers of them."""
    rows = [Live.of(draft, sampling) for draft, sampling in zip(drafts, samplings, strict=True)]
    known: torch.Tensor | None = pair.target.first().logits
    ahead = pair.draft.first()
    while True:
        width = min(tokens, *(row.room for row in rows))
        proposed, q = _propose(pair.draft, ahead, rows, width)
        read = [proposed[:, :-1]] if known is not None else [_last(rows, proposed), proposed[:, :-1]]
        inputs = torch.cat(read, 1)
        logits = [known[:, None]] if known is not None else []
        if inputs.shape[1]:
            logits.append(pair.target.extend(inputs))
            tally.passes += 1
        counts = _judge(rows, proposed, torch.cat(logits, 1), q, vocabulary, tally)
        pair.forget([width - count for count in counts])
        going = [place for place, row in enumerate(rows) if row.draft.finish_reason == "interrupted"]
        if not going:
            return
        if len(going) < len(rows):
            pair.keep(torch.tensor(going, device=proposed.device))
            rows = [rows[place] for place in going]
        known = None
        ahead = pair.draft.next(_last(rows, proposed)[:, 0])


def _last(rows: Sequence[Live], like: torch.Tensor) -> torch.Tensor:
    """The last token of each row, shape (rows, 1)."""
    return torch.tensor([[row.draft.written[-1]] for row in rows], device=like.device)


def _propose(branch: Rewindable, step: Next, rows: Sequence[Live], width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens of the draft model (rows, width), and log q of the whole vocabulary there (rows, width, vocabulary)."""
    texts = [Row(row.draft.index, row.draft.prompt, list(row.draft.written)) for row in rows]
    tokens: list[torch.Tensor] = []
    q: list[torch.Tensor] = []
    for place in range(width):
        if place:
            step = branch.next(tokens[-1])
        logq = _drawn_from(texts, [row.sampling for row in rows], step.logits)
        chosen = _picked(rows, logq, place)
        for text, token in zip(texts, chosen.tolist(), strict=True):
            text.written.append(token)
        tokens.append(chosen)
        q.append(logq)
    return torch.stack(tokens, 1), torch.stack(q, 1)


def _picked(rows: Sequence[Live], logq: torch.Tensor, ahead: int) -> torch.Tensor:
    """A draw of each row at its own place, `ahead` of what is written; greedy where the temperature is 0."""
    tokens = logq.argmax(-1)
    drawn = [place for place, row in enumerate(rows) if row.sampling.temperature]
    if drawn:
        uniforms = [float(rows[p].uniforms[rows[p].draft.length + ahead, 0]) for p in drawn]
        tokens[drawn] = pick(logq[drawn], uniforms)
    return tokens


def _drawn_from(texts: Sequence[Row], samplings: Sequence[Sampling], logits: torch.Tensor) -> torch.Tensor:
    """log of the distributions that the next tokens are drawn from, shape (rows, vocabulary)."""
    logp = torch.empty_like(logits)
    for sampling, places in alike(list(zip(texts, samplings, strict=True))).items():
        logp[places] = torch.log_softmax(offered([texts[place] for place in places], logits[places], sampling), -1)
    return logp


def _judge(
    rows: Sequence[Live],
    proposed: torch.Tensor,
    logits: torch.Tensor,
    q: torch.Tensor,
    vocabulary: Vocabulary,
    tally: Tally,
) -> list[int]:
    """Appends what is kept of each row's proposals, and the token in the place of the first that is not.

    Gives how many tokens each row grew by. `logits` are the target's (rows, width, vocabulary).
    """
    width = proposed.shape[1]
    places = [(place, k) for place in range(len(rows)) for k in range(width)]
    texts = [
        Row(rows[p].draft.index, rows[p].draft.prompt, [*rows[p].draft.written, *proposed[p, :k].tolist()])
        for p, k in places
    ]
    logp = _drawn_from(texts, [rows[p].sampling for p, _ in places], logits.flatten(0, 1)).view_as(logits)
    norms = logits.logsumexp(-1)
    return [
        _grow(
            row, proposed[place].tolist(), Judged(logp[place], q[place], logits[place], norms[place]), vocabulary, tally
        )
        for place, row in enumerate(rows)
    ]


class Judged(NamedTuple):
    """One row: log p and log q (width, vocabulary), the target's logits, and their log-sum-exp (width,)."""

    p: torch.Tensor
    q: torch.Tensor
    logits: torch.Tensor
    norms: torch.Tensor

    def weights(self, k: int, token: int) -> tuple[float, float, float]:
        model = float(self.logits[k, token] - self.norms[k])
        return model, float(self.p[k, token]), model


def _grow(row: Live, proposed: Sequence[int], judged: Judged, vocabulary: Vocabulary, tally: Tally) -> int:
    begun = row.draft.length
    for k, proposal in enumerate(proposed):
        token = _verdict(row, begun + k, proposal, judged.p[k], judged.q[k])
        tally.judged += 1
        tally.kept += token == proposal
        append(row.draft, row.sampling, token, judged.weights(k, token), vocabulary)
        if token != proposal or row.draft.finish_reason != "interrupted":
            return k + 1
    return len(proposed)


def _verdict(row: Live, place: int, proposal: int, logp: torch.Tensor, logq: torch.Tensor) -> int:
    """The proposal, or the token in its place. A token that is drawn there is never the proposal."""
    if not row.sampling.temperature:
        return int(logp.argmax())
    _, accept, other = row.uniforms[place]
    p, q = logp.double().exp(), logq.double().exp()
    if accept * q[proposal] < p[proposal]:
        return proposal
    return int(pick((p - q).clamp(min=0)[None].log(), [float(other)])[0])
