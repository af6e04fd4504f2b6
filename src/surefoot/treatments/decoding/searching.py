"""A model that looks for its text in a way of its own, and scores and chooses as the model below it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import Generation, LanguageModel
from surefoot.models.writing import generate, one_each
from surefoot.text.prompt import Prompt
from surefoot.treatments.decoding.decoded import refuse_on_search
from surefoot.treatments.wrapped import Wrapped

if TYPE_CHECKING:
    from surefoot.decoding.branch import Branch
    from surefoot.decoding.rows import Draft, Vocabulary


class Searching(Wrapped):
    """Subclasses say how a batch is written. Treatments that change single steps must lie below.

    Needs `logits`. Distributions, scores and choices are those of the model below.
    """

    decides_on_texts = True
    draws = True
    """Whether the search may draw at random; one that cannot refuses a temperature."""

    def __init__(self, base: LanguageModel, treatment: str, settings: Any) -> None:
        base.require("logits", by=f"The treatment {treatment}")
        refuse_on_search(base, treatment)
        super().__init__(base, treatment, settings)

    @abstractmethod
    def write(
        self, branch: Branch, drafts: Sequence[Draft], samplings: Sequence[Sampling], vocabulary: Vocabulary
    ) -> None:
        """Writes the drafts of a batch to their end."""

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        return generate(self, prompts, self.checked(sampling, len(prompts)), begun, self.write)

    def checked(self, sampling: Sampling | Sequence[Sampling] | None, count: int) -> list[Sampling]:
        """The settings of each prompt; a temperature is refused where nothing is drawn."""
        samplings = one_each(sampling, count)
        for own in samplings:
            if own.temperature and not self.draws:
                raise BadInput(
                    f"The temperature is {own.temperature} and {self.treatment} draws nothing; use 0, "
                    "or take the treatment off to sample."
                )
        return samplings
