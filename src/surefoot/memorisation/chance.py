"""The chance level of overlap: the same scores of the same text against unrelated texts of the same length.

Unrelated English shares many words in order (some 46 of 200 with a passage of 1,000), so a score means nothing without
what chance gives. The text stays as it is and the reference changes, because a text's own habits (long, repetitive,
Biblical) decide how much of anything it shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from surefoot.errors import BadInput
from surefoot.metrics.overlap import Overlap, runs_in_windows
from surefoot.metrics.suffix_automaton import SuffixAutomaton
from surefoot.stats.intervals import Floats

_FIRST = 0x10000  # code points of words; below them stand surrogates, which no string may hold


@dataclass(frozen=True, eq=False)
class Null:
    """Windows of unrelated texts: the texts stand in a ring, and windows of any length start at `count` places of it,
    evenly spread. A window may reach from one text into the next. `count` is at most the number of words."""

    texts: tuple[tuple[str, ...], ...]
    count: int = 1000

    def __post_init__(self) -> None:
        if not any(self.texts):
            raise BadInput("There is no unrelated text to measure chance on; give more works.")

    @cached_property
    def ring(self) -> tuple[str, ...]:
        return tuple(word for text in self.texts for word in text)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        size = len(self.ring)
        return np.unique(np.linspace(0, size, min(self.count, size), endpoint=False).astype(np.int64))

    @cached_property
    def codes(self) -> Mapping[str, str]:
        """One character a word, as the library compares characters fastest."""
        return {word: chr(_FIRST + place) for place, word in enumerate(dict.fromkeys(self.ring))}

    @cached_property
    def coded(self) -> str:
        return "".join(self.codes[word] for word in self.ring)

    def rounds(self, length: int) -> int:
        """How often the ring is unrolled so that every window of this length lies within."""
        return 1 + -(-length // len(self.ring))


def draws(text: Sequence[str], null: Null, length: int, least: int) -> Overlap:
    """The overlap of a text with every window of `length` words: an `Overlap` of arrays, shape (windows,).

    Cost: O(ring) for the runs, O(windows length / 64) for each word of the text.
    """
    if length < 1:
        raise BadInput(f"The reference has {length} words; give a longer work or a shorter prefix.")
    windows = _matching(text, null, length)
    counts, words = runs_in_windows(windows, least)
    subsequence, distance = _aligned(text, null, length)
    edit = distance / max(len(text), length)
    run = windows.max(axis=1)
    return Overlap(*(_floats(x) for x in (subsequence, run, subsequence / length, counts, words, edit)))  # type: ignore[arg-type]


def _matching(text: Sequence[str], null: Null, length: int) -> NDArray[np.int32]:
    """Matching statistics of every window, cut where a run began before it."""
    unrolled = (null.ring * null.rounds(length))[: len(null.ring) + length - 1]
    once = SuffixAutomaton(text).matching(unrolled)
    windows = np.lib.stride_tricks.sliding_window_view(once, length)[null.starts]
    return np.minimum(windows, np.arange(1, length + 1, dtype=np.int32))


def _aligned(text: Sequence[str], null: Null, length: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(longest common subsequence, Levenshtein distance) with every window."""
    from rapidfuzz.distance import LCSseq, Levenshtein
    from rapidfuzz.process import cdist

    coded = "".join(null.codes.get(word, chr(_FIRST - 1)) for word in text)
    unrolled = null.coded * null.rounds(length)
    windows = [unrolled[start : start + length] for start in null.starts.tolist()]
    return tuple(  # type: ignore[return-value]
        np.asarray(cdist([coded], windows, scorer=scorer, dtype=np.int32)[0])
        for scorer in (LCSseq.similarity, Levenshtein.distance)
    )


def _floats(values: NDArray[np.generic]) -> Floats:
    return np.asarray(values, dtype=np.float64)
