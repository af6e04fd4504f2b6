"""How many items it takes to show a difference, and what difference the items at hand could show.

With d_i the paired difference of item i and s its standard deviation, the mean difference of n items has the standard
error s / sqrt(n). A two-sided test at level a finds a true difference D with power b where

    D = (z_(1 - a/2) + z_b) s / sqrt(n),    so    n = ((z_(1 - a/2) + z_b) s / D)^2.

Source: any textbook on sample size, for instance Chow, Shao and Wang 2008, section 3.1. It is the normal approximation,
which leaves out the chance of a significant result in the wrong direction. For the unweighted mean over T tasks of n
items each, s^2 is the mean of the tasks' variances divided by T.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, sqrt
from statistics import NormalDist

from surefoot.errors import BadInput

POWER = 0.8


def reach(level: float, power: float = POWER) -> float:
    """z_(1 - level/2) + z_power: how many standard errors a difference must measure."""
    if not (0 < level < 1 and 0 < power < 1):
        raise BadInput(f"level {level} and power {power} must lie between 0 and 1.")
    normal = NormalDist()
    return normal.inv_cdf(1 - level / 2) + normal.inv_cdf(power)


def items_needed(sd: Sequence[float], difference: float, level: float, power: float = POWER) -> int:
    """Items of each task that show a mean difference of `difference` (in the unit of `sd`) with this power.

    sd: the standard deviation of the items' differences in each task. 0 where nothing varies: then the observed
    variance says nothing about what other items would do.
    """
    if not difference > 0:
        raise BadInput(f"A difference of {difference} cannot be shown; give one above 0.")
    return ceil((reach(level, power) / difference) ** 2 * sum(s * s for s in sd) / len(sd) ** 2)


def detectable(sd: Sequence[float], items: Sequence[int], level: float, power: float = POWER) -> float:
    """The true mean difference over tasks that these items show with this power."""
    return reach(level, power) * sqrt(sum(s * s / n for s, n in zip(sd, items, strict=True))) / len(sd)
