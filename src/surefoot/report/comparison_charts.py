"""Geometry of a comparison's charts: a forest of differences, and wordings before against after."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from surefoot.comparison.result import Effect, WordingChange
from surefoot.report.numbers import percent, points, signed_points
from surefoot.report.strip import place

STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
MARGIN = 0.05  # around the wordings of a square
TICKS = 6  # at most, so that their labels stand apart on a phone


@dataclass(frozen=True)
class Tick:
    """A mark on the scale: its place and what is written there; a `minor` one is not labelled on a phone."""

    at: str
    label: str
    minor: bool = False


@dataclass(frozen=True)
class Line:
    """One difference: its dot, the ends of its interval (places on the scale), what it says in a word."""

    name: str
    at: str
    low: str
    high: str
    shown: str  # better | worse | none
    label: str


@dataclass(frozen=True)
class Forest:
    """Differences on one scale with 0 marked."""

    lines: tuple[Line, ...]
    ticks: tuple[Tick, ...]
    zero: str


@dataclass(frozen=True)
class Point:
    """A wording at (before, after), both in percent of the square, y downwards."""

    klass: str
    x: str
    y: str
    title: str


@dataclass(frozen=True)
class Scatter:
    """The wordings of one task in a square whose diagonal is no change."""

    task: str
    points: tuple[Point, ...]
    ticks: tuple[tuple[Tick, str], ...]  # place on x and label, place on y
    label: str


def forest(lines: Sequence[tuple[str, Effect]]) -> Forest:
    """The differences of several lines. The scale holds all intervals and 0."""
    ends = [0.0, *(end for _, effect in lines for end in (effect.difference.low, effect.difference.high))]
    low, high, step = scale(min(ends), max(ends))

    def at(value: float) -> str:
        return place((value - low) / (high - low))

    ticks = [
        Tick(at(value), signed_points(value).removesuffix(".0"), minor=round(value / step) % 2 == 1)
        for value in steps(low, high, step)
    ]
    return Forest(tuple(_line(name, effect, at) for name, effect in lines), tuple(ticks), at(0.0))


def scatter(task: str, wordings: Sequence[WordingChange]) -> Scatter:
    """Wordings before (x) against after (y)."""
    values = [value for one in wordings for value in (one.before, one.after)]
    low, high, step = scale(max(0.0, min(values) - MARGIN), min(1.0, max(values) + MARGIN))

    def share(value: float) -> float:
        return (value - low) / (high - low)

    found = tuple(
        Point(
            one.klass,
            place(share(one.before)),
            place(1 - share(one.after)),
            f"{one.wording} ({one.klass}): {percent(one.before)} to {percent(one.after)}",
        )
        for one in sorted(wordings, key=lambda one: (one.klass, one.wording))
    )
    ticks = tuple(
        (Tick(place(share(v)), points(v).removesuffix(".0")), place(1 - share(v))) for v in steps(low, high, step)
    )
    up, down = (sum(sign * (one.after - one.before) > 0 for one in wordings) for sign in (1, -1))
    return Scatter(task, found, ticks, f"{len(wordings)} wordings of {task}: {up} higher after, {down} lower")


def scale(low: float, high: float) -> tuple[float, float, float]:
    """Ends and step of a scale that holds low and high: multiples of the smallest step that needs few marks."""
    for step in STEPS:
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < TICKS:
            break
    last = max(last, first + 1)
    return first * step, last * step, step


def steps(low: float, high: float, step: float) -> list[float]:
    """The multiples of step from low to high."""
    return [low + k * step for k in range(round((high - low) / step) + 1)]


def _line(name: str, effect: Effect, at: Callable[[float], str]) -> Line:
    found = effect.difference
    shown = "none" if effect.verdict == "no difference shown" else effect.verdict
    said = f"{name}: {signed_points(found.value)} points, {signed_points(found.low)} to {signed_points(found.high)}"
    return Line(name, at(found.value), at(found.low), at(found.high), shown, f"{said}, {effect.verdict}")
