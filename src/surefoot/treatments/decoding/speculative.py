"""Speculative decoding: a small draft model runs ahead, the model judges several tokens in one pass.

A proposal d ~ q is kept with probability min(1, p(d) / q(d)), else the token is drawn from max(p - q, 0), normalised:
the text has the distribution p of the model alone, and greedy texts are equal token by token. Needs `logits` of both
models, over one vocabulary.

An encoder-decoder, a model with a sliding window, and one whose distributions are changed below this treatment cannot
take tokens back; they write token by token as ever, and `tally` stays empty.
Source: Leviathan et al. 2023 (ICML), arXiv:2211.17192.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.text.prompt import Prompt
from surefoot.treatments.decoding.searching import Searching
from surefoot.treatments.decoding.second import second_model
from surefoot.treatments.decoding.second import told as told_of

if TYPE_CHECKING:
    from surefoot.decoding.branch import Branch, Continuation
    from surefoot.decoding.rows import Draft, Vocabulary


@dataclass(frozen=True)
class Speculative:
    """`draft` is the model that runs ahead: what `surefoot.load` takes, or a loaded model.

    `tokens` are proposed a round; their number changes no text.
    """

    draft: Any
    tokens: int = 5

    def __post_init__(self) -> None:
        if self.tokens < 1:
            raise BadInput(f"tokens is {self.tokens}; let the draft model propose at least one.")

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The same model, in fewer passes."""
        return SpeculativeModel(model, "speculative", self)


class SpeculativeModel(Searching):
    """`tally` counts proposals over all that was generated so far."""

    settings: Speculative

    def __init__(self, base: LanguageModel, treatment: str, settings: Speculative) -> None:
        from surefoot.decoding.speculative import Tally

        super().__init__(base, treatment, settings)
        self.draft = second_model(settings.draft, base, "draft")
        self.tally = Tally()

    def told(self) -> Mapping[str, Any]:
        return {"draft": told_of(self.draft), "tokens": self.settings.tokens}

    def continuing(self, prompts: Sequence[Prompt | str], room: Sequence[int]) -> Continuation:
        from surefoot.decoding.speculative import Pair

        target, draft = super().continuing(prompts, room), self.draft.continuing(prompts, room)

        def opened(rows: Sequence[int], begun: Sequence[Sequence[int]]) -> Branch:
            branch: Any = target.open(rows, begun)
            if can_rewind(branch):
                ahead: Any = draft.open(rows, begun)
                branch = Pair(branch, ahead) if can_rewind(ahead) else branch
            made: Branch = branch
            return made

        return replace(target, open=opened, batch_tokens=min(target.batch_tokens, draft.batch_tokens))

    def write(
        self, branch: Branch, drafts: Sequence[Draft], samplings: Sequence[Sampling], vocabulary: Vocabulary
    ) -> None:
        from surefoot.decoding.loop import write
        from surefoot.decoding.speculative import Pair, speculate

        if isinstance(branch, Pair):
            speculate(branch, drafts, samplings, vocabulary, self.settings.tokens, self.tally)
        else:
            write(branch, drafts, samplings, vocabulary)


def can_rewind(branch: Any) -> bool:
    """Whether a branch takes tokens back: it must look at all tokens through a mask, not through a window of places."""
    return hasattr(branch, "extend") and hasattr(branch, "forget") and getattr(branch, "sees_all", True)
