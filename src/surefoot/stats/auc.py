"""The area under the ROC curve with an interval from its own variance.

AUC = P(x > y) + P(x = y) / 2 for x of the positive and y of the negative class. With the placements
v_i = mean_k [x_i > y_k] + [x_i = y_k] / 2 of the n positives, and w_k of the m negatives likewise, Var(AUC) is
estimated by s^2(v) / n + s^2(w) / m. Scores may come in columns (one a wording) that are not on one scale: placements
are then averaged over columns, which leaves the formula as it is. Sources: DeLong et al. 1988; Sun and Xu 2014 for
placements from ranks.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from surefoot.stats.intervals import Floats, Interval


class Area(NamedTuple):
    """An AUC, 0 to 1, and the variance of its estimate; NaN where a class is empty, the variance with one item too."""

    value: float
    variance: float


def auc(positive: Floats, negative: Floats) -> Area:
    """The mean over columns of the AUC of scores (n, columns) against (m, columns); infinite scores count by rank."""
    n, m = len(positive), len(negative)
    if not n or not m or not positive.shape[1]:
        return Area(np.nan, np.nan)
    placed = [_placements(positive[:, j], negative[:, j]) for j in range(positive.shape[1])]
    v, w = (np.mean(one, axis=0) for one in zip(*placed, strict=True))
    variance = v.var(ddof=1) / n + w.var(ddof=1) / m if min(n, m) > 1 else np.nan
    return Area(float(v.mean()), float(variance))


def mean_area(areas: Iterable[Area], level: float = 0.95) -> Interval:
    """The unweighted mean of independent areas with its normal interval, cut at 0 and 1; NaN areas are left out.

    The ends are NaN where an area has no variance. At 0 and 1 the estimated variance is 0, and so is the width: few
    items do not make such an area certain.
    """
    there = [one for one in areas if np.isfinite(one.value)]
    if not there:
        return Interval(np.nan, np.nan, np.nan)
    value = float(np.mean([one.value for one in there]))
    half = NormalDist().inv_cdf((1 + level) / 2) * float(np.sqrt(sum(one.variance for one in there))) / len(there)
    if not np.isfinite(half):
        return Interval(value, np.nan, np.nan)
    return Interval(value, max(0.0, value - half), min(1.0, value + half))


def _placements(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([x, y]))
    v = (ranks[: len(x)] - rankdata(x)) / len(y)
    w = 1 - (ranks[len(x) :] - rankdata(y)) / len(x)
    return np.asarray(v), np.asarray(w)
