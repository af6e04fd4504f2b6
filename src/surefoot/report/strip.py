"""Geometry of a strip: dots on a horizontal scale of 0 to 100 %, one lane for each class, no two dots hidden."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.probes.phrasing.summary import ClassScore, Spread, TaskSummary, WordingScore
from surefoot.report.classes import is_right, rank
from surefoot.report.numbers import percent

STEP = 9.0  # px between two dots that would cover each other
ROWS = 9  # rows of dots in a lane; more dots than fit overlap
NEAR = 0.018  # of the scale: closer dots are set apart
LEAST = 26.0  # px, height of a lane without crowding


@dataclass(frozen=True)
class Dot:
    """A wording in its lane: place on the scale in percent, height in px, what it says when pointed at."""

    x: str
    y: str
    title: str


@dataclass(frozen=True)
class Lane:
    """The wordings of one class of one task."""

    klass: str
    height: str
    middle: str
    dots: tuple[Dot, ...]
    mean: ClassScore | None
    label: str


@dataclass(frozen=True)
class Band:
    """Where equally good wordings would fall: the mean plus and minus 1.96 standard deviations of item noise."""

    x: str
    width: str


def lanes(task: TaskSummary) -> tuple[Lane, ...]:
    """One lane for each class that the task has, right ones first."""
    names = sorted({wording.klass for wording in task.wordings}, key=rank)
    means = {score.klass: score for score in task.classes}
    return tuple(_lane(name, [w for w in task.wordings if w.klass == name], means.get(name)) for name in names)


def band(spread: Spread | None) -> Band | None:
    """The noise band of a task's right wordings, cut at the ends of the scale."""
    if spread is None or math.isnan(spread.noise_sd) or math.isnan(spread.mean.value):
        return None
    low = max(0.0, spread.mean.value - 1.96 * spread.noise_sd)
    high = min(1.0, spread.mean.value + 1.96 * spread.noise_sd)
    return Band(place(low), place(high - low))


def place(share: float) -> str:
    """A share of the scale as an SVG length: `0.4125` is `41.25%`."""
    return f"{100 * share:.4g}%"


def levels(values: Sequence[float], rows: int = ROWS) -> tuple[int, ...]:
    """For each of the sorted values the row (0, 1, -1, 2, -2, ...) nearest the middle where it touches no other.

    Where all rows are taken, the dot goes to the row whose last dot is farthest.
    """
    outwards = sorted(range(-(rows // 2), rows // 2 + 1), key=lambda row: (abs(row), -row))
    last = dict.fromkeys(outwards, -math.inf)
    chosen = []
    for value in values:
        free = [row for row in outwards if value - last[row] >= NEAR]
        row = free[0] if free else min(outwards, key=lambda row: last[row])
        last[row] = value
        chosen.append(row)
    return tuple(chosen)


def _lane(klass: str, wordings: Sequence[WordingScore], mean: ClassScore | None) -> Lane:
    seen = sorted((w for w in wordings if not math.isnan(w.accuracy.value)), key=lambda w: (w.accuracy.value, w.id))
    rows = levels([w.accuracy.value for w in seen])
    reach = max((abs(row) for row in rows), default=0)
    height = max(LEAST, 2 * reach * STEP + 16)
    dots = tuple(
        Dot(place(w.accuracy.value), f"{height / 2 + row * STEP:g}", f"{w.id}: {percent(w.accuracy.value)}")
        for w, row in zip(seen, rows, strict=True)
    )
    return Lane(klass, f"{height:g}", f"{height / 2:g}", dots, mean, _label(klass, seen))


def _label(klass: str, seen: Sequence[WordingScore]) -> str:
    if not seen:
        return f"{klass}: no score"
    low, high = percent(seen[0].accuracy.value), percent(seen[-1].accuracy.value)
    kind = "right wordings" if is_right(klass) else "wordings that are not right"
    return f"{klass} ({kind}): {len(seen)}, from {low} to {high}"
