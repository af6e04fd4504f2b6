"""From rows to the multi-hop probe's summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from surefoot.probes.multi_hop.summary import KindFinding, MultiHopSummary
from surefoot.probes.phrasing.noise import rechecked_pairs, truncated_cells
from surefoot.runs.source import Rows
from surefoot.stats.intervals import Interval, wilson
from surefoot.tasks.task import Task

COLUMNS = ("item", "outcome", "score", "exact_match", "marked", "recall", "hop_recall")
CLAIMS = ("claims", "unsupported")
COSTS = ("steps", "calls", "searches", "tokens")
_Row = Mapping[str, Any]


def summarise(rows: Rows, tasks: Sequence[Task], model: str, seed: int, complete: bool) -> MultiHopSummary:
    """The finding; `rows` may be those of an unfinished run."""
    again = rechecked_pairs(rows, tasks, model, ("text",))
    return MultiHopSummary(
        model=model,
        findings=tuple(one for task in tasks for one in _findings(rows, task, model)),
        rechecked=len(again),
        changed=sum(first != second for first, second in again),
        truncated=truncated_cells(rows, model),
        rows=rows.count,
        complete=complete,
        seed=seed,
    )


def _findings(rows: Rows, task: Task, model: str) -> Iterator[KindFinding]:
    """All questions and each kind, under each right wording."""
    kinds = {example.id: example.fields["kind"] for example in task.examples}
    own = (pc.field("model") == model) & (pc.field("task") == task.name) & ~pc.field("recheck")
    for wording in (one.id for one in task.wordings if one.is_right):
        columns = (*COLUMNS, *COSTS, *(CLAIMS if rows.has(*CLAIMS) else ()))
        asked = rows.select(columns, own & (pc.field("wording") == wording)).to_pylist()
        named = list(dict.fromkeys(kinds[row["item"]] for row in asked))
        if asked:
            yield _finding(task.name, wording, "all", asked)
        for kind in sorted(filter(None, named)) if len(named) > 1 else ():
            yield _finding(task.name, wording, kind, [row for row in asked if kinds[row["item"]] == kind])


def _finding(task: str, wording: str, kind: str, rows: Sequence[_Row]) -> KindFinding:
    ordered = sorted(rows, key=lambda row: str(row["item"]))  # the same rounding whatever the order of the rows
    read = [row for row in ordered if row["recall"] is not None]
    means = {name: float(np.mean([row[name] for row in ordered])) for name in COSTS}
    return KindFinding(
        task=task,
        wording=wording,
        kind=kind,
        questions=len(ordered),
        exact_match=_mean([row["exact_match"] for row in ordered]),
        f1=_mean([row["score"] or 0.0 for row in ordered]),
        read=len(read),
        recall=_mean([row["recall"] for row in read]),
        hops=_hops([row["hop_recall"] for row in read]),
        **means,
        claims=sum(row.get("claims") or 0 for row in ordered),
        unsupported=sum(row.get("unsupported") or 0 for row in ordered),
        marked=sum(row["marked"] for row in ordered),
        empty=sum(row["outcome"] == "unparsed" for row in ordered),
    )


def _mean(shares: Sequence[float]) -> Interval:
    return wilson(min(float(np.sum(shares)), len(shares)), len(shares))


def _hops(found: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """The mean recall of each hop, over the questions that have documents for it."""
    means = []
    for hop in range(max(map(len, found), default=0)):
        own = [shares[hop] for shares in found if len(shares) > hop and shares[hop] == shares[hop]]
        means.append(float(np.mean(own)) if own else float("nan"))
    return tuple(means)
