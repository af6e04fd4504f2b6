"""What of a written text is scored, and against which words of the work."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from surefoot.memorisation.asking import behind
from surefoot.metrics.suffix_automaton import SuffixAutomaton
from surefoot.text.words import words_of

ECHO = 2  # words of the prompt in a row; a single one is everywhere
HOLE = "\0"  # stands where an echo was: no word equals it, so that no run goes on across it


def reference_of(text: str, start: int, window: int, normalise: bool = True) -> tuple[str, ...]:
    """The words of a work that an answer is compared with: `window` at most, from the first one that was not shown."""
    return words_of(behind(text, start), normalise)[:window]


def scored_words(
    text: str, prompt: str, reference: Sequence[str], normalise: bool = True
) -> tuple[tuple[str, ...], int]:
    """The words of an answer without what it repeats of its prompt, and how many words that were.

    Every word belongs to the longest run that holds it, in the prompt or in the reference; words of runs of the prompt
    (at least 2 words, or the whole answer; ties go to the prompt) are each replaced by a hole. So a model that repeats
    its prompt scores nothing, even where the work returns to its own beginning, and one that goes on with the work
    loses nothing where it does.
    """
    words = words_of(text, normalise)
    if not words:
        return (), 0
    shown = holding(words, words_of(prompt, normalise))
    echo = (shown >= min(ECHO, len(words))) & (shown >= holding(words, reference))
    return tuple(HOLE if away else word for word, away in zip(words, echo, strict=True)), int(echo.sum())


def holding(words: Sequence[str], source: Sequence[str]) -> NDArray[np.int32]:
    """For each word, the length of the longest run of `source` that holds it; shape (len(words),)."""
    ends = SuffixAutomaton(source).matching(words)
    held = np.zeros_like(ends)
    for place, length in enumerate(ends.tolist()):
        if place + 1 == len(ends) or ends[place + 1] != length + 1:  # the run goes no further
            piece = slice(place - length + 1, place + 1)
            held[piece] = np.maximum(held[piece], length)
    return held
