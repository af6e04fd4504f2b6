"""Edits by a model: spans written anew from what stands before them, and paraphrases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from surefoot.decoding.sampling import Sampling
from surefoot.watermark.attacks import check_share, places_of

if TYPE_CHECKING:
    from surefoot.models.base import LanguageModel


@dataclass(frozen=True)
class Spans:
    """Replaces spans of `length` words by what a small model writes behind the words on their left.

    The paper lets T5 fill masked spans; a causal model sees the left side only, which spoils more of the text for the
    same budget. `model` should read prompts as they are (`load(..., format="plain")`). A span of which the model writes
    nothing else is left, and at most twice as many spans are tried as the budget needs.
    """

    share: float
    model: LanguageModel = field(repr=False)
    length: int = 3
    context: int = 60

    def __post_init__(self) -> None:
        check_share(self.share)

    def __call__(self, text: str, seed: int = 0) -> str:
        words = text.split(" ")
        wanted = round(self.share * len(words) / self.length)
        possible = np.arange(self.length, len(words) - self.length + 1, self.length)
        starts = np.random.default_rng(seed).permutation(possible)
        tried = starts[: 2 * wanted].tolist()
        found = zip(tried, self._written(words, tried), strict=True)
        changed = [(start, new) for start, new in found if new and new != words[start : start + self.length]]
        for start, new in sorted(changed[:wanted], reverse=True):
            words[start : start + self.length] = new
        return " ".join(words)

    def _written(self, words: Sequence[str], starts: Sequence[int]) -> list[list[str]]:
        left = [" ".join(words[max(0, start - self.context) : start]) for start in starts]
        found = self.model.generate(left, Sampling(max_new_tokens=4 * self.length)) if left else []
        return [one.text.split()[: self.length] for one in found]


@dataclass(frozen=True)
class Paraphrase:
    """Lets a model say every `length` words again in other words; `share` of these pieces are treated."""

    share: float
    model: LanguageModel = field(repr=False)
    instruction: str = "Rewrite the following text in other words. Write only the new text.\n\n"
    length: int = 60

    def __post_init__(self) -> None:
        check_share(self.share)

    def __call__(self, text: str, seed: int = 0) -> str:
        words = text.split()
        pieces = [" ".join(words[at : at + self.length]) for at in range(0, len(words), self.length)]
        picked = places_of(len(pieces), round(self.share * len(pieces)), seed)
        asked = [self.instruction + pieces[place] for place in picked]
        room = Sampling(max_new_tokens=3 * self.length)
        for place, answer in zip(picked, self.model.generate(asked, room) if asked else [], strict=True):
            pieces[place] = answer.text.strip() or pieces[place]
        return " ".join(pieces)
