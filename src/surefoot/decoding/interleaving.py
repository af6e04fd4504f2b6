"""The rule that writes a fixed text behind every so many words or tokens.

Let E be the fixed text's tokens and B the tokens that begin a unit: those that begin with white space where units are
words, all where they are tokens. When enough units stand there, p'(E_1) = p(E_1) + sum_B p(k) and no token of B is
written; inside E its next token is certain; behind E only B is left, in the model's proportions. So units end where the
model ends them: a model that paid no heed to E would write, E taken out, what it writes without the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from surefoot.decoding.branch import RULED_OUT, Rule
from surefoot.decoding.rows import Row


@dataclass(frozen=True)
class Units:
    """Where E stands.

    text: the ids of E. begins: the mask of B, shape (vocabulary,). count: how many units some ids are if another one
    begins behind them. every: how many stand before each E.
    """

    text: Sequence[int]
    begins: torch.Tensor
    count: Callable[[Sequence[int]], int]
    every: int

    def due(self, ids: Sequence[int]) -> bool:
        """Whether E stands before the next unit, behind these ids since the last E."""
        return self.count(ids) >= self.every

    def with_text(self, ids: Sequence[int]) -> tuple[list[int], int]:
        """Ids without E as they stand with it, and how many of them stand behind the last E."""
        made: list[int] = []
        since: list[int] = []
        for token in ids:
            if self.begins[token] and self.due(since):
                made, since = [*made, *since, *self.text], []
            since.append(token)
        return [*made, *since], len(since)


class Interleaving:
    """`rule(rows, logits) -> new logits`: E is written."""

    def __init__(self, units: Units) -> None:
        self.units = units

    def __call__(self, rows: Sequence[Row], logits: torch.Tensor) -> torch.Tensor:
        changed = logits.log_softmax(-1)
        for place, row in enumerate(rows):
            self._change(row.written, changed[place])
        return changed

    def _change(self, written: Sequence[int], logprobs: torch.Tensor) -> None:
        text, begins = self.units.text, self.units.begins.to(logprobs.device)
        inside, since = begun(written, text), last(written, text)
        if since == len(written):
            logprobs[~begins] -= RULED_OUT
        elif inside:
            logprobs -= RULED_OUT
            logprobs[text[inside]] = 0.0  # also where the model below rules it out
        elif self.units.due(written[since or 0 :]):
            logprobs[text[0]] = torch.logaddexp(logprobs[text[0]], logprobs[begins].logsumexp(0))
            logprobs[begins] -= RULED_OUT


class Unseen:
    """`rule(rows, logits) -> new logits`: E is not written, and `rule` judges as if it were.

    Where E is due, B has the mass that the rule gives it behind what stands there, shared out as the rule does behind
    E. That is the law of a text of `Interleaving` with E taken out, if the model pays no heed to E.
    """

    def __init__(self, units: Units, rule: Rule) -> None:
        self.units = units
        self.rule = rule

    def __call__(self, rows: Sequence[Row], logits: torch.Tensor) -> torch.Tensor:
        shown = [self.units.with_text(row.written) for row in rows]
        here = [Row(row.index, row.prompt, ids) for row, (ids, _) in zip(rows, shown, strict=True)]
        changed = self.rule(here, logits).log_softmax(-1)
        due = [n for n, (ids, since) in enumerate(shown) if self.units.due(ids[len(ids) - since :])]
        if due:
            behind = [Row(here[n].index, here[n].prompt, [*here[n].written, *self.units.text]) for n in due]
            begins = self.units.begins.to(logits.device)
            own = self.rule(behind, logits[due])[:, begins].log_softmax(-1)
            rest = changed[due]
            rest[:, begins] = own + rest[:, begins].logsumexp(-1, keepdim=True)
            changed[due] = rest
        return changed


def begun(written: Sequence[int], text: Sequence[int]) -> int:
    """How many tokens of a text stand at the end, fewer than all; 0 where none does."""
    most = min(len(text) - 1, len(written))
    return next((k for k in range(most, 0, -1) if list(written[-k:]) == list(text[:k])), 0)


def last(written: Sequence[int], text: Sequence[int]) -> int | None:
    """The place behind the last whole occurrence of a text; None where there is none."""
    size = len(text)
    return next(
        (end for end in range(len(written), size - 1, -1) if list(written[end - size : end]) == list(text)), None
    )
