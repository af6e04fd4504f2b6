"""What taking the relevant passages away does to the same questions: the paired shift of the log-odds of "present".

The margin of a forced choice is the log-odds between the two strings. With m_A the margin on an answerable question,
m_R on the same without its relevant passages, m_T without as many others (`surefoot.tasks.nomiracl_pairs`), each the
mean over wordings: `answer taken away` is the mean of m_A - m_R over questions, `answer, not another` that of
m_T - m_R, where both sides have the same number of passages. The interval is of the bootstrap over questions, p of the
two-sided sign-flip permutation test. A reader that ignores passages has a shift of 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from surefoot.stats.bootstrap import bootstrap_mean, generator
from surefoot.stats.intervals import Floats, Interval
from surefoot.stats.paired import Paired, mean, permutation_p
from surefoot.tasks.nomiracl import ANSWERABLE, REMOVED, THINNED

if TYPE_CHECKING:
    from surefoot.probes.unanswerable.cells import Cell

PERMUTATIONS = 9999
RESAMPLES = 2000
CONTRASTS: Mapping[str, tuple[str, str]] = {
    "answer taken away": (ANSWERABLE, REMOVED),
    "answer, not another": (THINNED, REMOVED),
}


@dataclass(frozen=True)
class Shift:
    """One contrast on `items` questions: natural log-odds (NaN where texts are written) and the share of "present"."""

    name: str
    items: int
    log_odds: Interval
    p: float
    present: Interval


def shifts(cells: Sequence[Cell], seed: int) -> tuple[Shift, ...]:
    """The contrasts that the cells have both sides of."""
    margins = _by_item({(c.subset, c.item, c.wording): c.margin for c in cells})
    present = _by_item({(c.subset, c.item, c.wording): float(c.said == 0) for c in cells})
    found = []
    for name, (with_it, without) in CONTRASTS.items():
        said = _pairs(present, with_it, without)
        if len(said) > 1:
            odds = _pairs(margins, with_it, without)
            found.append(Shift(name, len(said), _mean(odds, seed), _p(odds, seed), _mean(said, seed)))
    return tuple(found)


def _by_item(values: Mapping[tuple[str, str, str], float]) -> dict[tuple[str, str], dict[str, float]]:
    found: dict[tuple[str, str], dict[str, float]] = {}
    for (subset, item, wording), value in values.items():
        if np.isfinite(value):
            found.setdefault((subset, item), {})[wording] = value
    return found


def _pairs(values: Mapping[tuple[str, str], Mapping[str, float]], with_it: str, without: str) -> Floats:
    """(items, 2): without and with, over the wordings that both sides have."""
    found = []
    for (subset, item), own in values.items():
        other = values.get((without, item), {})
        both = [wording for wording in own if wording in other]
        if subset == with_it and both:
            found.append([np.mean([side[wording] for wording in both]) for side in (other, own)])
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def _mean(pairs: Floats, seed: int) -> Interval:
    if not len(pairs):
        return Interval(np.nan, np.nan, np.nan)
    return bootstrap_mean((pairs[:, 1] - pairs[:, 0]).tolist(), RESAMPLES, seed)


def _p(pairs: Floats, seed: int) -> float:
    if len(pairs) < 2:
        return np.nan
    paired = Paired(pairs[:, :1], pairs[:, 1:])
    flips = paired.flips(PERMUTATIONS, generator(seed, "shift"))
    before, after = paired.flipped(flips)
    return permutation_p(float(paired.differences.mean()), mean(after) - mean(before), flips.complete)
