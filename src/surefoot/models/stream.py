"""Texts of a model that are put in one by one and written together, each behind a prompt of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from surefoot.decoding.flow import Flow, Prepared, Text
from surefoot.decoding.rows import Draft
from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Generation
from surefoot.models.writing import Writer, begun_draft, told
from surefoot.text.prompt import Prompt

Key = TypeVar("Key")


@dataclass(eq=False)
class Asked(Text):
    """A text, known by a key of the caller's."""

    key: Any = None
    prompt: Prompt | str = ""
    truncated: bool = False
    before: int = 0  # tokens of which the probabilities were known when it was put in


class Stream(Generic[Key]):
    """Texts of one model. As many are written at a time as a batch of the model holds."""

    def __init__(self, model: Writer) -> None:
        self.model = model
        self._flow: Flow[Asked] = Flow(model.vocabulary, self._prepare)

    def put(
        self,
        key: Key,
        prompt: Prompt | str,
        sampling: Sampling,
        begun: Generation,
        ended: Callable[[Sequence[int]], bool],
    ) -> None:
        """One more text, to be written on behind what was begun of it until its sampling ends it, or `ended` does."""
        draft = begun_draft(Draft(0, ()), begun)
        told_of = (key, prompt, begun.truncated, len(draft.logprobs))
        self._flow.put(Asked(draft, sampling, begun.prompt_tokens, ended, *told_of))

    def take(self) -> list[tuple[Key, Generation]]:
        """Write on until some text comes to its end, and give all that did. Empty where nothing is left."""
        done = self._flow.take()
        self.model.tokens.asked += sum(text.length + len(text.draft.logprobs) - text.before for text in done)
        words = self.model.vocabulary
        return [(t.key, told(t.draft, t.sampling, t.length, t.truncated, words)) for t in done]

    def _prepare(self, texts: Sequence[Asked]) -> Prepared:
        made = self.model.continuing([text.prompt for text in texts], [text.sampling.max_new_tokens for text in texts])
        for text, ids, length, truncated in zip(texts, made.prompts, made.lengths, made.truncated, strict=True):
            text.draft.prompt, text.length, text.truncated = ids, length, truncated
        return Prepared(
            lambda places: made.open(places, [texts[k].draft.written for k in places]), made.batch_tokens, made.aligned
        )
