"""One self-contained HTML file from a run, and the fragment that a notebook shows."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput, OutOfSpace
from surefoot.probes.first_prompts import FirstPrompt
from surefoot.probes.phrasing_summary import PhrasingSummary, TaskSummary
from surefoot.report import headline as words
from surefoot.report import phrasing
from surefoot.report.answers import TaskAnswers, answers_of
from surefoot.report.page import Section, page, render

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.probes.class_comparison import ClassComparison


def write_report(
    path: str | Path,
    summary: PhrasingSummary,
    *,
    record: Mapping[str, Any],
    first_prompts: Sequence[FirstPrompt] = (),
    rows: pa.Table | None = None,
    comparison: ClassComparison | None = None,
) -> Path:
    """Write the report of a phrasing run into one HTML file that opens without network; returns its path.

    `record` is the content of `run.json`. `rows` (columns of `ROW_SCHEMA`) adds where the chosen options stood and
    examples of unparsed answers. `comparison` (`compare_classes`) sets two classes side by side with intervals;
    without it observed and unobserved wordings, or the first two classes of right ones, stand there without.

    The same input gives the same bytes. The file takes its name only when it is finished. Raises `BadInput` for a
    path that cannot be written, `OutOfSpace` for a full disk.
    """
    return write_text(
        path, report_html(summary, record=record, first_prompts=first_prompts, rows=rows, comparison=comparison)
    )


def report_html(
    summary: PhrasingSummary,
    *,
    record: Mapping[str, Any],
    first_prompts: Sequence[FirstPrompt] = (),
    rows: pa.Table | None = None,
    comparison: ClassComparison | None = None,
) -> str:
    """The report as a string; see `write_report`."""
    title = f"{summary.model}: phrasing probe"
    found = _answers(rows, summary)
    tasks = summary.tasks
    sections = [
        phrasing.spread(tasks),
        phrasing.class_means(tasks, summary.classes),
        phrasing.guard(summary),
        _two_classes(tasks, comparison),
        phrasing.flips(tasks),
        phrasing.variance(tasks),
        phrasing.answers(found) if found else None,
        phrasing.wordings(tasks, first_prompts),
        phrasing.noise(summary.noise, summary.rows),
        phrasing.settings(record),
        phrasing.how_to_read(),
    ]
    return page(title, phrasing.headline(summary), [section for section in sections if section is not None])


def summary_html(summary: PhrasingSummary) -> str:
    """A small HTML fragment for notebooks: the headline and one line a task. Escaped; it brings no style sheet."""
    return str(
        render(
            "fragment.jinja",
            summary=summary,
            reach=words.reach(summary.tasks),
            measure=words.measure(summary.tasks),
            warnings=words.warnings(summary),
        )
    )


def _answers(rows: pa.Table | None, summary: PhrasingSummary) -> tuple[TaskAnswers, ...]:
    return () if rows is None else answers_of(rows, summary.model, [task.task for task in summary.tasks])


def _two_classes(tasks: Sequence[TaskSummary], comparison: ClassComparison | None) -> Section | None:
    pair = (comparison.left, comparison.right) if comparison else phrasing.right_pair(tasks)
    return phrasing.two_classes(tasks, *pair, comparison) if pair else None


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
