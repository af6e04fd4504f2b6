"""Which functions show which probe's summary. A probe without a line here is shown as its sentence and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast

from surefoot.probes.first_prompts import FirstPrompt
from surefoot.probes.summary import Summary
from surefoot.report.page import Section

if TYPE_CHECKING:
    from markupsafe import Markup
    from rich.console import Group

    from surefoot.runs.source import Rows

VIEWS: Mapping[str, str] = {
    "phrasing": "surefoot.report.phrasing_view",
    "representation": "surefoot.report.representation",
    "multi-hop": "surefoot.report.multi_hop",
    "unanswerable": "surefoot.report.unanswerable",
    "context-preference": "surefoot.report.context_preference",
}
DEFAULT = "surefoot.report.plain"


@dataclass(frozen=True)
class Evidence:
    """What a report shows beside the summary: the run's record, first prompts, rows, a comparison of classes."""

    record: Mapping[str, Any] = field(default_factory=dict)
    first_prompts: Sequence[FirstPrompt] = ()
    rows: Rows | None = None
    comparison: Any = None


class View(Protocol):
    """The functions of a module that shows a summary. Whatever text they are given they escape.

    `STYLES` names files beside `surefoot.css` that its page needs as well.
    """

    STYLES: Sequence[str]

    def terminal(self, summary: Any) -> Group:
        """For a rich console."""
        ...

    def fragment(self, summary: Any) -> Markup:
        """For a notebook; it brings no style sheet."""
        ...

    def head(self, summary: Any) -> Markup:
        """The top of the page."""
        ...

    def sections(self, summary: Any, evidence: Evidence) -> Sequence[Section]:
        """The page's sections; settings and versions are added to them."""
        ...


def view_of(summary: Summary) -> View:
    """The functions for this probe's summaries."""
    return cast(View, import_module(VIEWS.get(summary.probe, DEFAULT)))
