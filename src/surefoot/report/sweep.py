"""The report of a sweep: a picture of the classes, one line an arm, and the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from surefoot.report.classes import MEANING, rank
from surefoot.report.numbers import percent
from surefoot.report.page import Section, page, render
from surefoot.report.plain import head, table_section
from surefoot.report.record import tree
from surefoot.report.strip import place

if TYPE_CHECKING:
    from markupsafe import Markup

    from surefoot.sweeps.result import ArmFinding, Sweep


class Mark(NamedTuple):
    """The mean of a class on the scale, with its interval."""

    klass: str
    at: str
    low: str
    width: str
    mean: str
    title: str


def sweep_html(found: Sweep) -> str:
    """The whole page; everything in it is escaped."""
    sections = [Section("classes", "Classes of wordings, arm by arm", _picture(found))]
    sections += [table_section(f"table-{i}", table) for i, table in enumerate(found.tables())]
    sections.append(Section("settings", "Settings", render("settings.jinja", command="", entries=tree(found.record))))
    what = "sweep of the phrasing probe"
    return page(f"{found.model}: {what}", head(found, what), sections)


def _picture(found: Sweep) -> Markup:
    klasses = sorted({score.klass for arm in found.arms for score in arm.summary.classes}, key=rank)
    rows = [(arm.label, _marks(arm)) for arm in found.arms]
    return render("sweep.jinja", rows=rows, legend=[(klass, MEANING.get(klass, "")) for klass in klasses])


def _marks(arm: ArmFinding) -> list[Mark]:
    return [
        Mark(
            score.klass,
            place(score.mean.value),
            place(score.mean.low),
            place(score.mean.high - score.mean.low),
            percent(score.mean.value),
            f"{arm.label}, {score.klass}: {percent(score.mean.value)}",
        )
        for score in sorted(arm.summary.classes, key=lambda score: rank(score.klass))
        if score.mean.value == score.mean.value
    ]
