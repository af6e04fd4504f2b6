"""How much of one sequence of words stands in another: subsequence, contiguous runs, edit distance.

The subsequence counts words that come in the same order with anything between them, so unrelated English shares many;
the run counts words that follow each other. Source of the first as a measure of verbatim memorisation: Karamolegkou et
al. 2023 (EMNLP). Its chance level is what `surefoot.memorisation.chance` adds.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from surefoot.errors import BadInput
from surefoot.metrics.suffix_automaton import SuffixAutomaton

Symbols = Sequence[Hashable]


class Runs(NamedTuple):
    """Runs of at least a given length: how many maximal ones, and how many words stand in any of them."""

    number: int
    words: int


class Overlap(NamedTuple):
    """What a text shares with a reference, in words. `ratio` is subsequence / reference length, `edit` is 0 (equal)
    to 1 (nothing in common)."""

    subsequence: float
    run: float
    ratio: float
    runs: float
    run_words: float
    edit: float


def longest_common_subsequence(a: Symbols, b: Symbols) -> int:
    """Length of the longest sequence that stands in both in this order, with gaps.

    Bit-parallel (Hyyrö 2004), by the library rapidfuzz: O(len(a) len(b) / 64).
    """
    from rapidfuzz.distance import LCSseq

    return int(LCSseq.similarity(a, b)) if a and b else 0


def longest_common_run(a: Symbols, b: Symbols) -> int:
    """Length of the longest contiguous piece that stands in both: O(len(a) + len(b)) by a suffix automaton."""
    return int(SuffixAutomaton(a).matching(b).max(initial=0))


def common_runs(text: Symbols, reference: Symbols, least: int) -> Runs:
    """The pieces of `reference` of at least `least` words that stand in `text` and cannot be made longer on either
    side; `words` counts each word of the reference once."""
    counts, words = runs_in_windows(SuffixAutomaton(text).matching(reference)[None], least)
    return Runs(int(counts[0]), int(words[0]))


def edit_distance(a: Symbols, b: Symbols) -> float:
    """Levenshtein distance in words, divided by the longer length; 0 for two empty sequences."""
    from rapidfuzz.distance import Levenshtein

    return float(Levenshtein.normalized_distance(a, b)) if a or b else 0.0


def overlap(text: Symbols, reference: Symbols, least: int = 8) -> Overlap:
    """All scores of a text against a reference. Errors: `BadInput` for an empty reference."""
    if not reference:
        raise BadInput("The reference has no words; give a longer work or a shorter prefix.")
    subsequence = longest_common_subsequence(text, reference)
    matching = SuffixAutomaton(text).matching(reference)
    counts, words = runs_in_windows(matching[None], least)
    edit = edit_distance(text, reference)
    ratio = subsequence / len(reference)
    return Overlap(subsequence, int(matching.max()), ratio, int(counts[0]), int(words[0]), edit)


def runs_in_windows(matching: NDArray[np.int32], least: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(number of maximal runs, words in them) of each line of matching statistics; shape (windows, length).

    A run [j - c + 1, j] with c = matching[j] cannot be made longer on the left; on the right it can only if
    matching[j + 1] = c + 1.
    """
    if least < 1:
        raise BadInput(f"A run of at least {least} words is no run; give 1 or more.")
    windows, length = matching.shape
    following = np.zeros_like(matching)
    following[:, :-1] = matching[:, 1:]
    ends = (matching >= least) & (following != matching + 1)
    line, last = np.nonzero(ends)
    steps = np.zeros((windows, length + 1), dtype=np.int32)
    np.add.at(steps, (line, last - matching[line, last] + 1), 1)
    np.add.at(steps, (line, last + 1), -1)
    return ends.sum(axis=1), (steps.cumsum(axis=1)[:, :-1] > 0).sum(axis=1)
