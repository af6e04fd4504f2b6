"""The context-conflict probe's finding in words and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isnan

from surefoot.probes.context_conflict.summary import Condition, ContextConflictSummary, Outcomes
from surefoot.probes.summary import Table
from surefoot.stats.intervals import Interval
from surefoot.worlds.conflicts import AGREE, CLOSED, CONFLICT, ENDINGS

FEW = 30  # facts
WORDS: Mapping[str, tuple[str, str]] = {
    CLOSED: ("the answer", "another value"),
    CONFLICT: ("the passage's value (swapped)", "the model's own (original)"),
    AGREE: ("the answer", "another value"),
    ENDINGS: ("the demanded word", "the memorised word"),
}
"""What `right` and `wrong` mean in each condition."""


def sentence(summary: ContextConflictSummary) -> str:
    """Which side the model takes, on how many facts."""
    conflict, agree = summary.condition(CONFLICT), summary.condition(AGREE)
    parts = []
    if conflict is not None:
        facts = f"{conflict.items:,} facts" + ("" if summary.selection.by == "all" else " that the model knows")
        parts.append(
            f"Against a passage that says otherwise, the answer to {facts} is the passage's in {ends(conflict.right)} "
            f"and the model's own in {ends(conflict.wrong)} of cases"
        )
    elif summary.selection.facts:
        selection = summary.selection
        parts.append(
            f"The model knows {selection.known:,} of {selection.facts:,} facts, and none was put behind a passage"
        )
    if agree is not None:
        parts.append(f"with a passage that agrees {ends(agree.right)} are right")
    endings = summary.condition(ENDINGS)
    if endings is not None:
        parts.append(f"of {endings.items:,} sayings {ends(endings.right)} end in the word that is demanded")
    found = "; ".join(parts) or "Nothing was asked"
    return f"{found[0].upper()}{found[1:]}."


def warnings(summary: ContextConflictSummary) -> tuple[str, ...]:
    """What a reader must know before believing the numbers."""
    return tuple(_warnings(summary))


def _warnings(summary: ContextConflictSummary) -> Iterator[str]:
    chosen, conflict = summary.selection, summary.condition(CONFLICT)
    if not summary.complete:
        yield "The run is not complete: some planned cells are missing, and every number can still move."
    if chosen.by == "all" and conflict is not None:
        yield "All facts were put behind passages, known or not; where a model knows nothing, nothing conflicts."
    elif conflict is not None and conflict.items < FEW:
        yield f"Only {conflict.items:,} facts are known; their rates say little (see the intervals)."
    if summary.truncated:
        yield f"{summary.truncated:,} prompts did not fit the context and were cut."
    if summary.noise.changed:
        yield (
            f"Of {summary.noise.rechecked:,} cells computed again in other company, {summary.noise.changed:,} changed "
            "their answer."
        )


def tables(summary: ContextConflictSummary) -> tuple[Table, ...]:
    """Outcomes of each condition, the selection, each wording, and each kind of fact."""
    by_kind = [_kind_table(one) for one in summary.conditions if one.name == CONFLICT and len(one.kinds) > 1]
    return (_outcome_table(summary), _selection_table(summary), _wording_table(summary), *by_kind)


def _outcome_table(summary: ContextConflictSummary) -> Table:
    rows = [(one.name, f"{one.outcomes.items:,}", *_shares(one.outcomes)) for one in summary.conditions]
    by = "written" if summary.answering == "generate" else f"forced choice by {summary.answering}"
    meanings = [f"{one.name}: right is {WORDS[one.name][0]}, wrong {WORDS[one.name][1]}" for one in summary.conditions]
    ratio = summary.memorisation
    told = "" if isnan(ratio.value) else f" Memorisation ratio, original / (original + swapped): {ends(ratio)}."
    return Table(
        f"Answers, % ({by})",
        ("condition", "items", "right", "wrong", "other"),
        tuple(rows),
        f"{'; '.join(meanings)}.{told}",
    )


def _selection_table(summary: ContextConflictSummary) -> Table:
    chosen = summary.selection
    lines = (
        ("right under every wording (known)", chosen.known),
        ("right under some", chosen.partly),
        ("right under none", chosen.unknown),
        ("all, closed book", chosen.facts),
        ("put behind passages", chosen.asked),
    )
    rows = [(name, f"{count:,}") for name, count in lines]
    return Table("What the model knows", ("facts", "number"), tuple(rows), f"Selected by known={chosen.by}.")


def _wording_table(summary: ContextConflictSummary) -> Table:
    rows = [(f"{one.name}: {line.name}", *_shares(line)) for one in summary.conditions for line in one.wordings]
    return Table("Answers wording by wording, %", ("wording", "right", "wrong", "other"), tuple(rows))


def _kind_table(conflict: Condition) -> Table:
    rows = [(line.name, f"{line.items:,}", *_shares(line)) for line in conflict.kinds]
    return Table("Conflicts by kind of fact, %", ("kind", "facts", "swapped", "original", "other"), tuple(rows))


def _shares(one: Outcomes) -> tuple[str, str, str]:
    return bare(one.right), bare(one.wrong), bare(one.other)


def bare(share: Interval) -> str:
    """`41.2 (30 to 53)`, in percent; a dash where there is nothing."""
    return "–" if isnan(share.value) else f"{100 * share.value:.1f} ({100 * share.low:.0f} to {100 * share.high:.0f})"


def ends(share: Interval) -> str:
    """`41.2 % (30.1 to 52.9)`; a dash where there is nothing."""
    if isnan(share.value):
        return "–"
    return f"{100 * share.value:.1f} % ({100 * share.low:.1f} to {100 * share.high:.1f})"
