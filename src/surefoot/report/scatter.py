"""Geometry of the representation report: a scatter with its line, and the plane of states cut into panels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from surefoot.probes.representation.map import Point
from surefoot.probes.representation.summary import RepresentationSummary
from surefoot.report.numbers import percent, signed_points
from surefoot.report.strip import place

HEIGHT = 300.0  # px of the scatter
MARGIN = 0.04  # of the plane, around the outermost states


@dataclass(frozen=True)
class Dot:
    """A mark: its place as SVG lengths, its class, what it says when pointed at."""

    x: str
    y: str
    klass: str
    title: str


@dataclass(frozen=True)
class Tick:
    """A number at an axis."""

    at: str
    text: str


@dataclass(frozen=True)
class Scatter:
    """Accuracy lost (points, upwards) against scaled distance (to the right). `line` runs from left to right."""

    dots: tuple[Dot, ...]
    line: tuple[str, str, str, str] | None
    xs: tuple[Tick, ...]
    ys: tuple[Tick, ...]
    zero: str
    height: str


@dataclass(frozen=True)
class Trace:
    """All states of one wording in a panel."""

    klass: str
    title: str
    at: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Panel:
    """One task's part of the plane, wording by wording."""

    task: str
    states: int
    traces: tuple[Trace, ...]


def scatter(summary: RepresentationSummary) -> Scatter | None:
    """The target wordings of all tasks; None where none has a distance."""
    points = [
        (task.task, wording)
        for task in summary.tasks
        for wording in task.wordings
        if wording.id in task.targets and math.isfinite(wording.scaled.value) and math.isfinite(wording.lost)
    ]
    if not points:
        return None
    xs, ys = [w.scaled.value for _, w in points], [w.lost for _, w in points]
    right = 1.05 * max(*xs, 1e-9)
    low, high = min(0.0, *ys), max(0.0, *ys)
    low, high = low - 0.05 * (high - low or 1), high + 0.05 * (high - low or 1)

    def y_of(value: float) -> str:
        return f"{HEIGHT * (high - value) / (high - low):.1f}"

    line = summary.scaled.pooled
    ends = None
    if line is not None:
        left, far = min(xs), max(xs)
        heights = [line.intercept + line.slope.value * x for x in (left, far)]
        ends = (place(left / right), y_of(heights[0]), place(far / right), y_of(heights[1]))
    dots = tuple(
        Dot(
            place(w.scaled.value / right), y_of(w.lost), w.klass, _title(task, w.id, w.scaled.value, w.lost, w.accuracy)
        )
        for task, w in points
    )
    return Scatter(
        dots=dots,
        line=ends,
        xs=tuple(Tick(place(v / right), f"{v:g}") for v in ticks(0, right)),
        ys=tuple(
            Tick(y_of(v / 100), f"{v:+g}".replace("-", "−").replace("+0", "0")) for v in ticks(100 * low, 100 * high)
        ),
        zero=y_of(0),
        height=f"{HEIGHT:g}",
    )


def panels(summary: RepresentationSummary, points: Sequence[Point]) -> tuple[Panel, ...]:
    """The panels in the order of the tasks, each with the part of the plane that its own states fill."""
    klasses = {(task.task, wording.id): wording.klass for task in summary.tasks for wording in task.wordings}
    found = []
    for task in summary.tasks:
        own = [point for point in points if point.task == task.task and (task.task, point.wording) in klasses]
        if own:
            found.append(_panel(task.task, own, klasses))
    return tuple(found)


def ticks(low: float, high: float) -> tuple[float, ...]:
    """Round numbers from low to high, about five: steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not (span > 0 and math.isfinite(span)):
        return ()
    power = 10.0 ** math.floor(math.log10(span / 5))
    step = next(power * k for k in (1, 2, 5, 10) if span / (power * k) <= 6)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(k * step, 10) for k in range(first, last + 1))


def _panel(task: str, points: Sequence[Point], klasses: dict[tuple[str, str], str]) -> Panel:
    """Both directions at one scale, so that the panel does not stretch the plane."""
    middle = [(min(v) + max(v)) / 2 for v in ([p.x for p in points], [p.y for p in points])]
    reach = max(abs(v - c) for p in points for v, c in zip((p.x, p.y), middle, strict=True)) or 1.0

    def at(value: float, centre: float) -> str:
        return f"{100 * (0.5 + (0.5 - MARGIN) * (value - centre) / reach):.1f}%"

    traces = tuple(
        Trace(
            klasses[task, name],
            name,
            tuple((at(p.x, middle[0]), at(-p.y, -middle[1])) for p in points if p.wording == name),
        )
        for name in dict.fromkeys(point.wording for point in points)
    )
    return Panel(task, len(points), traces)


def _title(task: str, id: str, distance: float, lost: float, accuracy: float) -> str:
    return f"{task}, {id}: distance {distance:.2f}, accuracy {percent(accuracy)}, lost {signed_points(lost)} points"
