"""From rows to the implicit-reasoning probe's summary."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc

from surefoot.probes.implicit_reasoning.summary import ConditionFinding, ImplicitSummary, Retrieved
from surefoot.questions.measures import recall_at
from surefoot.questions.question import Question
from surefoot.runs.source import Rows
from surefoot.stats.intervals import wilson
from surefoot.tasks.questions import question_of
from surefoot.tasks.task import Task

YES = 0  # its place among the options


def summarise(rows: Rows, tasks: Sequence[Task], model: str, seed: int, complete: bool) -> ImplicitSummary:
    """The finding; `rows` may be those of an unfinished run."""
    scored = rows.select(("sari",), (pc.field("model") == model) & ~pc.field("recheck") & pc.is_valid(pc.field("sari")))
    sari = scored["sari"].to_pylist()
    return ImplicitSummary(
        model=model,
        findings=tuple(one for task in tasks for one in _findings(rows, task, model)),
        majority={task.name: _majority(task) for task in tasks},
        retrieved=tuple(one for task in tasks for one in _retrieved(task)),
        sari=float(np.mean(sari)) if sari else float("nan"),
        decompositions=len(sari),
        rows=rows.count,
        complete=complete,
        seed=seed,
    )


def _findings(rows: Rows, task: Task, model: str) -> Iterator[ConditionFinding]:
    own = (pc.field("model") == model) & (pc.field("task") == task.name) & ~pc.field("recheck")
    for wording in task.wordings:
        columns = ("outcome", "predicted_index", "option_scores")
        asked = rows.select(columns, own & (pc.field("wording") == wording.id)).to_pylist()
        if asked:
            yield ConditionFinding(
                task=task.name,
                condition=wording.id,
                shows=wording.category,
                questions=len(asked),
                accuracy=wilson(sum(row["outcome"] == "right" for row in asked), len(asked)),
                yes=sum(row["predicted_index"] == YES for row in asked),
                ties=sum(len(set(row["option_scores"] or (0, 1))) == 1 for row in asked),
                unparsed=sum(row["outcome"] == "unparsed" for row in asked),
            )


def _majority(task: Task) -> float:
    yes = sum(example.gold == YES for example in task.examples) / len(task.examples)
    return max(yes, 1 - yes)


def _retrieved(task: Task) -> Iterator[Retrieved]:
    """Recall of what was found when the task was made, for the questions with gold documents."""
    found = [(json.loads(e.fields["known"]).get("found"), question_of(e)) for e in task.examples]
    pairs = [(ids, q) for ids, q in found if ids and q.gold]
    if not pairs:
        return
    longest = max(len(q.steps) for _, q in pairs)
    steps: list[list[float]] = [[] for _ in range(longest)]
    for ids, question in pairs:
        for place, step in enumerate(question.steps):
            if step.documents:
                steps[place].append(recall_at(ids["steps"][place], (((step.documents),),)))
    yield Retrieved(
        task=task.name,
        questions=len(pairs),
        **{way: _mean_recall(pairs, way) for way in ("question", "predicted", "written", "pooled")},
        steps=tuple(float(np.mean(own)) if own else float("nan") for own in steps),
    )


def _mean_recall(pairs: Sequence[tuple[Mapping[str, Any], Question]], way: str) -> float:
    """Recall@10 of what was found in a way; NaN where some question was not searched so."""
    if any(way not in ids for ids, _ in pairs):
        return float("nan")
    return float(np.mean([recall_at(ids[way], question.evidence) for ids, question in pairs]))
