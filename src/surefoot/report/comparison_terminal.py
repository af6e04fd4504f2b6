"""A comparison as sentences and tables for a terminal and a notebook."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.comparison.result import Change, Comparison, Effect, Flip, Pair
from surefoot.probes.summary import Table
from surefoot.report.numbers import NOTHING, count, ends, p_bare, percent, points, signed_points, visible

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

QUANTITIES = (
    ("mean", "mean over right wordings"),
    ("spread", "spread beyond item noise"),
    ("worst", "worst wording"),
)
FLIPS = 5


def comparison_table(comparison: Comparison) -> Group:
    """All pairs, for a rich console."""
    from rich.console import Group

    return Group(*(part for pair in comparison.pairs for part in _pair(pair)))


def comparison_text(comparison: Comparison, width: int = 110) -> str:
    """The same as plain text without colours, for files and pipes."""
    from rich.console import Console

    file = io.StringIO()
    console = Console(file=file, width=width, color_system=None, force_terminal=False, emoji=False)
    console.print(comparison_table(comparison))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def tables_of(pair: Pair) -> list[Table]:
    """One table for each quantity that there is, one line a task, over tasks first; then the classes over tasks."""
    lines = lines_of(pair)
    found = [effect_table(title, [(line.task, getattr(line, name)) for line in lines]) for name, title in QUANTITIES]
    return [table for table in (*found, class_table(pair.overall)) if table.rows]


def lines_of(pair: Pair) -> tuple[Change, ...]:
    """Over tasks first, then the tasks; one line where there is one task."""
    return pair.tasks if len(pair.tasks) == 1 else (pair.overall, *pair.tasks)


def effect_table(title: str, lines: Sequence[tuple[str, Effect | None]]) -> Table:
    """Before, after, paired difference with its interval, p-values, verdict; in points."""
    columns = (title, "before", "after", "change", "95 % interval", "p", "corrected", "verdict")
    return Table(title, columns, tuple((name, *effect_cells(effect)) for name, effect in lines if effect is not None))


def effect_cells(effect: Effect) -> tuple[str, ...]:
    """The cells of `effect_table`."""
    return (
        points(effect.before),
        points(effect.after),
        signed_points(effect.difference.value),
        ends(effect.difference, signed=True),
        p_bare(effect.p_value),
        p_bare(effect.p_corrected),
        effect.verdict,
    )


def class_table(overall: Change) -> Table:
    """Mean accuracy of each other class, and the drop from right wordings to it."""
    columns = ("class of wordings", "before", "after", "change", "95 % interval", "drop before", "after", "corrected")
    rows = []
    for one in overall.classes:
        mean, drop = effect_cells(one.mean)[:4], (NOTHING,) * 3
        if one.drop is not None:
            drop = (points(one.drop.before), points(one.drop.after), p_bare(one.drop.p_corrected))
        rows.append((one.klass, *mean, *drop))
    return Table("classes", columns, tuple(rows))


def flip_words(flip: Flip) -> str:
    """`reviews 17: 86.7 % to 13.3 %`; the task is left out where the item's id begins with it."""
    name = flip.item if flip.item.startswith(flip.task) else f"{flip.task} {flip.item}"
    return f"{name}: {percent(flip.before)} to {percent(flip.after)}"


def _pair(pair: Pair) -> list[RenderableType]:
    from rich.text import Text

    from surefoot.report.plain import rich_table

    parts: list[RenderableType] = [Text(visible(f"before: {pair.before}\nafter:  {pair.after}"), style="bold"), Text()]
    parts += [Text(visible(sentence)) for sentence in pair.sentences]
    for table in tables_of(pair):
        parts += [Text(), rich_table(table)]
    parts += [Text(), *(Text(visible(line)) for line in _flips(pair))]
    parts += [Text(f"Note: {visible(warning)}", style="yellow") for warning in pair.warnings]
    return [*parts, Text()]


def _flips(pair: Pair) -> list[str]:
    if not pair.flips:
        return ["No item's score changed under any right wording."]
    lost = [flip for flip in pair.flips if flip.after < flip.before]
    gained = sum(flip.after > flip.before for flip in pair.flips)
    head = (
        f"{count(len(pair.flips), 'item')} changed: {len(lost)} lost, {gained} gained on average over right wordings."
    )
    told = [f"Lost most: {'; '.join(flip_words(flip) for flip in lost[:FLIPS])}."] if lost else []
    return [head, *told]
