"""Two classes of wordings beside each other, for instance those seen in tuning and those not (R0, A.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from surefoot.errors import BadInput, nearest
from surefoot.probes.phrasing.summarise import rows_of
from surefoot.probes.phrasing.tables import Matrix, class_draws, task_matrix
from surefoot.stats.exact import SignTest, sign_test
from surefoot.stats.gaps import MeanGap, TaskGap, mean_gap, task_gap
from surefoot.stats.intervals import Floats, Interval, percentile_interval
from surefoot.tasks.task import Task
from surefoot.text.instruction import KLASSES


@dataclass(frozen=True)
class ClassComparison:
    """Means, spreads and gaps (right - left) of two classes; intervals are the bootstrap's over items.

    `skipped` names the tasks without wordings of both classes. `sign` counts the tasks' gaps; its one-sided p-value
    is for more negative gaps than positive.
    """

    left: str
    right: str
    tasks: tuple[TaskGap, ...]
    gaps: tuple[Interval, ...]  # in the order of `tasks`
    mean: MeanGap
    gap: Interval
    sign: SignTest
    skipped: tuple[str, ...]


def compare_classes(
    rows: pa.Table, tasks: Sequence[Task], model: str, left: str, right: str, *, seed: int = 0, resamples: int = 2000
) -> ClassComparison:
    """The gap between two classes of wordings, per task and over tasks (unweighted).

    Formula: per task, mean and sd (n - 1) over the wordings of either class, gap = mean of `right` - mean of `left`.
    The same resample of items serves both classes. Source: R0, A.6. Errors: `BadInput` for an unknown class, or where
    no task has both.
    """
    for klass in (left, right):
        if klass not in KLASSES:
            raise BadInput(f'"{klass}" is not a class of wordings.{nearest(klass, KLASSES)}')
    _, first = rows_of(rows, tasks, model)
    matrices = [matrix for task in tasks if (matrix := task_matrix(first, task, seed, resamples)) is not None]
    both = [matrix for matrix in matrices if matrix.columns(left).size and matrix.columns(right).size]
    if not both:
        raise BadInput(f'No task has wordings of both "{left}" and "{right}"; tag wordings with these classes.')
    gaps = tuple(_task_gap(matrix, left, right) for matrix in both)
    draws = [_gap_draws(matrix, left, right) for matrix in both]
    mean = mean_gap(gaps)
    return ClassComparison(
        left=left,
        right=right,
        tasks=gaps,
        gaps=tuple(percentile_interval(gap.gap, drawn) for gap, drawn in zip(gaps, draws, strict=True)),
        mean=mean,
        gap=percentile_interval(mean.gap, np.mean(draws, axis=0)),
        sign=sign_test([gap.gap for gap in gaps]),
        skipped=tuple(task.name for task in tasks if task.name not in {gap.task for gap in gaps}),
    )


def _task_gap(matrix: Matrix, left: str, right: str) -> TaskGap:
    a, b = (matrix.means[matrix.columns(klass)].tolist() for klass in (left, right))
    return task_gap(matrix.task.name, a, b)


def _gap_draws(matrix: Matrix, left: str, right: str) -> Floats:
    a, b = (class_draws(matrix, matrix.columns(klass))[1] for klass in (left, right))
    return np.asarray(b - a, dtype=np.float64)
