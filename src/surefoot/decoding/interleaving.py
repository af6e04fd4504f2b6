"""The rule that writes a fixed text behind every so many words or tokens.

Let E be the fixed text's tokens and B the tokens that begin a unit: those that begin with white space where units are
words, all where they are tokens. When enough units stand there, p'(E_1) = p(E_1) + sum_B p(k) and no token of B is
written; inside E its next token is certain; behind E only B is left, in the model's proportions. So units end where the
model ends them: a model that paid no heed to E would write, E taken out, what it writes without the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from surefoot.decoding.branch import RULED_OUT
from surefoot.decoding.rows import Row


class Interleaving:
    """`rule(rows, logits) -> new logits`.

    text: the ids of E. begins: the mask of B, shape (vocabulary,). units: how many units some ids are if another one
    begins behind them. every: how many stand before each E.
    """

    def __init__(
        self, text: Sequence[int], begins: torch.Tensor, units: Callable[[Sequence[int]], int], every: int
    ) -> None:
        self.text = list(text)
        self.begins = begins
        self.units = units
        self.every = every

    def __call__(self, rows: Sequence[Row], logits: torch.Tensor) -> torch.Tensor:
        changed = logits.log_softmax(-1)
        for place, row in enumerate(rows):
            self._change(row.written, changed[place])
        return changed

    def _change(self, written: Sequence[int], logprobs: torch.Tensor) -> None:
        inside, since = begun(written, self.text), last(written, self.text)
        begins, first = self.begins.to(logprobs.device), self.text[0]
        if since == len(written):
            logprobs[~begins] -= RULED_OUT
        elif inside:
            logprobs -= RULED_OUT
            logprobs[self.text[inside]] = 0.0  # also where the model below rules it out
        elif self.units(written[since or 0 :]) >= self.every:
            logprobs[first] = torch.logaddexp(logprobs[first], logprobs[begins].logsumexp(0))
            logprobs[begins] -= RULED_OUT


def begun(written: Sequence[int], text: Sequence[int]) -> int:
    """How many tokens of a text stand at the end, fewer than all; 0 where none does."""
    most = min(len(text) - 1, len(written))
    return next((k for k in range(most, 0, -1) if list(written[-k:]) == list(text[:k])), 0)


def last(written: Sequence[int], text: Sequence[int]) -> int | None:
    """The place behind the last whole occurrence of a text; None where there is none."""
    size = len(text)
    return next((end for end in range(len(written), size - 1, -1) if list(written[end - size : end]) == text), None)
