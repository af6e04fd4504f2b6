"""Do two sets of option scores choose the same options?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Scores = Sequence[Sequence[Sequence[float]]]
NEAR_TIE = 1e-4


class Difference(NamedTuple):
    """Cells chosen differently; those among them in which neither side's two options are nearly tied; all cells."""

    differ: int
    clear: int
    cells: int

    def __str__(self) -> str:
        return f"{self.differ} of {self.cells} differ, {self.clear} of them by {NEAR_TIE:g} or more"


def compare(one: Scores, other: Scores) -> Difference:
    """`clear` counts cells in which a side prefers its choice to the other side's by at least `NEAR_TIE`."""
    pairs = [(np.asarray(x), np.asarray(y)) for a, b in zip(one, other, strict=True) for x, y in zip(a, b, strict=True)]
    apart = [_margin(x, y) for x, y in pairs if x.argmax() != y.argmax()]
    return Difference(len(apart), sum(margin >= NEAR_TIE for margin in apart), len(pairs))


def _margin(one: np.ndarray, other: np.ndarray) -> float:
    """How clearly the two sides contradict each other; adding a constant to a side's scores changes nothing."""
    first, second = int(one.argmax()), int(other.argmax())
    return float(max(one[first] - one[second], other[second] - other[first]))
