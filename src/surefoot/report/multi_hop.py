"""A multi-hop summary on the page: its tables, and for a few questions what was read and written (`timeline`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from surefoot.models.trace import Trace
from surefoot.probes.multi_hop.summary import MultiHopSummary
from surefoot.report.page import Section
from surefoot.report.plain import fragment, head, table_section, terminal
from surefoot.report.timeline import STYLE, Told, timeline
from surefoot.report.views import Evidence

if TYPE_CHECKING:
    from surefoot.runs.source import Rows

__all__ = ["STYLES", "fragment", "head", "sections", "terminal"]

STYLES = (STYLE,)
SHOWN = 4
COLUMNS = ("item", "wording", "question", "gold", "gold_documents", "text", "predicted", "outcome", "recall", "trace")


def sections(summary: MultiHopSummary, evidence: Evidence) -> Sequence[Section]:
    """The tables, then the timelines of a few questions."""
    from markupsafe import Markup

    found = [table_section(f"table-{i}", table) for i, table in enumerate(summary.tables())]
    shown = [] if evidence.rows is None else examples(evidence.rows, summary)
    if shown:
        found.append(Section("timeline", "What was read and written, and when", Markup().join(map(_one, shown))))
    return found


def examples(rows: Rows, summary: MultiHopSummary) -> list[dict[str, Any]]:
    """At most `SHOWN` rows of the wording with the highest F1: right and wrong ones in turn, in the order of items."""
    import pyarrow.compute as pc

    if summary.best is None:
        return []
    where = (pc.field("model") == summary.model) & (pc.field("task") == summary.best.task) & ~pc.field("recheck")
    own = rows.select(COLUMNS, where & (pc.field("wording") == summary.best.wording)).to_pylist()
    own.sort(key=lambda row: str(row["item"]))
    right = [row for row in own if row["outcome"] == "right"]
    wrong = [row for row in own if row["outcome"] != "right"]
    pairs = [row for k in range(SHOWN) for group in (right, wrong) for row in group[k : k + 1]]
    return pairs[:SHOWN]


def _one(row: dict[str, Any]) -> Any:
    trace = Trace.from_dict(json.loads(row["trace"])) if row["trace"] else None
    told = Told(f"{row['item']} ({row['wording']})", row["predicted"] or "", row["text"] or "", row["outcome"], trace)
    return timeline(row["question"], [told], [row["gold"]], row["gold_documents"] or ())
