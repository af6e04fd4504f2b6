"""A representation summary on the page, in a notebook and in the terminal (see `surefoot.report.views`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.probes.representation.map import MISSING, Point, state_map, stored_map
from surefoot.probes.representation.summary import RepresentationSummary
from surefoot.probes.representation.words import by_centroid, effect, number, r2_of, with_ends
from surefoot.report import phrasing
from surefoot.report.classes import MEANING, rank
from surefoot.report.page import Section, render
from surefoot.report.plain import fragment, table_section, terminal
from surefoot.report.scatter import panels, scatter
from surefoot.report.views import Evidence

if TYPE_CHECKING:
    from markupsafe import Markup

__all__ = ["STYLES", "fragment", "head", "sections", "terminal"]

STYLES = ("representation.css",)


def head(summary: RepresentationSummary) -> Markup:
    """The finding in words, the warnings, and four figures."""
    return render(
        "representation_head.jinja",
        summary=summary,
        line=summary.scaled.within or summary.scaled.pooled,
        effect=effect(summary.scaled),
        number=number,
        r2_of=r2_of,
        with_ends=with_ends,
        mean_states=by_centroid(summary),
        references=sorted({task.reference for task in summary.tasks}),
    )


def sections(summary: RepresentationSummary, evidence: Evidence) -> Sequence[Section]:
    """Distance and accuracy, tasks, classes, the plane of states, wordings, noise, and how to read them."""
    tasks, classes, lines = summary.tables()
    legend = [(name, MEANING.get(name, "")) for name in _classes(summary)]
    wordings = render("representation_wordings.jinja", tasks=summary.tasks, number=number)
    noise = render("representation_noise.jinja", noise=summary.state_noise, target=summary.target, number=number)
    return [
        _accuracy(summary, legend),
        table_section("lines", lines),
        table_section("tasks", tasks),
        table_section("classes", classes),
        _plane(summary, evidence, legend),
        Section("wordings", "All wordings", wordings),
        phrasing.noise(summary.noise, summary.rows),
        Section("state-noise", "Noise floor of the states", noise),
        Section("how", "How to read this", render("representation_how.jinja", layer=summary.layer)),
    ]


def _accuracy(summary: RepresentationSummary, legend: Sequence[tuple[str, str]]) -> Section:
    """A mark for each target wording: accuracy lost against the scaled distance, with the line."""
    drawing = scatter(summary)
    shown = {dot.klass for dot in drawing.dots} if drawing else set()
    body = render(
        "representation_accuracy.jinja",
        drawing=drawing,
        note=summary.scaled.note,
        effect=effect(summary.scaled),
        legend=[line for line in legend if line[0] in shown],
    )
    return Section("accuracy", "Distance and accuracy", body)


def _plane(summary: RepresentationSummary, evidence: Evidence, legend: Sequence[tuple[str, str]]) -> Section:
    """One panel a task of the joint plane."""
    points = _points(summary, evidence)
    found = panels(summary, points)
    body = render("representation_plane.jinja", panels=found, points=len(points), legend=legend, missing=MISSING)
    return Section("plane", "The states in a plane", body)


def _points(summary: RepresentationSummary, evidence: Evidence) -> tuple[Point, ...]:
    if evidence.rows is None:
        return ()
    stored = stored_map(evidence.rows, summary.model)
    names = [task.task for task in summary.tasks]
    return stored or state_map(evidence.rows, summary.model, names, summary.points, summary.seed)


def _classes(summary: RepresentationSummary) -> list[str]:
    return sorted({wording.klass for task in summary.tasks for wording in task.wordings}, key=rank)
