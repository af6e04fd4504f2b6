"""Intervals: Wilson for a proportion, and the two ways to read an interval from bootstrap draws."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surefoot.errors import BadInput

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(right: float, n: int, level: float = 0.95) -> Interval:
    """The Wilson score interval of a proportion.

    Formula: centre (p + z^2/2n) / (1 + z^2/n), half width z sqrt(p(1-p)/n + z^2/4n^2) / (1 + z^2/n), p = right / n.
    Source: Wilson 1927. Unlike p +- z se it stays within 0..1 and has width at p = 0 and p = 1.
    `right` may be a sum of shares of n independent items (an item right under half of its wordings counts one half):
    shares scatter no more than zeros and ones of the same mean, so the interval is no narrower than it should be.
    With n = 0 all three numbers are NaN.
    """
    if not 0 <= right <= n:
        raise BadInput(f"{right} right of {n} is not a count; give 0 <= right <= n.")
    if n == 0:
        return Interval(np.nan, np.nan, np.nan)
    z, p = NormalDist().inv_cdf((1 + level) / 2), right / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # at the ends the closed form is exactly p; rounding must not put the estimate outside its own interval
    return Interval(p, 0.0 if right == 0 else centre - half, 1.0 if right == n else centre + half)


def percentile_interval(value: float, draws: NDArray[Any], level: float = 0.95) -> Interval:
    """The interval between the (1-level)/2 and (1+level)/2 quantiles of the bootstrap draws.

    For means and differences of means. Draws that are NaN (a resample without any usable cell) are left out; where
    none is left the ends are NaN.
    """
    low, high = _quantiles(draws, level)
    return Interval(float(value), low, high)


def basic_interval(value: float, draws: NDArray[Any], level: float = 0.95) -> Interval:
    """The basic (reflected) bootstrap interval: from 2 value - q_high to 2 value - q_low.

    For estimates that resampling inflates, such as variances over wordings: a resample adds the items' noise to the
    statistic once more, exactly as sampling added it once, so reflecting takes it out again. Source: Davison and
    Hinkley 1997, section 5.2. The ends may leave the statistic's range; the caller cuts them.
    """
    low, high = _quantiles(draws, level)
    return Interval(float(value), 2 * float(value) - high, 2 * float(value) - low)


def _quantiles(draws: NDArray[Any], level: float) -> tuple[float, float]:
    usable = draws[np.isfinite(draws)]
    if usable.size == 0:
        return np.nan, np.nan
    low, high = np.quantile(usable, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
