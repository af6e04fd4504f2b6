"""Puts the phrasing probe's summary together: one task at a time, then over tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from surefoot.errors import BadInput, nearest
from surefoot.probes.phrasing.guard import Estimate, GuardInput, guard
from surefoot.probes.phrasing.noise import noise_floor
from surefoot.probes.phrasing.summary import ClassScore, Interval, PhrasingSummary, TaskSummary
from surefoot.probes.phrasing.tables import (
    MATRIX_COLUMNS,
    MISSING,
    Matrix,
    class_draws,
    class_scores,
    flips,
    is_graded,
    spread,
    task_matrix,
    variance,
    wording_scores,
)
from surefoot.runs.source import Rows
from surefoot.stats.bootstrap import mean_over
from surefoot.stats.intervals import Floats, percentile_interval
from surefoot.tasks.task import Task
from surefoot.text.instruction import KLASSES


class _Finding(NamedTuple):
    """A task's summary with the resamples that the means over tasks need. `guard` is None without right wordings."""

    summary: TaskSummary
    classes: Mapping[str, tuple[ClassScore, Floats]]
    guard: GuardInput | None
    rows: int


class Sizes(NamedTuple):
    """How much is drawn, and from which seed."""

    seed: int
    resamples: int
    permutations: int


def permutations(tasks: int) -> int:
    """How many permutations of each task tell its spread from noise: 999, more where many tasks are looked at.

    The smallest p-value that n permutations can give is 1 / (n + 1). Times the number of tasks, which is Holm's
    correction of the first of them, it must stay far below 0.05: here at or below 0.01.
    """
    return max(999, 100 * tasks - 1)


def phrasing_summary(
    rows: Rows | pa.Table, tasks: Sequence[Task], model: str, complete: bool, seed: int, resamples: int
) -> PhrasingSummary:
    """See `surefoot.probes.phrasing.summary.summarise`."""
    source = Rows.of(rows)
    _refuse_unknown(source, tasks, model)
    sizes = Sizes(seed, resamples, permutations(len(tasks)))
    findings = [found for task in tasks if (found := _task_finding(source, task, model, sizes)) is not None]
    if not findings:
        raise _no_row(source, model)
    summaries = tuple(finding.summary for finding in findings)
    guarded = [finding.guard for finding in findings if finding.guard is not None]
    if not guarded:
        raise BadInput(f'No row of "{model}" belongs to a right wording; the probe measures those, run some.')
    spreads = [summary.spread for summary in summaries if summary.spread is not None]
    mean = float(np.mean([task.right.value for task in guarded]))
    return PhrasingSummary(
        model=model,
        tasks=summaries,
        classes=_classes_over_tasks([finding.classes for finding in findings]),
        mean=percentile_interval(mean, np.mean([task.right.draws for task in guarded], axis=0)),
        mean_sd=_mean([found.sd.value for found in spreads]),
        mean_range=_mean([found.range for found in spreads]),
        guard=guard(guarded),
        noise=noise_floor(source, tasks, model),
        items=sum(summary.items for summary in summaries),
        rows=sum(finding.rows for finding in findings),
        unparsed=sum(summary.unparsed for summary in summaries),
        truncated=sum(summary.truncated for summary in summaries),
        complete=complete,
    )


def rows_of(rows: pa.Table, tasks: Sequence[Task], model: str) -> tuple[pa.Table, pa.Table]:
    """The model's rows, with and without rechecks; `BadInput` where there is none or one names an unknown task."""
    _refuse_unknown(Rows(rows), tasks, model)
    every = rows.filter(pc.equal(rows["model"], model))
    first = every.filter(pc.invert(every["recheck"]))
    if not first.num_rows:
        raise _no_row(Rows(rows), model)
    return every, first


def _refuse_unknown(rows: Rows, tasks: Sequence[Task], model: str) -> None:
    names = [task.name for task in tasks]
    odd = sorted(set(rows.names("task", pc.field("model") == model)) - set(names))
    if odd:
        raise BadInput(f'The rows name the task "{odd[0]}", which was not given.{nearest(odd[0], names)}')


def _no_row(rows: Rows, model: str) -> BadInput:
    return BadInput(f'There is no row of the model "{model}".{nearest(model, rows.names("model"))}')


def task_rows(rows: Rows, task: Task, model: str) -> pa.Table:
    """The rows of one task without rechecks, with the columns that its matrix needs and no more."""
    is_wanted = (pc.field("model") == model) & (pc.field("task") == task.name) & ~pc.field("recheck")
    columns = MATRIX_COLUMNS if is_graded(task) else tuple(c for c in MATRIX_COLUMNS if c != "score")
    return rows.select(columns, is_wanted)


def _task_finding(rows: Rows, task: Task, model: str, sizes: Sizes) -> _Finding | None:
    """One task's finding from its own rows."""
    matrix = task_matrix(task_rows(rows, task, model), task, sizes.seed, sizes.resamples)
    return None if matrix is None else _finding(matrix, sizes)


def _finding(matrix: Matrix, sizes: Sizes) -> _Finding:
    seed, resamples = sizes.seed, sizes.resamples
    scores, classes, flipped, task = wording_scores(matrix), class_scores(matrix), flips(matrix), matrix.task
    known = _guard_input(matrix, classes)
    summary = TaskSummary(
        task=task.name,
        kind=task.kind,
        metric=task.metric,
        items=len(matrix.items),
        chance=task.chance,
        classes=tuple(score for score, _ in classes.values()),
        spread=spread(matrix, scores, seed, sizes.permutations),
        wordings=scores,
        flip_rate=flipped.rate,
        pair_flip_rate=flipped.pair_rate,
        flips=flipped.items,
        variance=variance(matrix, seed, resamples),
        guard=guard([] if known is None else [known]),
        unparsed=sum(score.unparsed for score in scores),
        truncated=sum(score.truncated for score in scores),
    )
    return _Finding(summary, classes, known, int((matrix.outcome != MISSING).sum()))


def _guard_input(matrix: Matrix, classes: Mapping[str, tuple[ClassScore, Floats]]) -> GuardInput | None:
    columns = matrix.right()
    if not columns.size:
        return None
    others = {klass: Estimate(score.mean.value, draws) for klass, (score, draws) in classes.items()}
    return GuardInput(matrix.task.chance or 0.0, Estimate(*class_draws(matrix, columns)), others)


def _classes_over_tasks(tasks: Sequence[Mapping[str, tuple[ClassScore, Floats]]]) -> tuple[ClassScore, ...]:
    found = ((klass, [task[klass] for task in tasks if klass in task]) for klass in KLASSES)
    return tuple(_class_over_tasks(klass, lines) for klass, lines in found if lines)


def _class_over_tasks(klass: str, lines: Sequence[tuple[ClassScore, Floats]]) -> ClassScore:
    scores = [score for score, _ in lines]
    draws = np.mean([draws for _, draws in lines], axis=0)
    mean: Interval = percentile_interval(_mean([score.mean.value for score in scores]), draws)
    sd, worst, best = (_mean([getattr(score, name) for score in scores]) for name in ("sd", "worst", "best"))
    return ClassScore(klass, sum(score.wordings for score in scores), mean, sd, worst, best)


def _mean(values: Sequence[float]) -> float:
    """The mean of the values that are there (a class of one wording has no spread); NaN where none is."""
    return float(mean_over(np.asarray(values, dtype=np.float64)))
