"""The flip map: wordings x items, drawn as one SVG path for each outcome, a few bytes a run of equal cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile

from surefoot.probes.phrasing.summary import ItemFlips, TaskSummary, WordingScore
from surefoot.report.classes import is_right

OUTCOMES = ("right", "wrong", "unparsed", "missing")
MAX_ITEMS = 240  # columns that a phone can still show; more are thinned evenly
MAX_CELLS = 160_000  # of the whole report


@dataclass(frozen=True)
class FlipMap:
    """Rows are right wordings, the best first; columns are items, the easiest first."""

    wordings: tuple[WordingScore, ...]
    names: tuple[str, ...]  # the wordings' ids without the beginning that they all share
    columns: int
    items: int
    paths: tuple[tuple[str, str], ...]  # outcome, SVG path data
    counts: tuple[tuple[str, int], ...]  # cells drawn of each outcome
    always: int  # items that are right under every right wording
    never: int  # under none


def flip_map(task: TaskSummary, max_items: int = MAX_ITEMS) -> FlipMap | None:
    """The task's map; None where it has no right wordings or no items."""
    right = [wording for wording in task.wordings if is_right(wording.klass)]
    if not right or not task.flips:
        return None
    order = sorted(range(len(right)), key=lambda j: best_first(right[j]))
    items = sorted(task.flips, key=lambda flips: (-flips.right_rate, flips.item))
    shown = thin(items, max_items)
    grid = [[item.outcomes[j] for item in shown] for j in order]
    return FlipMap(
        wordings=tuple(right[j] for j in order),
        names=short_names([right[j].id for j in order]),
        columns=len(shown),
        items=len(items),
        paths=tuple((outcome, path) for outcome in OUTCOMES if (path := outcome_path(grid, outcome))),
        counts=tuple((outcome, sum(row.count(outcome) for row in grid)) for outcome in OUTCOMES),
        always=sum(set(item.outcomes) == {"right"} for item in items),
        never=sum("right" not in item.outcomes for item in items),
    )


def items_each(tasks: Sequence[TaskSummary]) -> int:
    """How many items each map may show so that all maps together stay small."""
    rows = sum(sum(is_right(wording.klass) for wording in task.wordings) for task in tasks)
    return max(20, min(MAX_ITEMS, MAX_CELLS // max(rows, 1)))


def thin(items: Sequence[ItemFlips], most: int) -> list[ItemFlips]:
    """At most `most` items, evenly spaced, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(k * (len(items) - 1) / (most - 1))] for k in range(most)]


def short_names(ids: Sequence[str]) -> tuple[str, ...]:
    """The ids without the path (`task/`) that all of them begin with."""
    split = [id.split("/") for id in ids]
    folders = zip(*(parts[:-1] for parts in split), strict=False)
    shared = len(list(takewhile(lambda names: len(set(names)) == 1, folders))) if len(ids) > 1 else 0
    return tuple("/".join(parts[shared:]) for parts in split)


def best_first(wording: WordingScore) -> tuple[float, str]:
    """Sorting key: the highest score first, wordings without a score last, ties by id."""
    score = wording.accuracy.value
    return (math.inf if math.isnan(score) else -score, wording.id)


def outcome_path(grid: Sequence[Sequence[str]], outcome: str) -> str:
    """Horizontal strokes through the cells that have this outcome: `M3 0.5h4` is cells 3 to 6 of row 0."""
    strokes = []
    for y, row in enumerate(grid):
        x = 0
        for value, run in groupby(row):
            length = len(list(run))
            if value == outcome:
                strokes.append(f"M{x} {y}.5h{length}")
            x += length
    return "".join(strokes)
