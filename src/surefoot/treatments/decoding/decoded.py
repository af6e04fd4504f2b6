"""A model whose next-token distribution is changed: it writes, scores and chooses by the changed one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from surefoot.decoding.sampling import Sampling
from surefoot.errors import NotAvailable
from surefoot.models.base import Choice, Generation, LanguageModel, Score, Scorer, check_scorer, ranked
from surefoot.models.writing import generate
from surefoot.text.prompt import Prompt
from surefoot.treatments.wrapped import Wrapped, layers

if TYPE_CHECKING:
    from surefoot.decoding.branch import Branch, Continuation, Rule
    from surefoot.decoding.forced import Forced

FORCED_BYTES = 2**28  # of logits held at a time when answers are scored


class Decoded(Wrapped):
    """A treatment of decoding. Subclasses say what becomes of the distributions, in `continuing` and in `forced`.

    Needs `logits` of the model below. Hidden states are those of the model below.
    """

    def __init__(self, base: LanguageModel, treatment: str, settings: Any) -> None:
        base.require("logits", by=f"The treatment {treatment}")
        refuse_on_search(base, treatment)
        super().__init__(base, treatment, settings)

    @abstractmethod
    def continuing(self, prompts: Sequence[Prompt | str], room: Sequence[int]) -> Continuation: ...

    @abstractmethod
    def forced(self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[Sequence[int]]]) -> list[Forced]: ...

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        return generate(self, prompts, sampling, begun)

    def score(self, requests: Sequence[tuple[Prompt | str, str]]) -> list[Score]:
        prompts = [prompt for prompt, _ in requests]
        answers = self.answer_ids(prompts, [[text] for _, text in requests])
        return [
            Score(tuple(own[0]), tuple(logprobs[0]))
            for own, (_, logprobs) in zip(answers, self._chains(prompts, answers), strict=True)
        ]

    def choose(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], scorer: Scorer = "sum"
    ) -> list[Choice]:
        check_scorer(scorer)
        if scorer == "paper":
            from surefoot.models.paper_scorer import PAPER_NEW_TOKENS, step_product

            continuation = self.continuing(prompts, [PAPER_NEW_TOKENS] * len(prompts))
            return step_product(continuation, options, self.vocabulary, self.tokens)
        answers = self.answer_ids(prompts, options)
        if scorer == "end":
            end = min(self.vocabulary.ends)
            answers = [[[*answer, end] for answer in choices] for choices in answers]
        chains = self._chains(prompts, answers)
        return [ranked(logprobs, scorer, len(forced.prompt), forced.truncated) for forced, logprobs in chains]

    def _chains(
        self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[Sequence[int]]]
    ) -> Iterator[tuple[Forced, list[list[float]]]]:
        """log p of each token of each prompt's answers, some prompts at a time."""
        from surefoot.decoding.forced import chain

        for start, stop in self._portions(answers):
            own = answers[start:stop]
            for choices, forced in zip(own, self.forced(prompts[start:stop], own), strict=True):
                yield forced, [chain(logits, answer) for logits, answer in zip(forced.logits, choices, strict=True)]

    def _portions(self, answers: Sequence[Sequence[Sequence[int]]]) -> Iterator[tuple[int, int]]:
        """Stretches of prompts whose logits fit into `FORCED_BYTES`; at least one prompt each."""
        room, start, held = FORCED_BYTES // (4 * self.vocabulary.size), 0, 0
        for place, choices in enumerate(answers):
            tokens = sum(map(len, choices))
            if held and held + tokens > room:
                yield start, place
                start, held = place, 0
            held += tokens
        if answers:
            yield start, len(answers)


class Ruled(Decoded):
    """A treatment that is a rule: it changes each step's distribution, knowing what stands before."""

    @abstractmethod
    def rule(self) -> Rule:
        """The rule, anew for each request."""

    def continuing(self, prompts: Sequence[Prompt | str], room: Sequence[int]) -> Continuation:
        from surefoot.decoding.branch import Ruled as RuledBranch
        from surefoot.decoding.rows import Row

        inner, rule = self.inner.continuing([self._changed(prompt) for prompt in prompts], room), self.rule()

        def opened(rows: Sequence[int], begun: Sequence[Sequence[int]]) -> Branch:
            told = [Row(row, inner.prompts[row], list(text)) for row, text in zip(rows, begun, strict=True)]
            return RuledBranch(inner.open(rows, begun), rule, told)

        return replace(inner, open=opened)

    def forced(self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[Sequence[int]]]) -> list[Forced]:
        from surefoot.decoding.forced import ruled

        inner, rule = self.inner.forced([self._changed(prompt) for prompt in prompts], answers), self.rule()
        return [
            ruled(index, forced, choices, rule)
            for index, (forced, choices) in enumerate(zip(inner, answers, strict=True))
        ]


def refuse_on_search(model: LanguageModel, treatment: str) -> None:
    """A search decides between whole texts: what changes single steps must lie below it."""
    for below in layers(model):
        if below.decides_on_texts:
            raise NotAvailable(
                f"{treatment} changes single steps and {below.treatment} decides between whole texts; "
                f"apply {below.treatment} last."
            )
