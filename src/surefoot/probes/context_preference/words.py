"""The finding of the context-preference probe in words and tables."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan

from surefoot.probes.context_preference.filters import AIG, AIR
from surefoot.probes.context_preference.preference import Preference
from surefoot.probes.context_preference.similarity import Curve
from surefoot.probes.context_preference.summary import ContextPreferenceSummary
from surefoot.probes.summary import Table
from surefoot.stats.intervals import Interval
from surefoot.tasks.contexts import CLOSED

LONGER = 0.05
COLUMNS = ("questions", "generated", "retrieved", "memory", "other", "right", "DiffGR", "p")


def sentence(summary: ContextPreferenceSummary) -> str:
    """DiffGR on both subsets."""
    kept = summary.preference("all")
    if not kept.questions:
        return f"None of {summary.units:,} answers tells which context the model prefers (see the filters)."
    if all(isnan(one.diff_gr.value) for _, one in _subsets(summary)):
        asked = f"{kept.questions:,} question{'' if kept.questions == 1 else 's'}"
        return (
            f"Behind both contexts {100 * kept.generated:.1f} % of the answers come from the generated one and "
            f"{100 * kept.retrieved:.1f} % from the retrieved one: {asked}, too few for a DiffGR."
        )
    told = [f"DiffGR {signed(one.diff_gr)} on {one.questions:,} {_are(name, one)}" for name, one in _subsets(summary)]
    return f"Behind both contexts: {'; '.join(told)}. 1 always takes the generated context, -1 the retrieved one."


def warnings(summary: ContextPreferenceSummary) -> tuple[str, ...]:
    """What a reader must know before believing the numbers."""
    return tuple(_warnings(summary))


def _warnings(summary: ContextPreferenceSummary) -> Iterator[str]:
    if not summary.complete:
        yield "The run is not complete: some planned cells are missing, and every number can still move."
    for name, one in _subsets(summary):
        if one.decided < summary.least and summary.units:
            yield (
                f"{name} has {one.decided:,} questions that are decided for a context, fewer than {summary.least:,}, "
                "so it has no DiffGR; ask more questions, or lower that number: --set least=N."
            )
    if summary.units and not any(one.condition == CLOSED for one in summary.accuracy):
        yield "Nothing was asked closed book, so answers from memory are not told apart."
    if abs(summary.lengths.difference) > LONGER:
        yield (
            f"Generated contexts have {100 * summary.lengths.difference:+.0f} % words against the retrieved ones; "
            "match their lengths before reading a preference as one for who wrote them."
        )
    if summary.order in ("generated-first", "retrieved-first"):
        yield f"Both contexts were shown {summary.order} alone: a preference for a place looks like one for a context."
    if summary.truncated:
        yield f"{summary.truncated:,} prompts did not fit the context and were cut."
    if summary.noise.changed:
        yield (
            f"Of {summary.noise.rechecked:,} cells computed again in other company, {summary.noise.changed:,} changed "
            "their answer."
        )


def tables(summary: ContextPreferenceSummary) -> tuple[Table, ...]:
    """DiffGR, the filters, accuracy, orders, and slices."""
    by = "written" if summary.answering == "generate" else f"by {summary.answering}"
    sources = Table(
        f"Where answers to both contexts come from, % ({by})",
        ("subset", *COLUMNS),
        tuple(_line(one) for one in summary.sets),
        "AIG: the generated context alone is right; AIR: the retrieved one. A question counts with its mean over "
        f"wordings and orders (order={summary.order}). DiffGR: (generated - retrieved) / (generated + retrieved); p: "
        "of no preference, by exchanging the sides of each question.",
    )
    return (sources, _filter_table(summary), _accuracy_table(summary), _order_table(summary), *_slices(summary))


def _filter_table(summary: ContextPreferenceSummary) -> Table:
    lines = [(one.name, f"{one.units:,}") for one in summary.counts]
    note = (
        "Dropped by the first filter that applies; what is kept is in AIG and AIR. A unit is a question and wording. "
        "Unanswered: no answer behind one context alone; untraceable: that answer does not stand in the context; "
        "parametric: it is also the closed-book answer; both right, both wrong: so are the answers of the two contexts."
    )
    return Table("Filters", ("filter", "units"), (*lines, ("all", f"{summary.units:,}")), note)


def _accuracy_table(summary: ContextPreferenceSummary) -> Table:
    lines = [(one.condition, f"{one.questions:,}", percent(one.right)) for one in summary.accuracy]
    found = summary.lengths
    note = (
        ""
        if isnan(found.difference)
        else (
            f"Mean words: retrieved {found.retrieved:.1f}, generated {found.generated:.1f} "
            f"({100 * found.difference:+.1f} %)."
        )
    )
    return Table("Right answers, all questions, %", ("condition", "questions", "right"), tuple(lines), note)


def _order_table(summary: ContextPreferenceSummary) -> Table:
    lines = tuple((one.name.replace("-", " "), *_line(one)[1:]) for one in summary.orders if one.questions)
    return Table("By the order of the contexts, AIG and AIR together, %", ("order", *COLUMNS), lines)


def _slices(summary: ContextPreferenceSummary) -> Iterator[Table]:
    for one in summary.curves:
        yield Table(
            f"By similarity gap ({one.measure})",
            ("gap", "questions", "generated", "retrieved", "DiffGR"),
            tuple(_curve_lines(one)),
            f"Gap: similarity of the question to its generated context (mean {one.generated:.3f}) minus that to its "
            f"retrieved one ({one.retrieved:.3f}).",
        )


def _curve_lines(one: Curve) -> Iterator[tuple[str, ...]]:
    for part in one.slices:
        own = part.preference
        shares = (f"{100 * own.generated:.1f}", f"{100 * own.retrieved:.1f}")
        yield (f"{part.low:+.3f} to {part.high:+.3f}", f"{own.questions:,}", *shares, signed(own.diff_gr))


def _subsets(summary: ContextPreferenceSummary) -> list[tuple[str, Preference]]:
    return [(name, summary.preference(name)) for name in (AIG, AIR)]


def _are(name: str, one: Preference) -> str:
    side = "generated" if name == AIG else "retrieved"
    return f"question{'' if one.questions == 1 else 's'} whose {side} context is right ({name})"


def _line(one: Preference) -> tuple[str, ...]:
    shares = (one.generated, one.retrieved, one.memory, one.other)
    told = ("–" if isnan(share) else f"{100 * share:.1f}" for share in shares)
    return (one.name, f"{one.questions:,}", *told, percent(one.right), signed(one.diff_gr), chance(one.p))


def percent(share: Interval) -> str:
    """`41.2 (30 to 53)`, in percent; a dash where there is nothing."""
    return "–" if isnan(share.value) else f"{100 * share.value:.1f} ({100 * share.low:.0f} to {100 * share.high:.0f})"


def signed(found: Interval) -> str:
    """`+0.41 (+0.30 to +0.53)`; a dash where there is nothing."""
    return "–" if isnan(found.value) else f"{found.value:+.2f} ({found.low:+.2f} to {found.high:+.2f})"


def chance(p: float) -> str:
    """`0.012`, `< 0.001`; a dash where there is nothing."""
    return "–" if isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"
