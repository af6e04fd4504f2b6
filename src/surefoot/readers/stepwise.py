"""The last-step model: steps are answered from their passages one by one, the last one with yes or no.

The implicit-reasoning probe's condition `steps` executes a decomposition with the model that it measures: it has each
step written, fills the answers into later steps, and has the last one chosen. Here the writing is a reader of spans and
the choosing a yes/no reader. Source: Geva et al. 2021 (TACL, StrategyQA), section 5, last-step prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from surefoot.decoding.sampling import Sampling
from surefoot.errors import NotAvailable
from surefoot.models.base import Choice, Generation, LanguageModel, ModelCard, Score, Scorer
from surefoot.models.writing import one_each
from surefoot.readers.pairs import pair_of
from surefoot.readers.spans import SpanReader
from surefoot.readers.yes_no import YesNoReader
from surefoot.text.prompt import Prompt


class StepwiseReader(LanguageModel):
    """Chooses as `last` does, and writes the best span of the prompt's passages, one a line, as `steps` finds it."""

    can = frozenset({"logprobs", "generate"})

    def __init__(self, last: YesNoReader, steps: SpanReader, name: str | None = None) -> None:
        self.last = last
        self.steps = steps
        self.tokens = last.tokens
        self._name = name or f"{last.name}, stepwise"

    @cached_property
    def card(self) -> ModelCard:
        """The card of the yes/no reader, and what identifies the reader of spans."""
        from dataclasses import replace

        own = self.last.card
        spans = {"spans": self.steps.module.digest(), "longest": self.steps.longest}
        return replace(own, name=self._name, determinants={**own.determinants, **spans})

    def choose(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], scorer: Scorer = "sum"
    ) -> list[Choice]:
        """As the yes/no reader."""
        return self.last.choose(prompts, options, scorer)

    def score(self, requests: Sequence[tuple[Prompt | str, str]]) -> list[Score]:
        """As the yes/no reader."""
        return self.last.score(requests)

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        """The span that answers each prompt, an empty text where it shows no passage. Tokens have no log-probabilities,
        since a span has only one as a whole. Raises `NotAvailable` for a draw at random and for a text gone on with."""
        each = one_each(sampling, len(prompts))
        if begun is not None or any(one.temperature for one in each):
            raise NotAvailable(
                f'"{self.name}" finds the best span and neither draws at random nor goes on with a text.'
            )
        return [self._found(prompt, own) for prompt, own in zip(prompts, each, strict=True)]

    def _found(self, prompt: Prompt | str, sampling: Sampling) -> Generation:
        context, question = pair_of(prompt)
        passages = [line for line in context.splitlines() if line.strip()]
        longest = min(self.steps.longest, sampling.max_new_tokens)
        return Generation(self.steps.best_over(question, passages, longest).text, (), (), "stop")
