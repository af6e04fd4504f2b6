"""A treated model: another model inside, the same interface outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from surefoot.models.base import Choice, Generation, LanguageModel, ModelCard, Sampling, Score, Scorer, TokenCount
from surefoot.text.prompt import Prompt

if TYPE_CHECKING:
    import numpy as np


class Wrapped(LanguageModel):
    """Hands everything on to `base`, with prompts changed by `change`. Subclasses override what they treat.

    `treatment` is the name and `settings` the frozen dataclass of the treatment; both become part of the model's card,
    so that a run with it is never mixed with one without.
    """

    def __init__(self, base: LanguageModel, treatment: str, settings: Any) -> None:
        self.base = base
        self.treatment = treatment
        self.settings = settings
        self.can = base.can

    @property
    def tokens(self) -> TokenCount:  # type: ignore[override]
        return self.base.tokens

    @property
    def card(self) -> ModelCard:
        below = self.base.card
        mark = {f"treatment {len(below.determinants)}": [self.treatment, asdict(self.settings)]}
        return replace(below, name=f"{below.name} + {self.treatment}", determinants={**below.determinants, **mark})

    def change(self, prompt: Prompt) -> Prompt:
        """The prompt that the model below reads."""
        return prompt

    def score(self, requests: Sequence[tuple[Prompt | str, str]]) -> list[Score]:
        return self.base.score([(self._changed(prompt), text) for prompt, text in requests])

    def choose(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], scorer: Scorer = "sum"
    ) -> list[Choice]:
        return self.base.choose([self._changed(prompt) for prompt in prompts], options, scorer)

    def generate(self, prompts: Sequence[Prompt | str], sampling: Sampling | None = None) -> list[Generation]:
        return self.base.generate([self._changed(prompt) for prompt in prompts], sampling)

    def hidden_states(self, prompts: Sequence[Prompt | str], layer: int = -2, position: int = -1) -> np.ndarray:
        return self.base.hidden_states([self._changed(prompt) for prompt in prompts], layer, position)

    def render(self, prompt: Prompt | str) -> str:
        return self.base.render(self._changed(prompt))

    def show_tokens(self, prompt: Prompt | str) -> list[tuple[int, str]]:
        return self.base.show_tokens(self._changed(prompt))

    def _changed(self, prompt: Prompt | str) -> Prompt:
        return self.change(Prompt.of(prompt))
