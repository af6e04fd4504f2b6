"""The bootstrap over items: an item is drawn with its answers under every wording, so their dependence is kept.

Matrices are items x wordings, float; NaN is a cell that was not computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from zlib import crc32

import numpy as np

from surefoot.errors import BadInput
from surefoot.stats.intervals import Floats, Interval, basic_interval, percentile_interval

CHUNK = 1 << 17  # weights that are held at a time


def generator(seed: int, *names: str) -> np.random.Generator:
    """Random numbers that depend on the seed and the names alone, not on what was drawn for other names."""
    return np.random.default_rng([seed, *(crc32(name.encode()) for name in names)])


def item_weights(items: int, resamples: int, rng: np.random.Generator) -> Floats:
    """How often each item is drawn in each resample: resamples x items, every row sums to `items`."""
    if items < 1 or resamples < 1:
        raise BadInput(f"A bootstrap of {items} items with {resamples} resamples is empty; both must be at least 1.")
    return rng.multinomial(items, np.full(items, 1 / items), size=resamples).astype(np.float64)


def weight_chunks(items: int, resamples: int, rng: np.random.Generator) -> Iterator[Floats]:
    """The rows of `item_weights`, the same for the same generator, about a megabyte of them at a time.

    So what is computed from a resample can be kept and its weights dropped: memory does not grow with the items.
    """
    size = max(1, CHUNK // max(1, items))
    for start in range(0, resamples, size):
        yield item_weights(items, min(size, resamples - start), rng)


def column_means(matrix: Floats) -> Floats:
    """The mean of each wording over the items that it has; NaN for a wording without any."""
    present = np.isfinite(matrix)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(present, matrix, 0).sum(axis=0) / present.sum(axis=0), dtype=np.float64)


def column_draws(matrix: Floats, weights: Floats) -> Floats:
    """The wordings' means in every resample: resamples x wordings.

    A missing cell leaves its wording's numerator and denominator; a wording without a cell in a resample is NaN there.
    """
    present = np.isfinite(matrix)
    with np.errstate(invalid="ignore"):
        return np.asarray((weights @ np.where(present, matrix, 0)) / (weights @ present), dtype=np.float64)


def resampled_column_means(matrix: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """`column_draws` without ever holding all weights: resamples x wordings."""
    return np.concatenate([column_draws(matrix, w) for w in weight_chunks(matrix.shape[0], resamples, rng)])


def resampled_means(values: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """The mean of the values in every resample of them; none of them may be missing."""
    chunks = weight_chunks(values.size, resamples, rng)
    return np.concatenate([weights @ values / values.size for weights in chunks])


def mean_over(values: Floats) -> Floats:
    """The mean over the last axis of the entries that are there; NaN where none is."""
    present = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(present, values, 0).sum(axis=-1) / present.sum(axis=-1), dtype=np.float64)


def sd_over(values: Floats, ddof: int = 1) -> Floats:
    """The standard deviation over the last axis of the entries that are there; NaN with ddof or fewer of them."""
    present = np.isfinite(values)
    n = present.sum(axis=-1)
    deviation = np.where(present, values - mean_over(values)[..., None], 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.sqrt(np.where(n > ddof, (deviation**2).sum(axis=-1) / (n - ddof), np.nan)))


def sd_interval(value: float, draws: Floats) -> Interval:
    """An interval for a standard deviation over wordings, from the sds of the resamples.

    The basic interval of the variance, cut at 0, its root taken, and widened where needed to hold the estimate: plain
    percentiles of the resampled sd lie too high, because each resample adds item noise to the scatter again, and
    exclude 0 even for wordings that are all alike.
    """
    variance = basic_interval(value**2, draws**2)
    low, high = (float(np.sqrt(max(end, 0.0))) for end in (variance.low, variance.high))
    return Interval(float(value), min(low, float(value)), max(high, float(value)))


def bootstrap_mean(values: Sequence[float], resamples: int = 2000, seed: int = 0) -> Interval:
    """The mean of the values with its percentile interval; units are drawn with replacement."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0 or not np.isfinite(array).all():
        raise BadInput("A bootstrap needs at least one value and no NaN; leave missing units out and say so.")
    return percentile_interval(float(array.mean()), resampled_means(array, resamples, generator(seed)))


def paired_bootstrap(left: Sequence[float], right: Sequence[float], resamples: int = 2000, seed: int = 0) -> Interval:
    """The mean of right - left over pairs (tasks, items) with its interval; pairs are drawn together."""
    if len(left) != len(right):
        raise BadInput(f"{len(left)} values cannot be paired with {len(right)}; give both for the same units.")
    return bootstrap_mean([b - a for a, b in zip(left, right, strict=True)], resamples, seed)
