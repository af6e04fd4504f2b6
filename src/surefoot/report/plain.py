"""A summary as its sentence and its tables: how a probe is shown that does not draw (see `surefoot.report.views`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.probes.summary import Table, Tabular
from surefoot.report.numbers import visible
from surefoot.report.page import Section, render
from surefoot.report.views import Evidence

if TYPE_CHECKING:
    from markupsafe import Markup
    from rich.console import Group
    from rich.table import Table as RichTable


STYLES: Sequence[str] = ()


def terminal(summary: Tabular) -> Group:
    """The model, the sentence, the tables, the warnings."""
    from rich.console import Group
    from rich.text import Text

    parts: list[Text | RichTable] = [Text(visible(summary.model), style="bold"), Text(visible(summary.sentence()))]
    for table in summary.tables():
        parts += [Text(), Text(visible(table.title), style="bold"), rich_table(table)]
        parts += [Text(visible(table.note))] if table.note else []
    notes = [Text(f"Note: {visible(note)}", style="yellow") for note in summary.warnings()]
    return Group(*parts, *notes)


def rich_table(table: Table) -> RichTable:
    """The table for a rich console: numbers to the right."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    found = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for i, name in enumerate(table.columns):
        found.add_column(visible(name), justify="left" if i == 0 else "right", overflow="fold", no_wrap=i > 0)
    for row in table.rows:
        found.add_row(*(Text(visible(cell)) for cell in row))
    return found


def fragment(summary: Tabular) -> Markup:
    """The sentence and the tables."""
    return render("plain_fragment.jinja", summary=summary, tables=summary.tables(), warnings=summary.warnings())


def head(summary: Tabular, what: str = "") -> Markup:
    """The finding in a sentence, and the warnings; `what` says what was done, where that is not one probe."""
    what = what or f"{summary.probe} probe"
    return render("plain_head.jinja", summary=summary, what=what, warnings=summary.warnings())


def sections(summary: Tabular, evidence: Evidence) -> Sequence[Section]:  # noqa: ARG001
    """One section a table."""
    return [table_section(f"table-{i}", table) for i, table in enumerate(summary.tables())]


def table_section(id: str, table: Table) -> Section:
    """A table with its heading and what is to be said of it."""
    return Section(id, table.title, render("plain_table.jinja", table=table))
