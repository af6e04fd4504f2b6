"""Edits that weaken a watermark, as functions of text: each with a budget, each repeatable from its seed, and
composable.

A budget is a share of the text's words. `attack(text, seed)` gives the edited text; `InOrder` applies several. What an
edit costs a mark: the edited token and the `width` tokens behind it lose their lists, so that one blind substitution
among marked tokens of green share q takes (1 + width)(q - gamma) green tokens in expectation (about one for gamma 1/2
and all green). Source: Kirchenbauer et al. 2023 (arXiv:2301.10226), section 7, and 2023b (arXiv:2306.04634) for pasting
and paraphrases.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from surefoot.errors import BadInput
from surefoot.watermark.normalise import LOOKALIKES

WORD = re.compile(r"\S+")
COMMON = (
    *("the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with"),
    *("be", "by", "on", "not", "he", "his", "but", "at", "are", "this", "have", "from"),
)


class Attack(Protocol):
    """Text to text; the same seed gives the same edit."""

    def __call__(self, text: str, seed: int = 0) -> str: ...


def words_of(text: str) -> list[tuple[int, int]]:
    """Where words stand: runs of anything but white space."""
    return [match.span() for match in WORD.finditer(text)]


def _chosen(text: str, share: float, seed: int) -> list[tuple[int, int]]:
    """A random share of the words, in order."""
    spans = words_of(text)
    count = round(share * len(spans))
    return [spans[place] for place in places_of(len(spans), count, seed)]


def places_of(of: int, count: int, seed: int) -> list[int]:
    """`count` different places out of `of`, in order."""
    return sorted(np.random.default_rng(seed).permutation(of)[:count].tolist())


def _replaced(text: str, spans: Sequence[tuple[int, int]], by: Callable[[str, int], str]) -> str:
    """The text with each span replaced by `by(old, which)`."""
    pieces, at = [], 0
    for which, (start, end) in enumerate(spans):
        pieces += [text[at:start], by(text[start:end], which)]
        at = end
    return "".join([*pieces, text[at:]])


def check_share(share: float) -> None:
    if not 0 <= share <= 1:
        raise BadInput(f"The budget of an attack is {share}; use a share of the words from 0 to 1.")


@dataclass(frozen=True)
class Delete:
    """Takes a share of the words out, with the space before them."""

    share: float

    def __post_init__(self) -> None:
        check_share(self.share)

    def __call__(self, text: str, seed: int = 0) -> str:
        spans = [(max(0, start - 1), end) for start, end in _chosen(text, self.share, seed)]
        return _replaced(text, spans, lambda *_: "")


@dataclass(frozen=True)
class Substitute:
    """Puts other words in the place of a share of the words: drawn from `words`, frequent English ones by default."""

    share: float
    words: tuple[str, ...] = COMMON

    def __post_init__(self) -> None:
        check_share(self.share)

    def __call__(self, text: str, seed: int = 0) -> str:
        rng = np.random.default_rng([seed, 1])

        def other(old: str, _: int) -> str:
            return str(rng.choice([word for word in self.words if word != old] or [old]))

        return _replaced(text, _chosen(text, self.share, seed), other)


@dataclass(frozen=True)
class Insert:
    """Puts a word in front of a share of the words."""

    share: float
    words: tuple[str, ...] = COMMON

    def __post_init__(self) -> None:
        check_share(self.share)

    def __call__(self, text: str, seed: int = 0) -> str:
        rng = np.random.default_rng([seed, 1])
        return _replaced(text, _chosen(text, self.share, seed), lambda old, _: f"{rng.choice(self.words)} {old}")


@dataclass(frozen=True)
class Homoglyphs:
    """Puts look-alike letters of other scripts into a share of the words, one in each; `normalise` undoes it."""

    share: float

    def __post_init__(self) -> None:
        check_share(self.share)

    def __call__(self, text: str, seed: int = 0) -> str:
        rng = np.random.default_rng([seed, 1])

        def alike(old: str, _: int) -> str:
            places = [place for place, letter in enumerate(old) if letter in LOOKALIKES]
            if not places:
                return old
            place = int(rng.choice(places))
            return old[:place] + str(rng.choice(list(LOOKALIKES[old[place]]))) + old[place + 1 :]

        return _replaced(text, _chosen(text, self.share, seed), alike)


@dataclass(frozen=True)
class Paste:
    """Puts the marked text into human text so that it makes up 1 - `share` of the words, in `pieces` pieces."""

    share: float
    host: str
    pieces: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.share < 1:
            raise BadInput(f"The share of human text is {self.share}; use a number from 0 to below 1.")
        if self.pieces < 1:
            raise BadInput(f"The text is pasted in {self.pieces} pieces; use 1 or more.")

    def __call__(self, text: str, seed: int = 0) -> str:
        marked, human = text.split(), self.host.split()
        wanted = round(self.share / (1 - self.share) * len(marked))
        if wanted > len(human):
            raise BadInput(f"Pasting needs {wanted} words of human text and has {len(human)}; give a longer host.")
        rng = np.random.default_rng(seed)
        start = int(rng.integers(len(human) - wanted + 1))
        breaks = sorted(rng.choice(np.arange(wanted + 1), size=min(self.pieces, wanted + 1), replace=False).tolist())
        taken, parts = human[start : start + wanted], np.array_split(np.asarray(marked, dtype=object), len(breaks))
        out, at = [], 0
        for place, part in zip(breaks, parts, strict=True):
            out += [*taken[at:place], *part]
            at = place
        return " ".join([*out, *taken[at:]])


@dataclass(frozen=True)
class Strip:
    """Takes every occurrence of a text out: the second half of the emoji attack, whose first half is a model that was
    asked for the emojis, or the treatment `interleave`."""

    text: str

    def __post_init__(self) -> None:
        if not self.text:
            raise BadInput("The text to take out is empty; give the text that was written between the words.")

    def __call__(self, text: str, seed: int = 0) -> str:
        return text.replace(self.text, "")


@dataclass(frozen=True)
class InOrder:
    """Several attacks, the first one first; each gets a seed of its own."""

    attacks: tuple[Attack, ...]

    def __call__(self, text: str, seed: int = 0) -> str:
        for place, attack in enumerate(self.attacks):
            text = attack(text, 1009 * seed + place)
        return text
