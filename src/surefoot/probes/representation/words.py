"""The representation probe's finding in words and tables."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from surefoot.probes.representation.summary import ClassDistance, Degradation, RepresentationSummary
from surefoot.probes.summary import Table
from surefoot.stats.intervals import Interval
from surefoot.stats.regression import Line


def sentence(summary: RepresentationSummary) -> str:
    """How far the wordings lie apart, and whether accuracy goes with it."""
    target = summary.target
    if isnan(target.distance.value):
        why = next((task.note for task in summary.tasks if task.note), "there are no states")
        return f"No distance can be given: {why}."
    near = "the nearest reference wording's mean state" if by_centroid(summary) else "the same item's nearest reference"
    start = f"A wording's states lie {number(target.distance.value)} from {near}"
    if not isnan(target.scaled.value):
        start += f", {number(target.scaled.value)} times the distance between two items under one wording"
    return f"{start}; {effect(summary.scaled)}."


def effect(found: Degradation) -> str:
    """What the line says: the one with an intercept for each task where there is one."""
    line = found.within or found.pooled
    if line is None:
        return "no line can be fitted to accuracy against distance"
    where = "within tasks, " if line.groups > 1 else ""
    size = f"{signed(line.slope.value)} points lost per unit, {signed(line.slope.low)} to {signed(line.slope.high)}"
    numbers = f"{size}; permutation {p_of(found.permutation_p)}; r² = {r2_of(line)}; {line.n} wordings"
    if line.slope.low > 0:
        return f"{where}accuracy falls with the distance ({numbers})"
    if line.slope.high < 0:
        return f"{where}accuracy rises with the distance ({numbers})"
    return f"{where}accuracy is not shown to go with the distance ({numbers})"


def warnings(summary: RepresentationSummary) -> tuple[str, ...]:
    """What a reader must know before believing the numbers."""
    found = []
    if not summary.complete:
        found.append("The run is not complete: some planned cells are missing, and every number can still move.")
    found += [f"{task.task}: {task.note}." for task in summary.tasks if task.note]
    found += [text for text in (summary.scaled.note, summary.scaled.hangs_on) if text]
    if summary.unparsed:
        found.append(f"{summary.unparsed:,} answers could not be parsed; they count as not right.")
    if summary.truncated:
        found.append(f"{summary.truncated:,} prompts did not fit the context and were cut.")
    return tuple(found)


def task_table(summary: RepresentationSummary) -> Table:
    """One line a task: the target wordings' mean distance, raw and scaled, and the scale."""
    rows = [("over tasks", "", "", with_ends(summary.target.distance), "", with_ends(summary.target.scaled))]
    for task in summary.tasks:
        numbers = (with_ends(task.target.distance), number(task.item_scale), with_ends(task.target.scaled))
        rows.append((task.task, f"{task.items:,}", task.reference, *numbers))
    columns = ("task", "items", "reference", "l2", "between items", "scaled")
    kind = "between mean states" if by_centroid(summary) else "item by item"
    note = f"Layer {summary.layer}, {kind}; 95 % intervals over items. Scaled: divided by what is between two items."
    return Table("Distance to the nearest reference wording", columns, tuple(rows), note)


def class_table(summary: RepresentationSummary) -> Table:
    """Mean scaled distance of each class: over tasks, then each task."""
    names = [found.klass for found in summary.classes]
    lines = [("over tasks", summary.classes), *((task.task, task.classes) for task in summary.tasks)]
    return Table("Scaled distance by class", ("task", *names), tuple((name, *_cells(c, names)) for name, c in lines))


def line_table(summary: RepresentationSummary) -> Table:
    """The lines: against the scaled and the raw distance, with one intercept for all and with one for each task."""
    rows = []
    for unit, found in (("scaled", summary.scaled), ("l2", summary.raw)):
        several = found.within is not None and found.within.groups > 1
        if found.pooled is not None:
            rows.append(_line(f"{unit}, one intercept", found.pooled, None if several else found.permutation_p))
        if several and found.within is not None:
            rows.append(_line(f"{unit}, one a task", found.within, found.permutation_p))
    columns = ("line", "points lost per unit", "95 % interval", "p", "permutation p", "r²", "wordings")
    return Table("Accuracy lost against distance", columns, tuple(rows))


def by_centroid(summary: RepresentationSummary) -> bool:
    """Whether distances are between the wordings' mean states."""
    return summary.measured == "centroid"


def number(value: float) -> str:
    """Three digits; a dash for NaN."""
    return "–" if isnan(value) else f"{value:.3g}"


def signed(slope: float) -> str:
    """A slope of accuracy (0..1) in percentage points, with its sign: one decimal, or two digits of a small one."""
    value = 100 * slope
    return f"{value:+.1f}".replace("-", "−") if abs(value) >= 1 or not value else f"{value:+.2g}".replace("-", "−")


def with_ends(interval: Interval) -> str:
    """`12.3 (11.8 to 12.9)`, or the number alone where there is no interval."""
    ends = "" if isnan(interval.low) else f" ({number(interval.low)} to {number(interval.high)})"
    return number(interval.value) + ends


def r2_of(line: Line) -> str:
    """Two digits; a dash where accuracy does not vary."""
    return "–" if isnan(line.r2) else f"{line.r2:.2f}"


def p_of(p: float) -> str:
    """`p = 0.032`, `p < 0.001`."""
    return "p –" if isnan(p) else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _line(name: str, line: Line, permutation_p: float | None) -> tuple[str, ...]:
    ends = f"{signed(line.slope.low)} to {signed(line.slope.high)}"
    ps = ("" if p is None else p_of(p).removeprefix("p ").removeprefix("= ") for p in (line.p_value, permutation_p))
    return name, signed(line.slope.value), ends, *ps, r2_of(line), str(line.n)


def _cells(classes: Sequence[ClassDistance], names: Sequence[str]) -> tuple[str, ...]:
    found = {c.klass: c.scaled.value for c in classes}
    return tuple("" if name not in found else "–" if isnan(found[name]) else f"{found[name]:.2f}" for name in names)
