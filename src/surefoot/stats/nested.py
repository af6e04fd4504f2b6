"""The bootstrap over seeds and tasks: both are samples, and the tasks of one seed belong together."""

from __future__ import annotations

import numpy as np

from surefoot.errors import BadInput
from surefoot.stats.bootstrap import generator
from surefoot.stats.intervals import Floats, Interval, percentile_interval


def nested_bootstrap(values: Floats, resamples: int = 5000, seed: int = 0, level: float = 0.95) -> Interval:
    """The mean of values (seeds x tasks) with its percentile interval.

    Each resample draws seeds with replacement and, within each drawn seed, its tasks with replacement. With one seed or
    one task that level adds nothing to the width: say how many there were. Few seeds (5) still make the interval too
    narrow, as of any bootstrap of 5 units; the count of seeds that agree stands beside it for that reason.
    Errors: an empty matrix or a NaN.
    """
    if values.ndim != 2 or values.size == 0 or not np.isfinite(values).all():
        raise BadInput("A nested bootstrap needs a full matrix, seeds x tasks, without NaN; leave missing units out.")
    rng = generator(seed, "nested")
    seeds, tasks = values.shape
    drawn = rng.integers(seeds, size=(resamples, seeds, 1))
    within = rng.integers(tasks, size=(resamples, seeds, tasks))
    return percentile_interval(float(values.mean()), values[drawn, within].mean(axis=(1, 2)), level)
