"""Texts that are written together, token by token; others join while they are on their way (continuous batching).

A step of a model costs little more for many texts than for one, so those that end early are not waited for: the next
ones take their places. What a text reads and how it is picked does not depend on its company.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch

from surefoot.decoding.loop import Batch, has_ended
from surefoot.decoding.rows import Draft
from surefoot.decoding.sampling import Sampling
from surefoot.errors import NotAvailable
from surefoot.models.base import Generation
from surefoot.models.writing import Writer, begun_draft, told
from surefoot.text.prompt import Prompt

JOINING = 8  # texts that are read while as many are written: each time the keys and values of all are copied

Key = TypeVar("Key")


@dataclass(eq=False)
class Text(Generic[Key]):
    """A text to be written on behind what was begun of it, until its sampling ends it, or `ended` of its tokens does.

    `draft` is what there is of it, `length` how many tokens its prompt has.
    """

    key: Key
    prompt: Prompt
    sampling: Sampling
    begun: Generation
    ended: Callable[[Sequence[int]], bool]
    draft: Draft = field(init=False)
    length: int = field(init=False)
    truncated: bool = field(init=False)

    def __post_init__(self) -> None:
        self.draft = begun_draft(Draft(0, ()), self.begun)
        self.length, self.truncated = self.begun.prompt_tokens, self.begun.truncated

    @property
    def width(self) -> int:
        """The most tokens that it may come to with its prompt."""
        return self.length + self.sampling.max_new_tokens


class Stream(Generic[Key]):
    """Texts of one model. As many are written at a time as a batch of the model holds."""

    def __init__(self, model: Writer) -> None:
        self.model = model
        self.waiting: list[Text[Key]] = []
        self.going: list[Text[Key]] = []
        self.ended: list[Text[Key]] = []
        self._batch: Batch
        self._joins = True
        self._enough = 0  # texts on their way above which no more are read, where not all had room
        self._most = 0  # texts for which there was memory, where it once ran out

    def put(self, text: Text[Key]) -> None:
        """One more text, which begins in one of the next calls of `take`."""
        over = has_ended(text.draft, text.sampling, self.model.vocabulary)
        (self.ended if over else self.waiting).append(text)

    @torch.inference_mode()
    def take(self) -> list[tuple[Key, Generation]]:
        """Write on until some text comes to its end, and give all that did. Empty where nothing is left."""
        while not self.ended and (self.waiting or self.going):
            if self._due:
                self._admit()
            else:
                self._step()
        done, self.ended = self.ended, []
        return [(text.key, self._told(text)) for text in done]

    @property
    def _due(self) -> bool:
        """Whether those that wait are to be read now: all at once at first, then some at a time."""
        going = len(self.going)
        room = self._joins and (not self._enough or going <= self._enough)
        return not going or (room and len(self.waiting) >= min(JOINING, going))

    def _admit(self) -> None:
        """Read the prompts of those that wait, as many as there is room for."""
        own = self.waiting[: max(1, self._most - len(self.going)) if self._most else None]
        made = self.model.continuing([text.prompt for text in own], [text.sampling.max_new_tokens for text in own])
        for text, ids, length, truncated in zip(own, made.prompts, made.lengths, made.truncated, strict=True):
            text.draft.prompt, text.length, text.truncated = ids, length, truncated
        places = [k for k, text in enumerate(own) if not made.aligned or text.draft.length == own[0].draft.length]
        places = places[: self._room([own[k] for k in places], made.batch_tokens)]
        own = [own[k] for k in places]
        rows = len(self.going) + len(own)
        self._enough = max(1, rows - JOINING) if len(own) < len(self.waiting) else 0
        if not own:
            return
        try:
            branch = made.open(places, [text.draft.written for text in own])
            self._enter(Batch(branch, [t.draft for t in own], [t.sampling for t in own], self.model.vocabulary))
        except NotAvailable:  # they wait until the others have ended
            if not self.going:
                raise
            self._joins = False
            return
        except (torch.OutOfMemoryError, MemoryError):
            if rows == 1:
                raise
            self._halve(rows)
            return
        self.model.tokens.asked += sum(text.length for text in own)
        self.going += own
        self.waiting = [text for text in self.waiting if text not in own]

    def _room(self, texts: Sequence[Text[Key]], cells: int) -> int:
        """How many of the texts fit into a padded batch of so many tokens; one that is alone always does."""
        widest = max((text.width for text in self.going), default=0)
        for count, text in enumerate(texts):
            widest = max(widest, text.width)
            rows = len(self.going) + count + 1
            if rows > 1 and rows * widest > cells:
                return count
        return len(texts)

    def _enter(self, batch: Batch) -> None:
        if self.going:
            self._batch.join(batch)
        else:
            self._batch = batch

    def _step(self) -> None:
        """One more token of each text that is on its way."""
        self._batch.pick()
        self.model.tokens.asked += len(self.going)
        for text in self.going:
            if text.draft.finish_reason == "interrupted" and text.ended(text.draft.written):
                text.draft.finish_reason = "length"
        self.ended = [text for text in self.going if text.draft.finish_reason != "interrupted"]
        self.going = [text for text in self.going if text.draft.finish_reason == "interrupted"]
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
        self.going = []

    def _told(self, text: Text[Key]) -> Generation:
        return told(text.draft, text.sampling, text.length, text.truncated, self.model.vocabulary)
