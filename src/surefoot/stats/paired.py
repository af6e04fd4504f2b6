"""Two models on the same items under the same wordings: the data seen, its resamples, and its permutations.

y_ij and z_ij are the scores of item i under wording j before and after, n items and J wordings, every cell there. All
that is compared follows from two things that are sums over items: the wordings' means c_j, and the scatter within items
Q = sum_ij (y_ij - y_i.)^2. So they are computed for thousands of data sets at once, by matrix products:

- seen: the data themselves;
- resampled: items drawn with replacement, each with all its wordings, before and after together;
- flipped: for each item, by a coin, what was before and what was after change places, all wordings at once. If nothing
  had changed but chance, before and after of an item could have come in either order; these are all such data.

`Means` of any of the three go into the same statistics. Source: Efron and Tibshirani 1993, chapters 8 and 15.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from surefoot.errors import BadInput
from surefoot.stats.intervals import Floats

CHUNK = 4_000_000  # signs held as floats at once
ROUNDING = 1e-7  # two shares that differ by less are taken for equal: roots of rounding errors are this large


class Means(NamedTuple):
    """One model in K data sets of `items` items."""

    columns: Floats  # K x wordings: the wordings' means
    within: Floats  # K: scatter within items
    items: int


class Both(NamedTuple):
    """Before and after in the same K data sets."""

    before: Means
    after: Means


class Flips(NamedTuple):
    """Signs, +1 or -1, K x items, and whether they are all that there are (the first row then flips nothing)."""

    signs: NDArray[np.int8]
    complete: bool


Statistic = Callable[[Means], Floats]
"""A number for each of the K data sets."""


@dataclass(frozen=True, eq=False)
class Paired:
    """Scores before and after: items x wordings, float, no cell missing, at least two items."""

    before: Floats
    after: Floats

    def __post_init__(self) -> None:
        if self.before.shape != self.after.shape or self.before.ndim != 2 or self.before.shape[0] < 2:
            raise BadInput(
                f"Scores of shape {self.before.shape} and {self.after.shape} cannot be paired; give the same items x "
                "wordings, at least two items."
            )
        if not (np.isfinite(self.before).all() and np.isfinite(self.after).all()):
            raise BadInput("A paired comparison got a missing score; leave its item or its wording out and say so.")

    @property
    def items(self) -> int:
        return int(self.before.shape[0])

    @property
    def differences(self) -> Floats:
        """Each item's mean difference over wordings, after - before."""
        return np.asarray((self.after - self.before).mean(axis=1), dtype=np.float64)

    def only(self, columns: NDArray[np.bool_]) -> Paired:
        """The same items under some of the wordings."""
        return Paired(self.before[:, columns], self.after[:, columns])

    def seen(self) -> Both:
        """The data themselves: K = 1."""
        return self.resampled(np.ones((1, self.items)))

    def resampled(self, weights: Floats) -> Both:
        """Items drawn as often as `weights` (K x items, rows summing to the items) say."""
        return Both(_weighted(self.before, weights), _weighted(self.after, weights))

    def flipped(self, flips: Flips) -> Both:
        """Before and after changed places where the signs are -1."""
        old, new = _within(self.before), _within(self.after)
        swing = np.column_stack([(self.after - self.before) / (2 * self.items), (new - old) / 2])
        moved = np.concatenate([part.astype(np.float64) @ swing for part in _parts(flips.signs)])
        shift, scatter = moved[:, :-1], moved[:, -1]
        middle, centre = (self.before + self.after).mean(axis=0) / 2, (old + new).sum() / 2
        return Both(
            Means(middle - shift, centre - scatter, self.items), Means(middle + shift, centre + scatter, self.items)
        )

    def flips(self, most: int, rng: np.random.Generator) -> Flips:
        """All ways to flip the items that changed where there are at most `most` of them, else `most` random ones."""
        changed = (self.before != self.after).any(axis=1)
        k = int(changed.sum())
        if k < 60 and 2**k <= most:
            signs = np.ones((2**k, self.items), dtype=np.int8)
            signs[:, changed] -= ((np.arange(2**k)[:, None] >> np.arange(k) & 1) * 2).astype(np.int8)
            return Flips(signs, complete=True)
        signs = rng.integers(0, 2, size=(most, self.items), dtype=np.int8)
        signs *= np.int8(-2)
        signs += np.int8(1)
        signs[:, ~changed] = 1
        return Flips(signs, complete=False)


def mean(means: Means) -> Floats:
    """The mean over wordings."""
    return np.asarray(means.columns.mean(axis=1), dtype=np.float64)


def worst(means: Means) -> Floats:
    """The lowest wording mean."""
    return np.asarray(means.columns.min(axis=1), dtype=np.float64)


def spread(means: Means) -> Floats:
    """The standard deviation over wordings, n - 1, as the phrasing probe reports it."""
    return np.asarray(np.sqrt(variance(means)), dtype=np.float64)


def variance(means: Means) -> Floats:
    """The square of `spread`."""
    return np.asarray(means.columns.var(axis=1, ddof=1), dtype=np.float64)


def item_noise(means: Means) -> Floats:
    """What item sampling adds to the variance over wordings: R / n with the residual mean square R.

    R = sum_ij (y_ij - y_i. - c_j + c)^2 / ((n - 1)(J - 1)) = (Q - n (J - 1) s^2) / ((n - 1)(J - 1)), the interaction of
    item and wording: the same as in `surefoot.stats.variance`. So s^2 - R / n estimates the variance of the wordings'
    true accuracies without bias.
    """
    n, degrees = means.items, means.columns.shape[1] - 1
    residual = (means.within - n * degrees * variance(means)) / ((n - 1) * degrees)
    return np.asarray(residual / n, dtype=np.float64)


def beyond_noise(means: Means) -> Floats:
    """The signed root of s^2 - R / n: the spread of the true accuracies, negative where the data show less than noise.

    A model that gets better on all wordings scatters less for that reason alone, since answers that are nearly always
    right vary less from item to item; `spread` would call it steadier, this does not.
    """
    excess = variance(means) - item_noise(means)
    return np.asarray(np.sign(excess) * np.sqrt(np.abs(excess)), dtype=np.float64)


def permutation_p(seen: float, null: Floats, complete: bool) -> float:
    """The two-sided p-value: the share of |null| that is at least |seen|.

    Where the null is a sample, the data themselves are counted in: (1 + number) / (1 + K), so p is never 0 and the test
    keeps its level (Phipson and Smyth 2010). A complete list holds them already.
    """
    at_least = int((np.abs(null) >= abs(seen) - ROUNDING).sum())
    return at_least / null.size if complete else (1 + at_least) / (1 + null.size)


def _parts(signs: NDArray[np.int8]) -> list[NDArray[np.int8]]:
    return np.array_split(signs, max(1, signs.size // CHUNK))


def _weighted(scores: Floats, weights: Floats) -> Means:
    return Means(weights @ scores / scores.shape[0], weights @ _within(scores), scores.shape[0])


def _within(scores: Floats) -> Floats:
    return np.asarray(((scores - scores.mean(axis=1, keepdims=True)) ** 2).sum(axis=1), dtype=np.float64)
