"""Two classes of wordings over several tasks: means, spreads, and the gap between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from surefoot.errors import BadInput
from surefoot.stats.bootstrap import mean_over, sd_over


class TaskGap(NamedTuple):
    """One task: mean and sd over the wordings of either class, range (best - worst), and right mean - left mean."""

    task: str
    left_mean: float
    left_sd: float
    left_range: float
    right_mean: float
    right_sd: float
    right_range: float
    gap: float


class MeanGap(NamedTuple):
    """The unweighted means over tasks of the columns of `TaskGap`."""

    left_mean: float
    left_sd: float
    left_range: float
    right_mean: float
    right_sd: float
    right_range: float
    gap: float


def task_gap(task: str, left: Sequence[float], right: Sequence[float], ddof: int = 1) -> TaskGap:
    """The gap of one task from the accuracy of each wording; an empty class or a NaN is refused."""
    a, b = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if not (a.size and b.size and np.isfinite(a).all() and np.isfinite(b).all()):
        raise BadInput(f'The task "{task}" lacks an accuracy in one of the two classes; leave the task out.')
    (ma, sa, ra), (mb, sb, rb) = ((float(mean_over(x)), float(sd_over(x, ddof)), float(np.ptp(x))) for x in (a, b))
    return TaskGap(task, ma, sa, ra, mb, sb, rb, mb - ma)


def task_gaps(
    left: Mapping[str, Sequence[float]], right: Mapping[str, Sequence[float]], ddof: int = 1
) -> tuple[TaskGap, ...]:
    """The gap of each task; both mappings (task -> accuracy of each wording) must hold the same tasks."""
    if left.keys() != right.keys():
        odd = sorted(left.keys() ^ right.keys())
        raise BadInput(f'The task "{odd[0]}" has wordings of only one of the two classes; leave it out.')
    return tuple(task_gap(task, left[task], right[task], ddof) for task in left)


def mean_gap(gaps: Sequence[TaskGap]) -> MeanGap:
    """Unweighted means over tasks; an undefined sd (a class of one wording) makes the mean sd NaN."""
    if not gaps:
        raise BadInput("There is no task to average over; give at least one.")
    return MeanGap(*(float(np.mean([gap[i] for gap in gaps])) for i in range(1, len(TaskGap._fields))))


def leave_one_out(gaps: Mapping[str, float]) -> dict[str, float]:
    """The mean gap over the other tasks when each task is left out: shows a mean that one task carries."""
    if len(gaps) < 2:
        raise BadInput(f"Leaving one of {len(gaps)} tasks out leaves none; give at least two.")
    total = sum(gaps.values())
    return {task: (total - gap) / (len(gaps) - 1) for task, gap in gaps.items()}
