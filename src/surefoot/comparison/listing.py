"""Items and wordings one by one: which were lost, which were gained."""

from __future__ import annotations

from collections.abc import Sequence

from surefoot.comparison.align import Aligned
from surefoot.comparison.result import Flip, WordingChange


def flips_of(tasks: Sequence[Aligned]) -> tuple[Flip, ...]:
    """The items whose score changed under some right wording, those that lost most first."""
    found = [flip for task in tasks for flip in _flips(task)]
    return tuple(sorted(found, key=lambda flip: (flip.after - flip.before, -flip.lost, flip.task, flip.item)))


def wordings_of(tasks: Sequence[Aligned]) -> tuple[WordingChange, ...]:
    """Every wording's mean score before and after."""
    return tuple(change for task in tasks for change in _wordings(task))


def _flips(task: Aligned) -> list[Flip]:
    scores = task.scores.only(task.right)
    lost, gained = ((change < 0).sum(axis=1) for change in (scores.after - scores.before, scores.before - scores.after))
    columns = zip(
        task.items,
        scores.before.mean(axis=1).tolist(),
        scores.after.mean(axis=1).tolist(),
        lost.tolist(),
        gained.tolist(),
        strict=True,
    )
    return [Flip(task.task, *values) for values in columns if values[3] or values[4]]


def _wordings(task: Aligned) -> list[WordingChange]:
    before, after = (side.mean(axis=0).tolist() for side in (task.scores.before, task.scores.after))
    lines = zip(task.wordings, task.klasses, before, after, strict=True)
    return [WordingChange(task.task, *line) for line in lines]
