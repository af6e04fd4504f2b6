"""The memorisation probe's finding in words and tables."""

from __future__ import annotations

from math import isnan

from surefoot.memorisation.works import UNSEEN
from surefoot.probes.memorisation.summary import KindFinding, MemorisationSummary, WorkFinding
from surefoot.probes.summary import Table

LEVEL = 0.05
QUOTED = 160  # characters of a run that a table shows
SHOWN = 12  # runs
NAMED = 3  # titles in the sentence


def sentence(summary: MemorisationSummary) -> str:
    """How many works are reproduced beyond chance, and the longest run."""
    if not summary.works:
        return "No work has been asked for yet."
    longest, many = max(summary.works, key=lambda work: work.run), len(summary.works)
    copied, more = summary.reproduced, len(summary.significant)
    which = f" ({', '.join(work.title for work in copied[:NAMED])}{', ...' if len(copied) > NAMED else ''})"
    parts = (
        f"{len(copied) or 'None'} of {_count(many, 'work')} {'is' if len(copied) <= 1 else 'are'} reproduced",
        f"in a run of {summary.least} words or more{which if copied else ''};",
        f"the longest run is {number(longest.run)} words, of {longest.title} (chance: {number(longest.chance_run)}).",
        f"{more or 'None'} {'shares' if more <= 1 else 'share'} more with the answers than unrelated text does",
        f"(p ≤ {LEVEL}, corrected).",
    )
    return " ".join(parts)


def warnings(summary: MemorisationSummary) -> tuple[str, ...]:
    """What a reader must know before believing the numbers."""
    found = []
    if not summary.complete:
        found.append("The run is not complete: some planned cells are missing, and every number can still move.")
    if summary.works and len(summary.works) / (summary.windows + 1) > LEVEL:
        found.append(
            f"With {summary.windows:,} unrelated windows and {len(summary.works)} works no corrected p-value can reach "
            f"{LEVEL}; give more or longer works, or null=bundled."
        )
    unseen = [work for work in summary.significant if work.group == UNSEEN]
    if unseen:
        found.append(
            f"{_count(len(unseen), 'unseen work')} of {sum(work.group == UNSEEN for work in summary.works)} "
            f"{'shares' if len(unseen) == 1 else 'share'} more with the answers than unrelated text does "
            f'("{unseen[0].text}"): the topic of a prompt is enough for that, so look at the runs.'
        )
    if summary.changed:
        found.append(
            f"{summary.changed} of {_count(summary.rechecked, 'rechecked answer')} became another text in another "
            "batch; where one line decides, draw samples or compute in float32."
        )
    empty = sum(kind.empty for kind in summary.kinds)
    if empty:
        found.append(f"{empty:,} answers are empty; they count as 0 words.")
    if summary.truncated:
        found.append(f"{summary.truncated:,} prompts did not fit the context and were cut.")
    return tuple(found)


def tables(summary: MemorisationSummary) -> tuple[Table, ...]:
    """Ways to ask, works, thresholds; groups and popularity where there are any."""
    found = [kind_table(summary), work_table(summary), run_table(summary), threshold_table(summary)]
    found = [table for table in found if table.rows]
    if summary.differences:
        rows = [(d.group, *map(number, (d.mean, d.unseen, d.difference)), p_of(d.p)) for d in summary.differences]
        columns = ("group", "excess run", "unseen works", "difference", "p")
        found.append(Table("Against works that nobody has seen", columns, tuple(rows), "p by permutation, one-sided."))
    if summary.popularity:
        pops = [
            (c.field, str(c.works), "–" if isnan(c.rho) else f"{c.rho:+.2f} ({c.low:+.2f} to {c.high:+.2f})", p_of(c.p))
            for c in summary.popularity
        ]
        note = "Spearman's correlation of the excess run, with its 95 % interval; p by permutation."
        found.append(Table("Popularity", ("field", "works", "rho", "p"), tuple(pops), note))
    return tuple(found)


def kind_table(summary: MemorisationSummary) -> Table:
    """One line a group and way to ask: run and subsequence with their chance levels."""
    columns = ("asked", "run", "chance", "99 %", "longest", "above", "subsequence", "chance", "99 %", "in runs", "edit")
    rows = tuple(_kind(kind) for kind in summary.kinds)
    note = (
        "Words, means over works. Chance and 99 %: the same text against unrelated windows of the same length. Above: "
        f"works beyond their own 99 %. In runs: words in runs of {summary.least} or more. Edit: 0 equal, 1 nothing in "
        "common. (control): the prompt belongs to another work."
    )
    return Table("Ways to ask", columns, rows, note)


def work_table(summary: MemorisationSummary) -> Table:
    """One line a work, the largest excess first, with its longest run."""
    columns = ("work", "group", "run", "chance", "99 %", "subsequence", "chance", "99 %", "p", "corrected")
    note = (
        f"Largest over all right ways to ask; p: rank of the {summary.by} among the same maxima of unrelated windows, "
        "corrected over works by Holm."
    )
    return Table("Works", columns, tuple(_work(work) for work in summary.works), note)


def run_table(summary: MemorisationSummary) -> Table:
    """The longest runs themselves, of works beyond their 99th percentile."""
    found = [work for work in summary.works if work.run > work.high_run][:SHOWN]
    rows = tuple((_cut(work.text), work.work, work.wording, number(work.run)) for work in found)
    return Table("Longest runs beyond chance", ("text", "work", "asked", "words"), rows)


def threshold_table(summary: MemorisationSummary) -> Table:
    """Works beyond thresholds that are used in practice, beside what chance gives."""
    rows = tuple(
        (
            f"{t.words} words",
            str(t.possible),
            *_reached(t.by_subsequence, t.chance_subsequence),
            *_reached(t.by_run, t.chance_run),
        )
        for t in summary.thresholds
    )
    columns = ("at least", "works that long", "by subsequence", "chance", "by run", "chance")
    note = "Works, by their largest score over the right ways to ask. A threshold is a convention, not the law."
    return Table("Thresholds", columns, rows, note)


def number(value: float) -> str:
    """One decimal; a dash for NaN."""
    return "–" if isnan(value) else f"{value:.1f}".removesuffix(".0")


def p_of(p: float) -> str:
    """`0.032`, `<0.001`."""
    return "–" if isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def _reached(works: int, chance: float) -> tuple[str, str]:
    return str(works), number(chance)


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _kind(kind: KindFinding) -> tuple[str, ...]:
    mean, best, chance, high = kind.level.mean, kind.level.best, kind.level.chance, kind.level.high
    name = f"{kind.group}: {kind.wording}{'' if kind.is_right else ' (control)'}"
    run = (number(mean.run), number(chance.run), number(high.run), number(best.run), f"{kind.above} of {kind.works}")
    sub = (number(mean.subsequence), number(chance.subsequence), number(high.subsequence))
    return name, *run, *sub, number(mean.run_words), f"{mean.edit:.2f}"


def _work(work: WorkFinding) -> tuple[str, ...]:
    run = (number(work.run), number(work.chance_run), number(work.high_run))
    sub = (number(work.subsequence), number(work.chance_subsequence), number(work.high_subsequence))
    return work.work, work.group, *run, *sub, p_of(work.p), p_of(work.p_holm)


def _cut(text: str) -> str:
    return text if len(text) <= QUOTED else text[: QUOTED - 1] + "…"
