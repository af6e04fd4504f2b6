"""Is the spread over wordings more than item noise? The answers of each item are permuted among its wordings."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from surefoot.stats.bootstrap import column_means, sd_over
from surefoot.stats.intervals import Floats


class SpreadNull(NamedTuple):
    """The spread that equally good wordings would show, beside the spread seen."""

    sd: float
    noise_sd: float
    p_value: float


def spread_null(matrix: Floats, permutations: int, rng: np.random.Generator) -> SpreadNull:
    """The standard deviation over wordings (n - 1) and its null under exchangeable wordings.

    matrix: items x wordings, NaN for a missing cell. Under the null an item's answers could have come from its
    wordings in any order; so each item's cells are permuted among the wordings that it has (missing cells stay
    missing), which keeps every item's difficulty. `noise_sd` is the root mean square of the permuted sds;
    p = (1 + permutations at least as scattered as the data) / (1 + permutations), so it is never 0 and the test keeps
    its level. Source: Phipson and Smyth 2010 for the + 1. NaN throughout with fewer than two wordings that have cells.
    """
    matrix = matrix[:, np.isfinite(matrix).any(axis=0)]
    if matrix.shape[1] < 2:
        return SpreadNull(np.nan, np.nan, np.nan)
    observed = float(sd_over(column_means(matrix)))
    drawn = sd_over(_permuted_sums(matrix, permutations, rng) / np.isfinite(matrix).sum(axis=0))
    at_least = int((drawn >= observed - 1e-12).sum())
    return SpreadNull(observed, float(np.sqrt(np.mean(drawn**2))), (1 + at_least) / (1 + permutations))


def _permuted_sums(matrix: Floats, permutations: int, rng: np.random.Generator) -> Floats:
    """Column sums under each permutation: permutations x wordings. An item that never varies needs no shuffling."""
    sums = np.zeros((permutations, matrix.shape[1]))
    for row in matrix:
        present = np.flatnonzero(np.isfinite(row))
        values = row[present]
        if values.size and (values != values[0]).any():
            sums[:, present] += rng.permuted(np.tile(values, (permutations, 1)), axis=1)
        else:
            sums[:, present] += values
    return sums
