"""Where the variance of single answers comes from: frame, wording within its frame, item, or the rest.

Model: y_ij = mu + F_f(j) + W_j + I_i + e_ij for item i and wording j, all effects random. The method is the classical
analysis of variance by the method of moments: mean squares are set equal to their expectations and solved. With n
items and J wordings in a frames of n_f wordings each, and c_j the wordings' means:

    MS_frame   = n sum_f n_f (c_f - c)^2 / (a - 1)          expects e + n W + n k F
    MS_wording = n sum_j (c_j - c_f(j))^2 / (J - a)         expects e + n W
    MS_item    = J sum_i (r_i - r)^2 / (n - 1)              expects e + J I
    MS_rest    = sum_ij (y_ij - c_j - r_i + c)^2 / ((n - 1)(J - 1))    expects e

with k = (J - sum_f n_f^2 / J) / (a - 1).

Source: Searle, Casella and McCulloch 1992, chapters 3 and 4 (unbalanced nested, crossed with a balanced factor).
For right/wrong answers the residual holds the interaction of item and wording and the coin inside each answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from surefoot.errors import BadInput
from surefoot.stats.bootstrap import weight_chunks
from surefoot.stats.intervals import Floats, Interval, basic_interval


class VarianceSplit(NamedTuple):
    """Shares (0..1, summing to 1) by source, and what was left out because of missing cells."""

    shares: dict[str, Interval]
    items: int
    dropped_items: int
    dropped_wordings: int


def variance_split(
    matrix: Floats, frames: Sequence[str], resamples: int, rng: np.random.Generator
) -> VarianceSplit | None:
    """Shares of the variance with bootstrap intervals over items.

    matrix: items x wordings; frames: the frame of each wording. Components below 0 are set to 0 before sharing.
    Without two frames of which one has two wordings, frame and wording cannot be told apart: the source `frame` is
    left out and `wording` holds both. Wordings without any cell are dropped, then items that lack a cell (both are
    counted). None where fewer than two of either remain, or nothing varies. Intervals are basic bootstrap intervals
    of the untruncated shares, cut to 0..1.
    """
    if matrix.shape[1] != len(frames):
        raise BadInput(f"{matrix.shape[1]} wordings came with {len(frames)} frames; give one frame for each wording.")
    kept_wordings = np.asarray(np.isfinite(matrix).any(axis=0))
    kept = matrix[:, kept_wordings]
    complete = np.isfinite(kept).all(axis=1)
    y = kept[complete]
    n, wordings = y.shape
    if n < 2 or wordings < 2 or not np.ptp(y):
        return None
    frames = [frame for frame, keep in zip(frames, kept_wordings, strict=True) if keep]
    components = variance_components(y, frames)
    values = np.array([*components.values()])
    positive = np.maximum(values, 0)
    member = _membership(frames)
    draws = _shares(np.concatenate([_components(y, weights, member) for weights in weight_chunks(n, resamples, rng)]))
    estimate = _shares(values[None])[0]
    shares = {
        name: _cut(float(positive[k] / positive.sum()), basic_interval(float(estimate[k]), draws[:, k]))
        for k, name in enumerate(components)
    }
    return VarianceSplit(shares, n, int((~complete).sum()), int((~kept_wordings).sum()))


def variance_components(y: Floats, frames: Sequence[str]) -> dict[str, float]:
    """The components themselves, untruncated, of a complete items x wordings matrix; keys as in `variance_split`."""
    member = _membership(list(frames))
    names = ("wording", "item", "residual") if member is None else ("frame", "wording", "item", "residual")
    values = _components(y, np.ones((1, y.shape[0])), member)[0]
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _membership(frames: Sequence[str]) -> Floats | None:
    """Wordings x frames, 1 where the wording stands in the frame; None where the two cannot be told apart."""
    names = sorted(set(frames))
    if not 2 <= len(names) < len(frames):
        return None
    return np.asarray([[frame == name for name in names] for frame in frames], dtype=np.float64)


def _components(y: Floats, weights: Floats, member: Floats | None) -> Floats:
    """Untruncated components for each row of item weights (resamples x items): resamples x sources."""
    n, wordings = y.shape
    columns = weights @ y / n
    rows = y.mean(axis=1)
    mean = columns.mean(axis=1)
    ss_item = wordings * (weights @ rows**2 - n * mean**2)
    ss_columns = n * ((columns - mean[:, None]) ** 2).sum(axis=1)
    ss_total = weights @ (y**2).sum(axis=1) - n * wordings * mean**2
    rest = (ss_total - ss_item - ss_columns) / ((n - 1) * (wordings - 1))
    item = (ss_item / (n - 1) - rest) / wordings
    if member is None:
        wording = (ss_columns / (wordings - 1) - rest) / n
        return np.stack([wording, item, rest], axis=1)
    sizes = member.sum(axis=0)
    in_frame = columns @ member / sizes
    ss_frame = n * (sizes * (in_frame - mean[:, None]) ** 2).sum(axis=1)
    ms_wording = (ss_columns - ss_frame) / (wordings - sizes.size)
    k = (wordings - (sizes**2).sum() / wordings) / (sizes.size - 1)
    frame = (ss_frame / (sizes.size - 1) - ms_wording) / (n * k)
    return np.stack([frame, (ms_wording - rest) / n, item, rest], axis=1)


def _shares(components: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(components / components.sum(axis=1, keepdims=True), dtype=np.float64)


def _cut(value: float, interval: Interval) -> Interval:
    low, high = (float(np.clip(end, 0, 1)) for end in (interval.low, interval.high))
    return Interval(value, min(low, value), max(high, value))
