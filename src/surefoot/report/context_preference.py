"""A context-preference summary on the page: DiffGR of subsets, orders and slices on one scale, and the tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from surefoot.probes.context_preference.summary import ContextPreferenceSummary
from surefoot.report.page import Section, render
from surefoot.report.plain import fragment, head, table_section, terminal
from surefoot.report.strip import place
from surefoot.report.views import Evidence
from surefoot.stats.intervals import Interval

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["STYLES", "fragment", "head", "sections", "terminal"]

STYLES = ("comparison.css",)
TICKS = tuple((place((value + 1) / 2), f"{value:+g}" if value else "0") for value in (-1, -0.5, 0, 0.5, 1))


@dataclass(frozen=True)
class Bar:
    """One DiffGR: places of the dot and of its interval's ends, and what it says in numbers; no places without one."""

    name: str
    at: str
    low: str
    high: str
    value: str
    label: str


def sections(summary: ContextPreferenceSummary, evidence: Evidence) -> Sequence[Section]:  # noqa: ARG001
    """The figure, then one section a table."""
    tables = [table_section(f"table-{i}", table) for i, table in enumerate(summary.tables())]
    return [Section("preference", "Which context is preferred", figure(summary)), *tables]


def figure(summary: ContextPreferenceSummary) -> Markup:
    """The scale from the retrieved context (-1) to the generated one (1), a group for each table with a DiffGR."""
    shown = [(title, bars) for title, bars in groups(summary) if any(bar.at for bar in bars)]
    return render("preferences.jinja", groups=shown, ticks=TICKS, zero=place(0.5))


def groups(summary: ContextPreferenceSummary) -> Iterator[tuple[str, tuple[Bar, ...]]]:
    """Headings with their bars: subsets, orders that were asked, slices of each similarity."""
    yield "Which context is right", tuple(bar(one.name, one.questions, one.diff_gr) for one in summary.sets)
    orders = [one for one in summary.orders if one.questions]
    if orders:
        yield (
            "Which context stands first",
            tuple(bar(one.name.removesuffix("-first"), one.questions, one.diff_gr) for one in orders),
        )
    for curve in summary.curves:
        slices = ((f"{one.low:+.2f} to {one.high:+.2f}", one.preference) for one in curve.slices)
        bars = tuple(bar(name, own.questions, own.diff_gr) for name, own in slices)
        yield f"Which context is more similar to the question: gap in {curve.measure}", bars


def bar(name: str, questions: int, found: Interval) -> Bar:
    """DiffGR from -1 to 1 on a scale of 0 to 100 %."""
    about = f"{name}, {questions:,} questions"
    if isnan(found.value):
        return Bar(name, "", "", "", "–", f"{about}: too few for a DiffGR")
    at, low, high = (place((value + 1) / 2) for value in (found.value, found.low, found.high))
    return Bar(
        name,
        at,
        low,
        high,
        f"{found.value:+.2f}",
        f"{about}: {found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})",
    )
