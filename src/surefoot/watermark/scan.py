"""A watermarked span inside a longer text: the best of all windows, with its p-value corrected for having looked at
all.

Statistic: the smallest exact binomial p over windows of 16, 32, 64, ... scored tokens and of the whole text, at every
place. Correction: p of the maximum under simulated green marks of the same number of tokens; where the windows'
Bonferroni bound is below what the simulations can resolve, that bound. Both grow with the statistic, so taking them in
turn keeps the level. Kirchenbauer et al. 2023b (arXiv:2306.04634) take the window of the greatest z (WinMax) without a
correction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surefoot.watermark.detect import Count, Detector

SHORTEST = 16


@dataclass(frozen=True)
class Span:
    """The best window: scored tokens `start` to `end`, its green ones, its own p, and the p that counts."""

    start: int
    end: int
    green: int
    z: float
    window_p: float
    p: float
    windows: int


@dataclass(frozen=True)
class Part:
    """A text's whole count, and its best window with the characters of the normalised text that it covers."""

    count: Count
    span: Span | None
    characters: tuple[int, int] | None


def scan_text(text: str, detector: Detector, *, simulations: int = 199, seed: int = 0) -> Part:
    """The best window of a text."""
    found = detector.encoded(text)
    count, marks = detector.ids(found.ids), detector.marks(found.ids)
    span = scan(marks.scored, marks.null, simulations=simulations, seed=seed)
    if span is None:
        return Part(count, None, None)
    first, last = marks.places[span.start], marks.places[span.end - 1]
    return Part(count, span, (int(found.spans[first, 0]), int(found.spans[last, 1])))


def scan(green: NDArray[np.bool_], null: float, *, simulations: int = 199, seed: int = 0) -> Span | None:
    """The best window of green marks of T scored tokens; None for a text shorter than the shortest window."""
    lengths = window_lengths(len(green))
    if not lengths:
        return None
    most, places = _fullest(green, lengths)
    tails = _log_tails(most[None], lengths, null)[0]
    best = int(tails.argmin())
    value, start, length = float(tails[best]), places[best], lengths[best]
    windows = sum(len(green) - each + 1 for each in lengths)
    p = min(1.0, windows * float(np.exp(value)))
    if p > 1 / (simulations + 1):
        rng = np.random.default_rng(seed)
        drawn = np.stack([_fullest(rng.random(len(green)) < null, lengths)[0] for _ in range(simulations)])
        p = (1 + int((_log_tails(drawn, lengths, null).min(1) <= value).sum())) / (simulations + 1)
    z = (most[best] - null * length) / float(np.sqrt(length * null * (1 - null)))
    return Span(start, start + length, int(most[best]), float(z), float(np.exp(value)), p, windows)


def window_lengths(tokens: int) -> list[int]:
    """16, 32, 64, ... below T, and T itself."""
    doubled = [SHORTEST << k for k in range(40) if SHORTEST << k < tokens]
    return [*doubled, tokens] if tokens >= SHORTEST else []


def _fullest(green: NDArray[np.bool_], lengths: Sequence[int]) -> tuple[NDArray[np.int64], list[int]]:
    """For each length the most green tokens in a window, and where the first such window begins."""
    sums = np.concatenate([[0], np.cumsum(green)])
    counts = [sums[length:] - sums[:-length] for length in lengths]
    return np.asarray([each.max() for each in counts]), [int(each.argmax()) for each in counts]


def _log_tails(counts: NDArray[np.int64], lengths: Sequence[int], null: float) -> NDArray[np.float64]:
    """ln P(at least so many green tokens) of counts (rows, lengths)."""
    from scipy.stats import binom

    tails: NDArray[np.float64] = binom.logsf(counts - 1, np.asarray(lengths), null)
    return tails
