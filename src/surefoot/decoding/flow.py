"""Texts that are written together, token by token; others join while they are on their way (continuous batching).

A step of a model costs little more for many texts than for one, so those that end early are not waited for: the next
ones take their places. What a text reads and how it is picked does not depend on its company.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

import torch

from surefoot.decoding.batch import Batch, has_ended
from surefoot.decoding.branch import Branch
from surefoot.decoding.rows import Draft, Vocabulary
from surefoot.decoding.sampling import Sampling

JOINING = 16  # texts that are read while as many are written: full passes, and few copies of all keys and values
PREPARED = 64  # texts that are read at a time


@dataclass(eq=False)
class Text:
    """A text to be written on until its sampling ends it, or `ended` of its tokens does.

    `length` is that of its prompt, in tokens.
    """

    draft: Draft
    sampling: Sampling
    length: int = 0
    ended: Callable[[Sequence[int]], bool] = lambda _: False

    @property
    def width(self) -> int:
        """The most tokens that it may come to with its prompt."""
        return self.length + self.sampling.max_new_tokens


Own = TypeVar("Own", bound=Text)


class Prepared(NamedTuple):
    """Texts that can be read: those at some places of what was prepared by `open`, in batches of `cells` tokens.

    `aligned` asks for texts that have equally many tokens written.
    """

    open: Callable[[Sequence[int]], Branch]
    cells: int
    aligned: bool


class Flow(Generic[Own]):
    """Texts on their way; `prepare` makes those that wait ready to be read."""

    def __init__(self, vocabulary: Vocabulary, prepare: Callable[[Sequence[Own]], Prepared]) -> None:
        self.vocabulary = vocabulary
        self.prepare = prepare
        self.waiting: list[Own] = []
        self.going: list[Own] = []
        self.ended: list[Own] = []
        self._batch: Batch | None = None
        self._enough: int | None = None  # texts on their way above which no more are read, where not all had room
        self._most = 0  # texts for which there was memory, where it once ran out

    def put(self, text: Own) -> None:
        """One more text, which begins in one of the next calls of `take`."""
        over = has_ended(text.draft, text.sampling, self.vocabulary)
        (self.ended if over else self.waiting).append(text)

    @torch.inference_mode()
    def take(self) -> list[Own]:
        """Write on until some text comes to its end, and give all that did. Empty where nothing is left."""
        while not self.ended and (self.waiting or self.going):
            if self._due:
                self._admit()
            else:
                self._step()
        done, self.ended = self.ended, []
        return done

    @property
    def _due(self) -> bool:
        """Whether those that wait are to be read now: all at once at first, then some at a time."""
        going = len(self.going)
        if self._batch is None:
            return True
        room = self._batch.branch.joins and (self._enough is None or going <= self._enough)
        return room and len(self.waiting) >= min(JOINING, going)

    def _admit(self) -> None:
        """Read the prompts of those that wait, as many as there is room for."""
        first = self.waiting[: max(1, self._most - len(self.going)) if self._most else PREPARED]
        made = self.prepare(first)
        places = [k for k, text in enumerate(first) if not made.aligned or text.draft.length == first[0].draft.length]
        fitting = places[: self._room([first[k] for k in places], made.cells)]
        own = [first[k] for k in fitting]
        rows = len(self.going) + len(own)
        full = len(fitting) < len(places) or rows == self._most
        self._enough = rows - min(JOINING, max(1, rows // 2)) if full else None
        if not own:
            return
        try:
            self._enter(Batch(made.open(fitting), [t.draft for t in own], [t.sampling for t in own], self.vocabulary))
        except (torch.OutOfMemoryError, MemoryError):
            if rows == 1:
                raise
            self._halve(rows)
            return
        self.going += own
        taken = set(own)
        self.waiting = [text for text in self.waiting if text not in taken]

    def _room(self, texts: Sequence[Own], cells: int) -> int:
        """How many of the texts fit into a padded batch of so many tokens; one that is alone always does."""
        widest = max((text.width for text in self.going), default=0)
        for count, text in enumerate(texts):
            widest = max(widest, text.width)
            rows = len(self.going) + count + 1
            if rows > 1 and rows * widest > cells:
                return count
        return len(texts)

    def _enter(self, batch: Batch) -> None:
        if self._batch is None:
            self._batch = batch
        else:
            self._batch.join(batch)

    def _step(self) -> None:
        """One more token of each text that is on its way."""
        assert self._batch is not None
        self._batch.pick()
        for text in self.going:
            if text.draft.finish_reason == "interrupted" and text.ended(text.draft.written):
                text.draft.finish_reason = "length"
        self.ended = [text for text in self.going if text.draft.finish_reason != "interrupted"]
        self.going = [text for text in self.going if text.draft.finish_reason == "interrupted"]
        if not self.going:
            self._batch = None  # its caches are as large as the longest texts were
            return
        try:
            self._batch.advance()
        except (torch.OutOfMemoryError, MemoryError):
            if len(self.going) == 1:
                raise
            self._halve(len(self.going))

    def _halve(self, rows: int) -> None:
        """After memory ran out on so many texts: begin anew behind what was written, with half of them at a time."""
        self._most = rows // 2
        self.waiting = [*self.going, *self.waiting]
        self.going, self._batch = [], None
