"""A model under the bias of FLARE_instruct: it opens searches more readily, and not again right behind one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from surefoot.models.base import LanguageModel
from surefoot.treatments.decoding.decoded import Ruled
from surefoot.treatments.retrieval.flare_calls import SearchBias, opening_tokens

if TYPE_CHECKING:
    from surefoot.decoding.branch import Rule


class Favoured(Ruled):
    """`searched` says for each prompt of the next request how many tokens stood when it last searched."""

    searched: Sequence[int | None] = ()

    def __init__(self, base: LanguageModel, bias: float, cool_down: int) -> None:
        super().__init__(base, "flare", None)
        self.bias = bias
        self.cool_down = cool_down

    @cached_property
    def opening(self) -> list[int]:
        """The tokens that open a search."""
        return opening_tokens(self.vocabulary)

    def rule(self) -> Rule:
        return SearchBias(self.opening, self.searched, self.bias, self.cool_down)
