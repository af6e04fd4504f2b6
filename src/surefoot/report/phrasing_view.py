"""A phrasing summary on the page, in a notebook and in the terminal (see `surefoot.report.views`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.probes.phrasing.summary import PhrasingSummary, TaskSummary
from surefoot.report import headline as words
from surefoot.report import phrasing
from surefoot.report.answers import TaskAnswers, answers_of
from surefoot.report.page import Section, render
from surefoot.report.phrasing_terminal import terminal
from surefoot.report.views import Evidence

if TYPE_CHECKING:
    from markupsafe import Markup

    from surefoot.probes.class_comparison import ClassComparison

STYLES: Sequence[str] = ()
__all__ = ["STYLES", "fragment", "head", "sections", "terminal"]


def head(summary: PhrasingSummary) -> Markup:
    """The finding in words, the warnings, and four figures."""
    return phrasing.headline(summary)


def sections(summary: PhrasingSummary, evidence: Evidence) -> Sequence[Section]:
    """Spread, classes, guard, flips, variance, answers, wordings, noise, and how to read them."""
    tasks, answers = summary.tasks, _answers(summary, evidence)
    found = [
        phrasing.spread(tasks),
        phrasing.class_means(tasks, summary.classes),
        phrasing.guard(summary),
        _two_classes(tasks, evidence.comparison),
        phrasing.flips(tasks),
        phrasing.variance(tasks),
        phrasing.answers(answers) if answers else None,
        phrasing.wordings(tasks, evidence.first_prompts),
        phrasing.noise(summary.noise, summary.rows),
        phrasing.how_to_read(),
    ]
    return [section for section in found if section is not None]


def fragment(summary: PhrasingSummary) -> Markup:
    """The headline and one line a task."""
    return render(
        "fragment.jinja",
        summary=summary,
        reach=words.reach(summary.tasks),
        measure=words.measure(summary.tasks),
        warnings=words.warnings(summary),
    )


def _answers(summary: PhrasingSummary, evidence: Evidence) -> tuple[TaskAnswers, ...]:
    rows = evidence.rows
    return () if rows is None else answers_of(rows, summary.model, [task.task for task in summary.tasks])


def _two_classes(tasks: Sequence[TaskSummary], comparison: ClassComparison | None) -> Section | None:
    pair = (comparison.left, comparison.right) if comparison else phrasing.right_pair(tasks)
    return phrasing.two_classes(tasks, *pair, comparison) if pair else None
