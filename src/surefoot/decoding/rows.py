"""A row of a batch: one prompt and what was written behind it so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

FinishReason = Literal["stop", "length", "interrupted"]


@dataclass
class Row:
    """Real token ids only: what a trained prompt puts in front is not among them.

    `index` is the prompt's place in the request, `written` grows by one token a step.
    """

    index: int
    prompt: Sequence[int]
    written: list[int] = field(default_factory=list)

    @property
    def ids(self) -> list[int]:
        """The prompt and what was written."""
        return [*self.prompt, *self.written]

    def copy(self) -> Row:
        return Row(self.index, self.prompt, list(self.written))


@dataclass
class Draft(Row):
    """A row in the course of being written, with natural-log probabilities of each of its tokens.

    `logprobs` under the distribution that the model offers, as `score` gives it; `sampled` under the one that was drawn
    from, penalties, temperature and truncation included (of a greedy choice: penalties); `plain` under the model
    below all treatments of decoding. The end token is not among the tokens; where it was drawn its log-probabilities
    are the last ones.
    """

    logprobs: list[float] = field(default_factory=list)
    sampled: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    finish_reason: FinishReason = "interrupted"

    def add(self, token: int, logprobs: tuple[float, float, float]) -> None:
        self.written.append(token)
        self.weigh(logprobs)

    @property
    def length(self) -> int:
        return len(self.written)

    def cut(self, length: int) -> None:
        """Back to the first tokens."""
        for values in (self.written, self.logprobs, self.sampled, self.plain):
            del values[length:]
        self.finish_reason = "interrupted"

    def weigh(self, logprobs: tuple[float, float, float]) -> None:
        for values, value in zip((self.logprobs, self.sampled, self.plain), logprobs, strict=True):
            values.append(value)


@dataclass(frozen=True)
class Vocabulary:
    """What decoding must know of a model's tokens: how many logits there are, which ids end an answer, their text.

    `size` is the width of the logits, which may be above the tokenizer's (padded model heads). `labels` gives the ids
    of answers on their own.
    """

    size: int
    ends: frozenset[int]
    decode: Callable[[Sequence[int]], str]
    labels: Callable[[Sequence[str]], list[list[int]]]
    tokenizer: Any
