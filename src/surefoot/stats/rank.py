"""Rank correlation, its interval, and a difference of two groups' means; p-values by permutation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from surefoot.errors import BadInput
from surefoot.stats.intervals import Floats, Interval

EQUAL = 1e-12  # permuted statistics this close are ties


class Correlation(NamedTuple):
    """Spearman's rho, -1 to 1, and its two-sided p-value."""

    rho: float
    p: float


def spearman(x: Sequence[float], y: Sequence[float], permutations: int, rng: np.random.Generator) -> Correlation:
    """Spearman's rank correlation: Pearson's of the ranks, ties at their mean rank.

    p = (1 + permutations of y at least as extreme) / (1 + permutations). NaN for fewer than three pairs and where
    either side is constant. Errors: `BadInput` for sides of different length.
    """
    if len(x) != len(y):
        raise BadInput(f"{len(x)} and {len(y)} values make no pairs; give as many of each.")
    a, b = _ranks(x), _ranks(y)
    if len(a) < 3 or not a.any() or not b.any():
        return Correlation(np.nan, np.nan)
    scale = float(np.sqrt((a @ a) * (b @ b)))
    rho = float(a @ b) / scale
    drawn = rng.permuted(np.tile(b, (permutations, 1)), axis=1) @ a / scale
    at_least = int((np.abs(drawn) >= abs(rho) - EQUAL).sum())
    return Correlation(rho, (1 + at_least) / (1 + permutations))


def spearman_interval(rho: float, pairs: int, level: float = 0.95) -> Interval:
    """An interval around Spearman's rho: tanh(artanh(rho) ± z sqrt((1 + rho² / 2) / (pairs - 3))).

    Source: Bonett and Wright 2000 (Psychometrika 65), for samples of a continuous distribution. Of no width where rho
    is 1 or -1, so that it says too little there; -1 to 1 for three pairs; NaN where rho is.
    """
    from statistics import NormalDist

    if np.isnan(rho) or abs(rho) == 1 or pairs < 4:
        ends = (rho, rho) if pairs > 3 or np.isnan(rho) else (-1.0, 1.0)
        return Interval(rho, *ends)
    reach = NormalDist().inv_cdf((1 + level) / 2) * np.sqrt((1 + rho**2 / 2) / (pairs - 3))
    low, high = np.tanh(np.arctanh(rho) - reach), np.tanh(np.arctanh(rho) + reach)
    return Interval(rho, float(low), float(high))


def _ranks(values: Sequence[float]) -> Floats:
    """Ranks with their mean taken off."""
    from scipy.stats import rankdata

    ranks = np.asarray(rankdata(np.asarray(values, dtype=np.float64)), dtype=np.float64)
    return ranks - ranks.mean() if len(ranks) else ranks


def greater_mean(x: Sequence[float], y: Sequence[float], permutations: int, rng: np.random.Generator) -> float:
    """The one-sided p-value of "x has the greater mean", by exchanging the labels of all values.

    p = (1 + permutations with a difference at least as great) / (1 + permutations). NaN where a side is empty.
    """
    if not len(x) or not len(y):
        return np.nan
    both = np.asarray([*x, *y], dtype=np.float64)
    observed = both[: len(x)].mean() - both[len(x) :].mean()
    drawn = rng.permuted(np.tile(both, (permutations, 1)), axis=1)
    differences = drawn[:, : len(x)].mean(axis=1) - drawn[:, len(x) :].mean(axis=1)
    return (1 + int((differences >= observed - EQUAL).sum())) / (1 + permutations)
