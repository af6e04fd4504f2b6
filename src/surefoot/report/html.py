"""One self-contained HTML file from a run, the fragment that a notebook shows, and the same for a terminal."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput, OutOfSpace
from surefoot.probes.first_prompts import FirstPrompt
from surefoot.probes.summary import Summary
from surefoot.report.page import Section, page, render
from surefoot.report.record import command_of, tree
from surefoot.report.views import Evidence, view_of
from surefoot.runs.trained import trained_note

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Group

    from surefoot.probes.class_comparison import ClassComparison
    from surefoot.runs.source import Rows


def write_report(
    path: str | Path,
    summary: Summary,
    *,
    record: Mapping[str, Any],
    first_prompts: Sequence[FirstPrompt] = (),
    rows: Rows | pa.Table | None = None,
    comparison: ClassComparison | None = None,
) -> Path:
    """Write the report of a run into one HTML file that opens without network; returns its path.

    `record` is the content of `run.json`. `rows` adds what the summary does not hold: of the phrasing probe, where the
    chosen options stood and examples of unparsed answers. `comparison` (`compare_classes`) sets two classes of a
    phrasing run side by side with intervals; without it observed and unobserved wordings, or the first two classes of
    right ones, stand there without.

    The same input gives the same bytes. The file takes its name only when it is finished. Raises `BadInput` for a
    path that cannot be written, `OutOfSpace` for a full disk.
    """
    return write_text(
        path, report_html(summary, record=record, first_prompts=first_prompts, rows=rows, comparison=comparison)
    )


def report_html(
    summary: Summary,
    *,
    record: Mapping[str, Any],
    first_prompts: Sequence[FirstPrompt] = (),
    rows: Rows | pa.Table | None = None,
    comparison: ClassComparison | None = None,
) -> str:
    """The report as a string; see `write_report`."""
    from markupsafe import Markup

    view = view_of(summary)
    evidence = Evidence(record, first_prompts, None if rows is None else _rows(rows), comparison)
    title = f"{summary.model}: {summary.probe} probe"
    sections = [*view.sections(summary, evidence), settings_section(record)]
    note = trained_note(record)
    head = view.head(summary) + (render("notice.jinja", note=note) if note else Markup())
    return page(title, head, sections, view.STYLES)


def settings_section(record: Mapping[str, Any]) -> Section:
    """Everything the run wrote down about itself, and the command that repeats it."""
    command = command_of(record)
    entries = tree({name: value for name, value in record.items() if not (command and name == "argv")})
    return Section("settings", "Settings and versions", render("settings.jinja", command=command, entries=entries))


def summary_html(summary: Summary) -> str:
    """A small HTML fragment for notebooks: the finding and its tables. Escaped; it brings no style sheet."""
    return str(view_of(summary).fragment(summary))


def summary_table(summary: Summary) -> Group:
    """The finding and its tables, for a rich console."""
    return view_of(summary).terminal(summary)


def summary_text(summary: Summary, width: int = 110) -> str:
    """The same as plain text without colours, for files and pipes."""
    from rich.console import Console

    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None, force_terminal=False, emoji=False)
    console.print(summary_table(summary))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _rows(rows: Rows | pa.Table) -> Rows:
    from surefoot.runs.source import Rows

    return Rows.of(rows)


def write_text(path: str | Path, text: str) -> Path:
    """Write a whole file or none. Raises `BadInput` for a path that cannot be written, `OutOfSpace` for a full disk."""
    target = Path(path)
    if target.is_dir():
        raise BadInput(f'"{target}" is a folder; name a file in it, for instance "{target / "report.html"}".')
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(text.encode("utf-8"))
        unfinished.replace(target)
    except OSError as error:
        unfinished.unlink(missing_ok=True) if target.parent.is_dir() else None
        if error.errno == errno.ENOSPC:
            raise OutOfSpace(
                f'The disk is full, so "{target}" was not written; free some space and try again.'
            ) from None
        raise BadInput(f'"{target}" cannot be written ({error.strerror}); choose another path.') from None
    return target
