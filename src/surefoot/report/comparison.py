"""The report of a comparison: one HTML file, and the fragment that a notebook shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.comparison.result import Comparison, Pair
from surefoot.report.classes import MEANING, rank
from surefoot.report.comparison_charts import forest, scatter
from surefoot.report.comparison_terminal import QUANTITIES, lines_of, tables_of
from surefoot.report.page import Section, page, render
from surefoot.report.record import command_of, tree

if TYPE_CHECKING:
    from markupsafe import Markup

LOST, GAINED = 40, 20  # items listed


def report_html(comparison: Comparison) -> str:
    """The whole page. The same comparison gives the same bytes; everything in it is escaped."""
    title = f"{comparison.before} and {', '.join(pair.after for pair in comparison.pairs)}: comparison"
    several = len(comparison.pairs) > 1
    sections = [
        section
        for i, pair in enumerate(comparison.pairs, start=1)
        for section in sections_of(pair, f"-{i}" if several else "", f": {pair.after}" if several else "")
    ]
    return page(title, headline(comparison), [*sections, settings(comparison), how(comparison)], ("comparison.css",))


def fragment_html(comparison: Comparison) -> str:
    """A small HTML fragment for notebooks. Escaped; it brings no style sheet."""
    found = [(pair, tables_of(pair)) for pair in comparison.pairs]
    return str(render("comparison_fragment.jinja", found=found))


def headline(comparison: Comparison) -> Markup:
    """The verdicts in words, the figures behind them, and what must be known before believing them."""
    return render("comparison_headline.jinja", comparison=comparison, pairs=comparison.pairs)


def sections_of(pair: Pair, suffix: str, of: str) -> list[Section]:
    """The sections of one pair. `suffix` keeps anchors apart, `of` names the pair in headings."""
    return [
        Section(f"result{suffix}", f"Differences, task by task{of}", differences(pair)),
        Section(f"wordings{suffix}", f"Wordings before and after{of}", wordings(pair)),
        Section(f"classes{suffix}", f"Does it still follow the instruction?{of}", classes(pair)),
        Section(f"flips{suffix}", f"Items that changed{of}", flips(pair)),
        Section(f"noise{suffix}", f"Beside the noise of the machine{of}", noise(pair)),
    ]


def differences(pair: Pair) -> Markup:
    """For mean, spread and worst wording a forest plot and a table."""
    lines = lines_of(pair)
    blocks = []
    for name, title in QUANTITIES:
        found = [(line, effect) for line in lines if (effect := getattr(line, name)) is not None]
        if found:
            blocks.append((name, title, found, forest([(line.task, effect) for line, effect in found])))
    return render("comparison_differences.jinja", blocks=blocks, tasks=pair.tasks, overall=pair.overall)


def wordings(pair: Pair) -> Markup:
    """A square for each task with a mark for each wording."""
    names = dict.fromkeys(one.task for one in pair.wordings)
    squares = [scatter(name, [one for one in pair.wordings if one.task == name]) for name in names]
    klasses = sorted({one.klass for one in pair.wordings}, key=rank)
    return render("comparison_wordings.jinja", squares=squares, legend=[(k, MEANING.get(k, "")) for k in klasses])


def classes(pair: Pair) -> Markup:
    """Mean accuracy of each class and the drop from right wordings to it, over tasks and task by task."""
    names = list(dict.fromkeys(one.klass for line in lines_of(pair) for one in line.classes))
    rows = [(line.task, line.mean, {one.klass: one for one in line.classes}) for line in lines_of(pair)]
    return render("comparison_classes.jinja", names=names, rows=rows, warnings=guard_warnings(pair))


def guard_warnings(pair: Pair) -> list[str]:
    """The warnings that are about following the instruction."""
    return [warning for warning in pair.warnings if warning.startswith(("The guard", "There are no negated"))]


def flips(pair: Pair) -> Markup:
    """The items that lost most, worst first, and those that gained most."""
    lost = [flip for flip in pair.flips if flip.after < flip.before]
    gained = [flip for flip in reversed(pair.flips) if flip.after > flip.before]
    return render("comparison_flips.jinja", pair=pair, lost=lost, gained=gained, most=(LOST, GAINED))


def noise(pair: Pair) -> Markup:
    """How many answers changed between the runs, and within a run."""
    return render("comparison_noise.jinja", noise=pair.noise)


def settings(comparison: Comparison) -> Section:
    """In what the runs differ, what was left out, and all that each wrote down about itself."""
    runs = []
    for run in comparison.runs:
        command = command_of(run.record)
        entries = tree({name: value for name, value in run.record.items() if not (command and name == "argv")})
        runs.append((run, render("settings.jinja", command=command, entries=entries)))
    return Section(
        "settings", "Settings of the runs", render("comparison_settings.jinja", comparison=comparison, runs=runs)
    )


def how(comparison: Comparison) -> Section:
    """What the words and figures mean, with formulas and limits."""
    tasks = sum(len(pair.tasks) for pair in comparison.pairs)
    body = render("comparison_how.jinja", tasks=tasks, pairs=len(comparison.pairs), needed=_levels(comparison.pairs))
    return Section("how", "How this was computed", body)


def _levels(pairs: Sequence[Pair]) -> tuple[float, float]:
    return pairs[0].overall.needed.level, pairs[0].tasks[0].needed.level
