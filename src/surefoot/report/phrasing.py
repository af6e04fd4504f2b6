"""The sections of a phrasing report, one function each; a section takes what it shows and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.probes.first_prompts import FirstPrompt
from surefoot.probes.phrasing.summary import ClassScore, NoiseFloor, PhrasingSummary, TaskSummary, WordingScore
from surefoot.report import headline as words
from surefoot.report.answers import TaskAnswers
from surefoot.report.classes import MEANING, is_right, rank
from surefoot.report.flipmap import best_first, flip_map, items_each
from surefoot.report.page import Section, render
from surefoot.report.prompts import prompt_views
from surefoot.report.strip import band, lanes

if TYPE_CHECKING:
    from markupsafe import Markup

    from surefoot.probes.class_comparison import ClassComparison


def headline(summary: PhrasingSummary) -> Markup:
    """The finding in words, the warnings, and four figures."""
    return render(
        "headline.jinja",
        summary=summary,
        measure=words.measure(summary.tasks),
        reach=words.reach(summary.tasks),
        widest=words.widest(summary.tasks),
        warnings=words.warnings(summary),
        verdict=words.guard_verdict(summary.guard),
        raised_on=sum(task.guard.raised for task in summary.tasks) if len(summary.tasks) > 1 else 0,
        wordings=sum(is_right(wording.klass) for task in summary.tasks for wording in task.wordings),
    )


def spread(tasks: Sequence[TaskSummary]) -> Section:
    """A dot for each wording, in lanes by class, with the chance line and the noise band; widest task first."""
    ordered = sorted(tasks, key=lambda task: -(task.spread.range if task.spread else -1.0))
    rows = [(task, lanes(task), band(task.spread)) for task in ordered]
    body = render("spread.jinja", rows=rows, legend=[(name, MEANING.get(name, "")) for name in classes_of(tasks)])
    return Section("spread", "Spread over wordings", body)


def class_means(tasks: Sequence[TaskSummary], overall: Sequence[ClassScore]) -> Section:
    """Mean of each class on each task and over tasks, with intervals."""
    names = classes_of(tasks)
    return Section(
        "classes",
        "Class means",
        render(
            "classes.jinja", names=names, overall=_by_class(overall), rows=[(t, _by_class(t.classes)) for t in tasks]
        ),
    )


def guard(summary: PhrasingSummary) -> Section:
    """Does accuracy depend on what is asked: drops under negated, nonsense and incorrect wordings."""
    rows = [(task, words.guard_verdict(task.guard)) for task in summary.tasks]
    body = render("guard.jinja", overall=summary.guard, verdict=words.guard_verdict(summary.guard), rows=rows)
    return Section("guard", "Does it follow the instruction?", body)


def two_classes(
    tasks: Sequence[TaskSummary], first: str, second: str, comparison: ClassComparison | None = None
) -> Section:
    """Any two classes side by side on the tasks that have both: means, standard deviations, difference, signs.

    With the `comparison` of the same two classes, the differences have intervals and the signs a test.
    """
    pairs = []
    for task in tasks:
        found = _by_class(task.classes)
        if first in found and second in found:
            pairs.append((task, found[first], found[second]))
    gaps = dict(zip((gap.task for gap in comparison.tasks), comparison.gaps, strict=True)) if comparison else {}
    body = render(
        "two_classes.jinja",
        first=first,
        second=second,
        pairs=pairs,
        below=sum(b.mean.value < a.mean.value for _, a, b in pairs),
        gaps=gaps,
        comparison=comparison,
    )
    return Section("two-classes", f"{first.capitalize()} and {second} wordings", body)


def right_pair(tasks: Sequence[TaskSummary]) -> tuple[str, str] | None:
    """The two classes of right wordings to set side by side: observed and unobserved, else the first two there are."""
    present = [name for name in classes_of(tasks) if is_right(name)]
    if {"observed", "unobserved"} <= set(present):
        return "observed", "unobserved"
    return (present[0], present[1]) if len(present) > 1 else None


def flips(tasks: Sequence[TaskSummary]) -> Section:
    """Which items turn right or wrong when only the wording changes."""
    most = items_each(tasks)
    maps = [(task, found) for task in tasks if (found := flip_map(task, most)) is not None]
    return Section("flips", "Items that flip", render("flips.jinja", maps=maps))


def variance(tasks: Sequence[TaskSummary]) -> Section:
    """How much of the variance of single answers comes from frame, wording, item and the rest."""
    sources = tuple(dict.fromkeys(share.source for task in tasks for share in task.variance))
    rows = [(task, {share.source: share.share for share in task.variance}) for task in tasks if task.variance]
    return Section("variance", "Where the variance comes from", render("variance.jinja", sources=sources, rows=rows))


def wordings(tasks: Sequence[TaskSummary], first_prompts: Sequence[FirstPrompt]) -> Section:
    """Every wording in full with its score, best first within its class, and the first prompt it made."""
    rows = [(task, sorted(task.wordings, key=_class_then_best)) for task in tasks]
    body = render("wordings.jinja", rows=rows, prompts=prompt_views(first_prompts))
    return Section("wordings", "All wordings and their first prompts", body)


def answers(found: Sequence[TaskAnswers]) -> Section:
    """Places of the chosen options beside those of the right ones, and examples of what could not be parsed."""
    return Section("answers", "What was answered", render("answers.jinja", found=found))


def noise(floor: NoiseFloor, rows: int) -> Section:
    """How many answers changed when the same cells were computed in another batch shape."""
    return Section("noise", "Noise floor of the machine", render("noise.jinja", floor=floor, rows=rows))


def how_to_read() -> Section:
    """What the words and figures mean, with the formulas."""
    return Section("how", "How to read this", render("how.jinja"))


def classes_of(tasks: Sequence[TaskSummary]) -> list[str]:
    """The classes that occur, in reading order."""
    return sorted({wording.klass for task in tasks for wording in task.wordings}, key=rank)


def _by_class(scores: Sequence[ClassScore]) -> dict[str, ClassScore]:
    return {score.klass: score for score in scores}


def _class_then_best(wording: WordingScore) -> tuple[int, float, str]:
    group = -1 if is_right(wording.klass) else rank(wording.klass)
    return group, *best_first(wording)
