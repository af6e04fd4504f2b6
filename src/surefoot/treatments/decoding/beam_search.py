"""Beam search: the most probable text as a whole, in place of the most probable token at each step.

    score(y) = log p(y | x) / |y|^length_penalty

with the end token counted in |y|. Each of `groups` groups (diverse beam search) has beams / groups beams of its own,
and its choice of a token at a step pays `diversity` for each beam of the groups before it that took the same token at
that step. Needs `logits`; greedy settings only; penalties of the sampling take part in the score.
Source: the search and its rules of ending as in the transformers library; groups by Vijayakumar et al. 2018,
arXiv:1610.02424.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.models.writing import drafted
from surefoot.text.prompt import Prompt
from surefoot.treatments.decoding.searching import Searching

if TYPE_CHECKING:
    from surefoot.decoding.beams import Hypothesis, Plan
    from surefoot.decoding.branch import Branch, Continuation
    from surefoot.decoding.rows import Draft, Vocabulary

STOPPING = {"true": True, "false": False, "never": "never"}


@dataclass(frozen=True)
class BeamSearch:
    """`beams` texts are followed at once; 1 is greedy. `length_penalty` above 0 favours longer texts.

    `early_stopping`: true ends as soon as there are `beams` finished texts; false when the best unfinished one, at its
    present length, is below the worst finished one; never when it could not get above it at any length. `groups`
    divides the beams; `diversity` is what a token costs that earlier groups took (0: groups do not look at each other).
    """

    beams: int = 4
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    groups: int = 1
    diversity: float = 0.0

    def __post_init__(self) -> None:
        if self.beams < 1:
            raise BadInput(f"beams is {self.beams}; use at least 1, which is greedy.")
        if not math.isfinite(self.length_penalty):
            raise BadInput(f"length_penalty is {self.length_penalty}; use a number, 0 to rank by the probability.")
        told = str(self.early_stopping).lower()
        if told not in STOPPING:
            raise BadInput(f'early_stopping is "{self.early_stopping}"; use true, false or never.')
        object.__setattr__(self, "early_stopping", STOPPING[told])
        if self.groups < 1 or self.beams % self.groups:
            raise BadInput(f"{self.beams} beams cannot be divided into {self.groups} groups of equal size.")
        if not 0 <= self.diversity < math.inf:
            raise BadInput(f"diversity is {self.diversity}; use 0 for none or a positive number.")
        if self.diversity and self.groups == 1:
            raise BadInput(f"A diversity of {self.diversity} needs groups that differ; give groups=2 or more.")

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The model that writes the best text found."""
        return BeamSearchModel(model, "beam-search", self)


class BeamSearchModel(Searching):
    """Writes by beam search over whatever distributions the model below offers."""

    settings: BeamSearch
    draws = False

    @property
    def plan(self) -> Plan:
        from surefoot.decoding.beams import Plan

        s = self.settings
        return Plan(s.beams, s.length_penalty, s.early_stopping, s.groups, s.diversity)  # type: ignore[arg-type]

    def continuing(self, prompts: Sequence[Prompt | str], room: Sequence[int]) -> Continuation:
        below = super().continuing(prompts, room)
        return replace(below, batch_tokens=max(1, below.batch_tokens // self.settings.beams))

    def write(
        self, branch: Branch, drafts: Sequence[Draft], samplings: Sequence[Sampling], vocabulary: Vocabulary
    ) -> None:
        from surefoot.decoding.beams import search

        search(branch, drafts, samplings, vocabulary, self.plan)

    def hypotheses(
        self, prompts: Sequence[Prompt | str], sampling: Sampling | Sequence[Sampling] | None = None
    ) -> list[list[Hypothesis]]:
        """All finished texts of each prompt with their scores, best first: at most `beams`."""
        from surefoot.decoding.beams import search
        from surefoot.decoding.loop import decode

        samplings = self.checked(sampling, len(prompts))
        continuation = self.continuing(prompts, [own.max_new_tokens for own in samplings])
        found: dict[int, list[Hypothesis]] = {}

        def write(branch: Branch, drafts: Sequence[Draft], own: Sequence[Sampling], vocabulary: Vocabulary) -> None:
            search(branch, drafts, own, vocabulary, self.plan, lambda d, hs: found.update({d.index: hs}))

        decode(continuation, drafted(continuation, None), samplings, self.vocabulary, how=write)
        return [found[index] for index in range(len(prompts))]
