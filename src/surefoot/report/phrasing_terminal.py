"""The phrasing probe's finding as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from surefoot.probes.phrasing.summary import ClassScore, PhrasingSummary, TaskSummary
from surefoot.report import headline as words
from surefoot.report.classes import is_right, rank
from surefoot.report.numbers import count, ends, p_bare, percent, points, visible

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

SHORT = 60


def terminal(summary: PhrasingSummary) -> Group:
    """The headline, the spread of each task and the class means, for a rich console."""
    from rich.console import Group
    from rich.text import Text

    notes = [Text(f"Note: {visible(note)}", style="yellow") for note in words.warnings(summary)]
    verdict = Text(visible(summary.guard.sentence), style="yellow" if summary.guard.raised else "")
    return Group(
        Text(visible(summary.model), style="bold"),
        Text(sentence(summary)),
        Text(),
        spread_table(summary.tasks),
        Text(),
        class_table(summary),
        Text(),
        *_extremes(summary),
        verdict,
        *notes,
    )


def sentence(summary: PhrasingSummary) -> str:
    """The finding in one sentence."""
    measure, reach = words.measure(summary.tasks).capitalize(), words.reach(summary.tasks)
    start = f"{measure} {percent(summary.mean.value)} on average ({ends(summary.mean)})"
    if reach is None:
        return f"{start}; its spread cannot be given: it takes two right wordings."
    if not reach.beyond_noise:
        return (
            f"{start}; the spread over wordings, {percent(reach.worst)} to {percent(reach.best)}, is not shown to be "
            f"more than chance: a range of {points(reach.range)} points, where equally good wordings would give "
            f"{points(reach.noise_range)}."
        )
    return (
        f"{start}, but from {percent(reach.worst)} to {percent(reach.best)} depending only on the wording: "
        f"a range of {points(reach.range)} points, where equally good wordings would give {points(reach.noise_range)}."
    )


def spread_table(tasks: tuple[TaskSummary, ...]) -> Table:
    """One line a task: chance, mean, sd beside the sd of item noise, worst and best."""
    from rich.text import Text

    table = _table(("task", "items", "chance", "mean", "sd", "noise", "p", "worst", "best", "flips", "unp."))
    for task in tasks:
        spread = task.spread
        middle = ("–",) * 6
        if spread is not None:
            middle = (
                percent(spread.mean.value),
                points(spread.sd.value),
                points(spread.noise_sd),
                p_bare(spread.p_value),
                percent(spread.worst.accuracy.value),
                percent(spread.best.accuracy.value),
            )
        cells = (f"{task.items:,}", percent(task.chance), *middle, percent(task.flip_rate), f"{task.unparsed:,}")
        table.add_row(Text(visible(task.task)), *cells)
    return table


def class_table(summary: PhrasingSummary) -> Table:
    """Mean of each class: over tasks, then each task."""
    from rich.text import Text

    names = sorted({score.klass for task in summary.tasks for score in task.classes}, key=rank)
    table = _table(("class mean", *names))
    table.add_row(Text("over tasks", style="bold"), *_cells(summary.classes, names))
    for task in summary.tasks:
        table.add_row(Text(visible(task.task)), *_cells(task.classes, names))
    return table


def _cells(scores: tuple[ClassScore, ...], names: list[str]) -> list[str]:
    found = {score.klass: percent(score.mean.value) for score in scores}
    return [found.get(name, "") for name in names]


def _extremes(summary: PhrasingSummary) -> list[Text]:
    from rich.text import Text

    found = words.widest(summary.tasks)
    if found is None:
        return []
    task, spread = found
    right = sum(is_right(wording.klass) for wording in task.wordings)
    lines = [f"Widest: {task.task}, {count(right, 'right wording')}"]
    for name, wording in (("worst", spread.worst), ("best", spread.best)):
        text = " ".join(wording.text.split())
        short = text if len(text) <= SHORT else text[: SHORT - 1] + "…"
        lines.append(f"  {name:5} {percent(wording.accuracy.value):>7}  {wording.id}: {short}")
    return [Text(visible(line), overflow="fold") for line in lines]


def _table(names: tuple[str, ...]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for i, name in enumerate(names):
        table.add_column(visible(name), justify="left" if i == 0 else "right", overflow="fold", no_wrap=i > 0)
    return table
