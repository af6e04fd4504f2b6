"""Holm's correction of p-values for how many were looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surefoot.errors import BadInput


def holm(p_values: Sequence[float]) -> list[float]:
    """The adjusted p-values, in the order given: reject where one is at most the level, whatever the dependence.

    Formula: with p sorted, p~_(k) = max over j <= k of min(1, (m - j + 1) p_(j)). The chance of one false rejection or
    more among all m is then at most the level. Source: Holm 1979. Errors: `BadInput` for a value outside 0..1, NaN too.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise BadInput(f"{p[~((p >= 0) & (p <= 1))][0]} is no p-value; leave out what was not tested.")
    order = np.argsort(p, kind="stable")
    steps = np.minimum(1, (p.size - np.arange(p.size)) * p[order])
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(steps)
    return [float(value) for value in adjusted]
