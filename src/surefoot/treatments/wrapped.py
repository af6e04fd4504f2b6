"""A treated model: another model inside, the same interface outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, ClassVar

from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Choice, Generation, LanguageModel, ModelCard, Score, Scorer, TokenCount
from surefoot.text.prompt import Prompt

if TYPE_CHECKING:
    import numpy as np

    from surefoot.decoding.branch import Continuation
    from surefoot.decoding.forced import Forced
    from surefoot.decoding.rows import Vocabulary


def layers(model: LanguageModel) -> Iterator[Wrapped]:
    """The treatments of a model, the outermost first."""
    while isinstance(model, Wrapped):
        yield model
        model = model.base


def innermost(model: LanguageModel) -> LanguageModel:
    """The model that is asked in the end, below all treatments."""
    while isinstance(model, Wrapped):
        model = model.inner
    return model


class Wrapped(LanguageModel):
    """Hands everything on to `inner`, with prompts changed by `change`. Subclasses override what they treat.

    `base` is the model before the treatment, which `undo` gives back; `inner` the one that is asked (the same where a
    treatment only changes prompts). `treatment` is the name and `settings` the frozen dataclass of the treatment; both
    become part of the model's card, so that a run with it is never mixed with one without.
    """

    decides_on_texts: ClassVar[bool] = False
    """Whether the treatment picks between whole texts, so that one that changes single steps must lie below it."""

    reads_again: ClassVar[bool] = False
    """Whether a text takes several readings, how many being known only when it is written."""

    def __init__(self, base: LanguageModel, treatment: str, settings: Any, inner: LanguageModel | None = None) -> None:
        self.base = base
        self.inner = base if inner is None else inner
        self.treatment = treatment
        self.settings = settings
        self.can = base.can

    @property
    def tokens(self) -> TokenCount:  # type: ignore[override]
        return self.inner.tokens

    @property
    def card(self) -> ModelCard:
        below = self.base.card
        mark = {f"treatment {len(below.determinants)}": [self.treatment, self.told()]}
        return replace(below, name=f"{below.name} + {self.treatment}", determinants={**below.determinants, **mark})

    def told(self) -> Mapping[str, Any]:
        """What the card says of the treatment, as JSON values: all that can change a row."""
        return asdict(self.settings)

    def change(self, prompt: Prompt) -> Prompt:
        """The prompt that the model below reads."""
        return prompt

    def first_read(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """What the model below reads first for each prompt, found without asking it."""
        return [self.change(prompt) for prompt in prompts]

    def score(self, requests: Sequence[tuple[Prompt | str, str]]) -> list[Score]:
        return self.inner.score([(self._changed(prompt), text) for prompt, text in requests])

    def choose(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], scorer: Scorer = "sum"
    ) -> list[Choice]:
        return self.inner.choose([self._changed(prompt) for prompt in prompts], options, scorer)

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        return self.inner.generate([self._changed(prompt) for prompt in prompts], sampling, begun)

    def continuing(self, prompts: Sequence[Prompt | str], room: Sequence[int]) -> Continuation:
        return self.inner.continuing([self._changed(prompt) for prompt in prompts], room)

    def forced(self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[Sequence[int]]]) -> list[Forced]:
        return self.inner.forced([self._changed(prompt) for prompt in prompts], answers)

    def answer_ids(self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        return self.inner.answer_ids([self._changed(prompt) for prompt in prompts], answers)

    @property
    def vocabulary(self) -> Vocabulary:
        return self.inner.vocabulary

    def hidden_states(self, prompts: Sequence[Prompt | str], layer: int = -2, position: int = -1) -> np.ndarray:
        return self.inner.hidden_states([self._changed(prompt) for prompt in prompts], layer, position)

    def keep_answers(self, folder: str) -> None:
        self.inner.keep_answers(folder)

    def render(self, prompt: Prompt | str) -> str:
        return self.inner.render(self.first_read([Prompt.of(prompt)])[0])

    def show_tokens(self, prompt: Prompt | str) -> list[tuple[int, str]]:
        return self.inner.show_tokens(self.first_read([Prompt.of(prompt)])[0])

    def _changed(self, prompt: Prompt | str) -> Prompt:
        return self.change(Prompt.of(prompt))
