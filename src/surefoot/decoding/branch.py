"""Branches: batches of prompts in the course of being continued, and what can be made of several of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch

from surefoot.decoding.rows import Row


class Next(NamedTuple):
    """Logits of the next token, shape (rows, vocabulary), float32: as offered, and of the untreated model."""

    logits: torch.Tensor
    plain: torch.Tensor


class Branch(Protocol):
    """A batch of prompts in the course of being continued."""

    def first(self) -> Next:
        """Logits of the first new token."""
        ...

    def next(self, tokens: torch.Tensor) -> Next:
        """Logits behind the appended tokens, one a row."""
        ...

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with these rows only, in this order; a row may be named several times."""
        ...

    @property
    def joins(self) -> bool:
        """Whether it can take in others' rows."""
        ...

    def join(self, other: Any) -> None:
        """Take in the rows of a branch of the same kind, behind these."""
        ...


@dataclass(frozen=True)
class Continuation:
    """Prompts that can be continued.

    `prompts` are the real ids that rules and draws see, `lengths` the tokens that are read for each. `open` gives the
    branch of some of the prompts, with the tokens that were written behind them before. `batch_tokens` bounds what one
    branch may hold; `aligned` asks for rows that have equally many tokens written.
    """

    prompts: Sequence[Sequence[int]]
    lengths: Sequence[int]
    truncated: Sequence[bool]
    open: Callable[[Sequence[int], Sequence[Sequence[int]]], Branch]
    batch_tokens: int
    aligned: bool = False


class Rule(Protocol):
    """Changes the distribution of the next token. The logits (rows, vocabulary) that it is given stay as they are."""

    def __call__(self, rows: Sequence[Row], logits: torch.Tensor) -> torch.Tensor: ...


class Ruled:
    """A branch under a rule."""

    def __init__(self, branch: Branch, rule: Rule, rows: Sequence[Row]) -> None:
        self.branch = branch
        self.rule = rule
        self.rows = [row.copy() for row in rows]

    def first(self) -> Next:
        return self._ruled(self.branch.first())

    def next(self, tokens: torch.Tensor) -> Next:
        for row, token in zip(self.rows, tokens.tolist(), strict=True):
            row.written.append(token)
        return self._ruled(self.branch.next(tokens))

    def keep(self, rows: torch.Tensor) -> None:
        self.rows = [self.rows[row].copy() for row in rows.tolist()]
        self.branch.keep(rows)

    @property
    def joins(self) -> bool:
        return self.branch.joins

    def join(self, other: Ruled) -> None:
        self.branch.join(other.branch)
        self.rows += other.rows

    def _ruled(self, step: Next) -> Next:
        return step._replace(logits=self.rule(self.rows, step.logits))


Combine = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""Logits (branches, rows, vocabulary) and weights (branches, rows) to one distribution's logits (rows, vocabulary)."""


class Blend:
    """Several branches, of one model or of several over one vocabulary, combined into one distribution."""

    def __init__(self, branches: Sequence[Branch], weights: torch.Tensor, combine: Combine) -> None:
        self.branches = branches
        self.weights = weights
        self.combine = combine

    def first(self) -> Next:
        return self._blended([branch.first() for branch in self.branches])

    def next(self, tokens: torch.Tensor) -> Next:
        return self._blended([branch.next(tokens) for branch in self.branches])

    def keep(self, rows: torch.Tensor) -> None:
        self.weights = self.weights[:, rows]
        for branch in self.branches:
            branch.keep(rows)

    @property
    def joins(self) -> bool:
        return all(branch.joins for branch in self.branches)

    def join(self, other: Blend) -> None:
        for branch, more in zip(self.branches, other.branches, strict=True):
            branch.join(more)
        self.weights = torch.cat([self.weights, other.weights], 1)

    def _blended(self, steps: Sequence[Next]) -> Next:
        logits = torch.stack([step.logits for step in steps])
        return Next(self.combine(logits, self.weights.to(logits.device)), steps[0].plain)


class Variants:
    """Several prompts a row within one branch: all first variants, then all second ones, and so on.

    One pass of the model computes all of them, and what they share at their beginning once.
    """

    def __init__(self, branch: Branch, weights: torch.Tensor, combine: Combine) -> None:
        self.branch = branch
        self.weights = weights
        self.combine = combine

    def first(self) -> Next:
        return self._blended(self.branch.first())

    def next(self, tokens: torch.Tensor) -> Next:
        return self._blended(self.branch.next(tokens.repeat(len(self.weights))))

    def keep(self, rows: torch.Tensor) -> None:
        count = self.weights.shape[1]
        self.branch.keep(torch.cat([rows + count * variant for variant in range(len(self.weights))]))
        self.weights = self.weights[:, rows]

    @property
    def joins(self) -> bool:
        return self.branch.joins

    def join(self, other: Variants) -> None:
        variants, own, more = len(self.weights), self.weights.shape[1], other.weights.shape[1]
        self.branch.join(other.branch)
        places = torch.cat(
            [
                torch.arange(variants * own).view(variants, own),
                torch.arange(variants * more).view(variants, more) + variants * own,
            ],
            1,
        )
        self.branch.keep(places.flatten())
        self.weights = torch.cat([self.weights, other.weights], 1)

    def _blended(self, step: Next) -> Next:
        logits = step.logits.view(*self.weights.shape, -1)
        plain = step.plain[: self.weights.shape[1]]
        return Next(self.combine(logits, self.weights.to(logits.device)), plain)


def weighted_sum(logits: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """sum_i w_i l_i: a product of distributions to the power of their weights, up to normalisation."""
    total = logits[0] * weights[0, :, None]
    for part, weight in zip(logits[1:], weights[1:], strict=True):
        total.addcmul_(part, weight[:, None])
    return total


RULED_OUT = 1000.0  # nats below what is left: never drawn, and still in order where nothing else is to be chosen from


def plausible(scores: torch.Tensor, logits: torch.Tensor, floor: float) -> torch.Tensor:
    """The scores with those tokens ruled out that have less than `floor` of the best token's probability in `logits`.

    Ruled out are tokens `RULED_OUT` below their log-probability in `logits`, so that options of which every one has
    such a token can be ranked all the same, by `logits`. Floor 0 rules nothing out.
    Source: Li et al. 2023 (arXiv:2210.15097), adaptive plausibility; a finite value: the released code of DoLa.
    """
    if not floor:
        return scores
    least = logits.amax(-1, keepdim=True) + math.log(floor)
    return torch.where(logits < least, logits.log_softmax(-1) - RULED_OUT, scores.log_softmax(-1))
