"""What the rows add to the summary: where the chosen options stood, and what could not be parsed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surefoot.report.classes import is_right

if TYPE_CHECKING:
    import pyarrow as pa

EXAMPLES = 3
CHARACTERS = 400


@dataclass(frozen=True)
class Unparsed:
    """One answer that no label could be read from."""

    wording: str
    item: str
    text: str
    left_out: int


@dataclass(frozen=True)
class TaskAnswers:
    """Answers of one task under right wordings: share of each option place, chosen and right; unparsed examples."""

    task: str
    answers: int
    chosen: tuple[float, ...]
    gold: tuple[float, ...]
    unparsed: tuple[Unparsed, ...]


def answers_of(rows: pa.Table, model: str, tasks: Sequence[str]) -> tuple[TaskAnswers, ...]:
    """The model's answers on each task that has options or unparsed answers. `rows` has the columns of `ROW_SCHEMA`."""
    import pyarrow.compute as pc

    rows = rows.filter(pc.equal(rows["model"], model))
    found = (_task_answers(rows, task) for task in tasks)
    return tuple(answers for answers in found if answers.chosen or answers.unparsed)


def _task_answers(rows: pa.Table, task: str) -> TaskAnswers:
    import pyarrow.compute as pc

    own = rows.filter(pc.and_(pc.equal(rows["task"], task), pc.invert(rows["recheck"])))
    klasses = [klass for klass in pc.unique(own["klass"]).to_pylist() if is_right(klass)]
    right = own.filter(pc.is_in(own["klass"], value_set=_strings(klasses)))
    answered = right.filter(pc.and_(pc.is_valid(right["predicted_index"]), pc.is_valid(right["gold_index"])))
    chosen, gold = (Counter(answered[name].to_pylist()) for name in ("predicted_index", "gold_index"))
    places = range(max((*chosen, *gold), default=-1) + 1)
    n = answered.num_rows
    unparsed = own.filter(pc.equal(own["outcome"], "unparsed")).slice(0, EXAMPLES).to_pylist()
    return TaskAnswers(
        task=task,
        answers=n,
        chosen=tuple(chosen[place] / n for place in places),
        gold=tuple(gold[place] / n for place in places),
        unparsed=tuple(_example(row) for row in unparsed),
    )


def _example(row: dict[str, Any]) -> Unparsed:
    text = row["text"] or ""
    return Unparsed(row["wording"], row["item"], text[:CHARACTERS], max(0, len(text) - CHARACTERS))


def _strings(values: Sequence[str]) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, pa.string())
