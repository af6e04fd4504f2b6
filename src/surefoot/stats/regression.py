"""A line through points that belong to groups: one intercept for all, or one for each group.

With x and y taken as deviations from their group's mean (from the common mean where there is one group):

    slope b = sum x y / sum x^2,    s^2 = sum (y - b x)^2 / (n - G - 1),    se = s / sqrt(sum x^2),
    r^2 = b sum x y / sum y^2

for n points in G groups; b / se has Student's t distribution with n - G - 1 degrees of freedom. With several groups,
r^2 is the share of the variance within groups. Source: ordinary least squares; Wooldridge 2010, section 10.5 (fixed
effects). The p-value by permutation holds without normal errors: x is permuted within groups, which leaves all
differences between groups as they are, and |sum x y| is compared.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from surefoot.stats.intervals import Floats, Interval

TINY = 1e-12  # a spread of x this small, against its size, is rounding


@dataclass(frozen=True)
class Line:
    """A fitted line with its 95 % interval. `intercept` is that of the mean of all points."""

    slope: Interval
    intercept: float
    p_value: float
    r2: float
    n: int
    groups: int


@dataclass(frozen=True)
class Influence:
    """The point without which the slope would change most: its place, Cook's distance, the slope without it."""

    place: int
    cook: float
    slope_without: float


def fit_line(x: Floats, y: Floats, groups: Sequence[Hashable] | None = None) -> Line | None:
    """The least-squares line, with one intercept for each group. x, y: n numbers, none missing.

    None where no line is determined: no more points than intercepts and slope, or all x of every group equal.
    """
    codes, count = _codes(groups, x.size)
    dx, dy = _within(x, codes), _within(y, codes)
    sxx, sxy, syy = float(dx @ dx), float(dx @ dy), float(dy @ dy)
    freedom = x.size - count - 1
    if freedom < 1 or not varies(x, codes):
        return None
    slope = sxy / sxx
    residual = max(0.0, float(((dy - slope * dx) ** 2).sum()))
    error = np.sqrt(residual / freedom / sxx)
    half, p = _student(slope, error, freedom)
    r2 = slope * sxy / syy if syy > 0 else np.nan
    return Line(
        slope=Interval(slope, slope - half, slope + half),
        intercept=float(y.mean() - slope * x.mean()),
        p_value=p,
        r2=float(r2),
        n=int(x.size),
        groups=count,
    )


def permutation_p(
    x: Floats, y: Floats, groups: Sequence[Hashable], permutations: int, rng: np.random.Generator
) -> float:
    """p = (1 + permutations with |sum x y| at least as large) / (1 + permutations); NaN where x does not vary."""
    codes, _ = _codes(groups, x.size)
    if not varies(x, codes):
        return np.nan
    dx, dy = _within(x, codes), _within(y, codes)
    seen = abs(float(dx @ dy))
    scale = np.sqrt(float(dx @ dx) * float(dy @ dy))
    places = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    at_least = 0
    for _ in range(permutations):
        shuffled = dx.copy()
        for own in places:
            shuffled[own] = dx[rng.permutation(own)]
        at_least += abs(float(shuffled @ dy)) >= seen - 1e-12 * scale
    return (1 + at_least) / (1 + permutations)


def most_influential(x: Floats, y: Floats, groups: Sequence[Hashable] | None = None) -> Influence | None:
    """The point with the largest Cook's distance; None where there is no line with it or without it.

    Formula: D = e^2 h / ((G + 1) s^2 (1 - h)^2) with the residual e and the leverage h = 1 / n_g + x^2 / sum x^2 of the
    point. Above 1 the line hangs on it. Source: Cook and Weisberg 1982.
    """
    codes, count = _codes(groups, x.size)
    line = fit_line(x, y, groups)
    if line is None:
        return None
    dx, dy = _within(x, codes), _within(y, codes)
    error = dy - line.slope.value * dx
    spread = float(error @ error) / (x.size - count - 1)
    leverage = 1 / np.bincount(codes)[codes] + dx**2 / float(dx @ dx)
    with np.errstate(divide="ignore", invalid="ignore"):
        cook = error**2 * leverage / ((count + 1) * spread * (1 - leverage) ** 2)
    cook = np.where(np.isfinite(cook), cook, 0)  # a point that alone fixes its intercept has no say in the slope
    place = int(cook.argmax())
    kept = np.arange(x.size) != place
    remaining = None if groups is None else [group for group, keep in zip(groups, kept, strict=True) if keep]
    without = fit_line(x[kept], y[kept], remaining)
    return None if without is None else Influence(place, float(cook[place]), without.slope.value)


def varies(x: Floats, codes: NDArray[np.intp] | None = None) -> bool:
    """Whether x differs within some group by more than rounding."""
    dx = _within(x, np.zeros(x.size, dtype=np.intp) if codes is None else codes)
    return bool(x.size and np.abs(dx).max() > TINY * max(1e-300, float(np.abs(x).max())))


def _codes(groups: Sequence[Hashable] | None, n: int) -> tuple[NDArray[np.intp], int]:
    if groups is None:
        return np.zeros(n, dtype=np.intp), 1
    known = {group: code for code, group in enumerate(dict.fromkeys(groups))}
    return np.asarray([known[group] for group in groups], dtype=np.intp), len(known)


def _within(values: Floats, codes: NDArray[np.intp]) -> Floats:
    """Deviations from the means of the groups."""
    sums = np.bincount(codes, values) if values.size else np.zeros(0)
    return np.asarray(values - (sums / np.maximum(1, np.bincount(codes)))[codes], dtype=np.float64)


def _student(slope: float, error: float, freedom: int) -> tuple[float, float]:
    """Half the width of the 95 % interval, and the two-sided p-value that the slope is 0."""
    from scipy.stats import t

    p = float(2 * t.sf(abs(slope) / error, freedom)) if error > 0 else float(slope == 0)
    return float(t.ppf(0.975, freedom)) * error, p
