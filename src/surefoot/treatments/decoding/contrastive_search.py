"""Contrastive search: of the most probable tokens, the one whose state is least like those of the text so far.

    argmax over the k most probable v of (1 - alpha) p(v) - alpha max over earlier j of cos(h_v, h_j)

h are the states behind the last layer, those of the prompt included (of an encoder-decoder: the decoder's). Needs
`logits` of a local model; greedy settings only. Each step computes k continuations of each prompt.
Source: Su et al. 2022 (NeurIPS), arXiv:2202.06417.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.text.prompt import Prompt
from surefoot.treatments.decoding.searching import Searching

if TYPE_CHECKING:
    from surefoot.decoding.branch import Branch, Continuation
    from surefoot.decoding.rows import Draft, Vocabulary


@dataclass(frozen=True)
class ContrastiveSearch:
    """`alpha` weighs the likeness: 0 is greedy. `top_k` tokens are tried at each step; the paper takes 0.6 and 4 or
    5."""

    alpha: float = 0.6
    top_k: int = 4

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise BadInput(f"alpha is {self.alpha}; use a number from 0 (greedy) to 1.")
        if self.top_k < 1:
            raise BadInput(f"top_k is {self.top_k}; try at least one token, which is greedy.")

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The model that avoids what it has said."""
        return ContrastiveSearchModel(model, "contrastive-search", self)


class ContrastiveSearchModel(Searching):
    """Looks one token ahead in whatever distributions the model below offers."""

    settings: ContrastiveSearch
    draws = False

    def continuing(self, prompts: Sequence[Prompt | str], room: Sequence[int]) -> Continuation:
        below = super().continuing(prompts, [own + 1 for own in room])
        return replace(below, batch_tokens=max(1, below.batch_tokens // self.settings.top_k))

    def write(
        self, branch: Branch, drafts: Sequence[Draft], samplings: Sequence[Sampling], vocabulary: Vocabulary
    ) -> None:
        from surefoot.decoding.contrastive_search import write_unlike

        write_unlike(branch, drafts, samplings, vocabulary, self.settings.alpha, self.settings.top_k)
