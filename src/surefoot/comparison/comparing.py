"""`compare`: runs of one probe on the same items, paired, tested, corrected for what was looked at, and put in words.

A baseline run and each other one are aligned by task, wording and item. For a task with n items and the right wordings
j = 1..J, with the wordings' means c_j, what is compared is their mean, their standard deviation beyond item noise, and
their minimum; over tasks, the unweighted mean of the tasks' differences. Intervals resample items, p-values exchange
before and after of single items, always with all wordings of an item together, since its answers under several wordings
are not independent. Formulas, sources and limits: docs/compare.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from surefoot.comparison import words
from surefoot.comparison.align import Alignment, align
from surefoot.comparison.effects import TaskEffects, effects_of, estimates_over
from surefoot.comparison.lines import change, corrected
from surefoot.comparison.listing import flips_of, wordings_of
from surefoot.comparison.result import LEVEL, Change, Comparison, Noise, Pair, RunNamed
from surefoot.comparison.sides import Side, differences, sides_of
from surefoot.errors import BadInput

if TYPE_CHECKING:
    from surefoot.probes.reading import Reading


class Finding(NamedTuple):
    """A run and the baseline: what was aligned, and what each task says."""

    side: Side
    alignment: Alignment
    tasks: tuple[TaskEffects, ...]


def compare(
    before: Reading | str | os.PathLike[str],
    after: Reading | str | os.PathLike[str],
    *more: Reading | str | os.PathLike[str],
    common: bool = False,
    seen: bool = False,
    detect: float = 2.0,
    seed: int = 0,
) -> Comparison:
    """Compare runs of the same cells with the first one.

    before, after, more: readings, or run folders (finished or not; their tasks are not loaded again). common: compare
    the cells that both runs hold instead of refusing runs that hold different ones. seen: compare also the items and
    wordings that a model was trained on, which are left out otherwise. detect: the difference, in
    percentage points, for which the number of items needed is given. seed: of resampling and permutation.

    Raises `BadInput` for a run given twice, runs of different probes, a folder that is no run, and runs that do not ask
    the same, with a list of the differences.

    >>> print(compare("runs/before", "runs/after"))  # doctest: +SKIP
    """
    return compare_runs([before, after, *more], common=common, seen=seen, detect=detect, seed=seed)


def compare_runs(
    runs: Sequence[Reading | str | os.PathLike[str]],
    *,
    common: bool = False,
    seen: bool = False,
    detect: float = 2.0,
    seed: int = 0,
) -> Comparison:
    """As `compare`, for runs in a list, the baseline first."""
    if not 0 < detect <= 100:
        raise BadInput(f"detect is {detect}; give a difference in percentage points, above 0 and at most 100.")
    base, *others = sides_of(runs)
    aligned = [align(base, side, common=common, seen=seen) for side in others]
    findings = [
        Finding(side, one, tuple(effects_of(task, seed) for task in one.tasks))
        for side, one in zip(others, aligned, strict=True)
    ]
    return Comparison(
        runs=tuple(RunNamed(side.label, side.path, side.record) for side in (base, *others)),
        pairs=_pairs(base, findings, detect / 100, seed),
        common=common,
        detect=detect / 100,
        seed=seed,
    )


def _pairs(base: Side, findings: Sequence[Finding], detect: float, seed: int) -> tuple[Pair, ...]:
    """The pairs, p-values corrected over all tasks of all pairs, and for the lines over tasks over the pairs."""
    lines = [task for finding in findings for task in finding.tasks]
    by_task = iter(corrected([task.estimates for task in lines]))
    overall = corrected([estimates_over(finding.tasks, seed) for finding in findings])
    pairs = []
    for finding, effects in zip(findings, overall, strict=True):
        tasks = tuple(change(one.task.task, [one], next(by_task), detect, LEVEL / len(lines)) for one in finding.tasks)
        together = change("over tasks", finding.tasks, effects, detect, LEVEL / len(findings))
        pairs.append(_pair(base, finding, together, tasks))
    return tuple(pairs)


def _pair(base: Side, finding: Finding, overall: Change, tasks: tuple[Change, ...]) -> Pair:
    aligned, other = finding.alignment, finding.side
    cells = sum(task.scores.before[:, task.right].size for task in aligned.tasks)
    both = (base.cells, other.cells)
    noise = Noise(
        rechecked=sum(side.rechecked for side in both),
        changed=sum(side.changed for side in both),
        cells=cells,
        moved=sum(task.moved for task in aligned.tasks),
    )
    settings = differences(base.record, other.record)
    return Pair(
        before=base.label,
        after=other.label,
        sentences=words.sentences(overall, tasks, noise),
        warnings=(*aligned.notes, *words.warnings(base, other, overall, tasks, noise)),
        overall=overall,
        tasks=tasks,
        flips=flips_of(aligned.tasks),
        wordings=wordings_of(aligned.tasks),
        noise=noise,
        left_out=aligned.left_out,
        settings=settings,
    )
