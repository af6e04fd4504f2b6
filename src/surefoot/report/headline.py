"""The finding in words: what is said at the top of the report, in the notebook and in the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

from surefoot.probes.phrasing.summary import Guard, PhrasingSummary, Spread, TaskSummary
from surefoot.report.classes import is_right
from surefoot.report.numbers import count, percent
from surefoot.stats.holm import holm

LEVEL = 0.05


@dataclass(frozen=True)
class Reach:
    """The tasks' worst and best right wordings, each averaged over the tasks, and what item noise alone would give."""

    tasks: int
    worst: float
    best: float
    range: float
    noise_range: float
    sd: float
    noise_sd: float
    beyond_noise: int  # tasks whose spread is more than item noise, Holm's correction over the tasks


def reach(tasks: Sequence[TaskSummary]) -> Reach | None:
    """The reach over all tasks that have a spread; None where no task has two right wordings."""
    found = [(task, task.spread) for task in tasks if task.spread is not None]
    if not found:
        return None
    spreads = [spread for _, spread in found]
    return Reach(
        tasks=len(found),
        worst=_mean([spread.worst.accuracy.value for spread in spreads]),
        best=_mean([spread.best.accuracy.value for spread in spreads]),
        range=_mean([spread.range for spread in spreads]),
        noise_range=_mean([noise_range(task, spread) for task, spread in found]),
        sd=_mean([spread.sd.value for spread in spreads]),
        noise_sd=_mean([spread.noise_sd for spread in spreads]),
        beyond_noise=sum(p < LEVEL for p in holm([spread.p_value for spread in spreads])),
    )


def noise_range(task: TaskSummary, spread: Spread) -> float:
    """The range that equally good wordings would show on this many items: E[range of k normals] x noise sd."""
    return range_of_normals(sum(is_right(wording.klass) for wording in task.wordings)) * spread.noise_sd


@cache
def range_of_normals(k: int) -> float:
    """Expected range of k independent standard normals: the integral of 1 - F^k - (1-F)^k (Tippett 1925)."""
    normal, step = NormalDist(), 0.01
    heights = [1 - (f := normal.cdf(-8 + step * i)) ** k - (1 - f) ** k for i in range(1601)]
    return step * sum(heights) if k > 1 else 0.0


def widest(tasks: Sequence[TaskSummary]) -> tuple[TaskSummary, Spread] | None:
    """The task with the largest range over its right wordings."""
    found = [(task, task.spread) for task in tasks if task.spread is not None]
    return max(found, key=lambda pair: pair[1].range, default=None)


def guard_verdict(guard: Guard) -> str:
    """`raised`, `not raised`, or `no verdict` where nothing shows that the instruction is read either."""
    if guard.raised:
        return "raised"
    drops = [drop for drop in (guard.drop_negated, guard.drop_nonsense) if drop is not None]
    shown = guard.threshold > 0 and any(drop.low >= guard.threshold for drop in drops)
    return "not raised" if shown else "no verdict"


def measure(tasks: Sequence[TaskSummary]) -> str:
    """What the scores are called: `accuracy`, or `score` where a task has a graded metric."""
    return "accuracy" if all(task.metric == "accuracy" for task in tasks) else "score"


def warnings(summary: PhrasingSummary) -> tuple[str, ...]:
    """What a reader must know before believing the numbers."""
    found = []
    if not summary.complete:
        found.append("The run is not complete: some planned cells are missing, and every number below can still move.")
    if summary.unparsed:
        share = percent(summary.unparsed / max(summary.rows, 1))
        found.append(
            f"{count(summary.unparsed, 'answer')} ({share} of all) could not be parsed; they count as not right."
        )
    if summary.truncated:
        found.append(f"{count(summary.truncated, 'prompt')} did not fit the context and were cut.")
    silent = [task.task for task in summary.tasks if task.items and task.spread is None]
    if silent:
        found.append(f"No spread can be given for {', '.join(silent)}: it takes two right wordings.")
    return tuple(found)


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
