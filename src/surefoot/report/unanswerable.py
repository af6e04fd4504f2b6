"""An unanswerable summary on the page: the operating curve over the margin, and the tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.probes.unanswerable.summary import UnanswerableSummary
from surefoot.report.operating_curve import HIGHEST, traces
from surefoot.report.page import Section, render
from surefoot.report.plain import fragment, head, table_section, terminal
from surefoot.report.views import Evidence

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["STYLES", "fragment", "head", "sections", "terminal"]

STYLES = ("representation.css", "operating_curve.css")


def sections(summary: UnanswerableSummary, evidence: Evidence) -> Sequence[Section]:
    """The curve where there are margins, then one section a table."""
    tables = [table_section(f"table-{i}", table) for i, table in enumerate(summary.tables())]
    drawn = curve(summary, evidence)
    return tables if drawn is None else [tables[0], Section("curve", "Hallucination against error", drawn), *tables[1:]]


def curve(summary: UnanswerableSummary, evidence: Evidence) -> Markup | None:
    """The figure: a line a prompt variant, with the point where the model stands by itself; None without margins."""
    found = () if evidence.rows is None else traces(evidence.rows, summary.model)
    if not found:
        return None
    return render("operating_curve.jinja", traces=found, highest=HIGHEST, ticks=[f"{k / 5:.0%}" for k in range(6)])
