"""What the rows add to the summary: where the chosen options stood, and what could not be parsed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surefoot.report.classes import is_right
from surefoot.text.instruction import KLASSES

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.runs.source import Rows

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


def answers_of(rows: Rows, model: str, tasks: Sequence[str]) -> tuple[TaskAnswers, ...]:
    """The model's answers on each task that has options or unparsed answers. `rows` has the columns of `ROW_SCHEMA`."""
    found = (_task_answers(rows, model, task) for task in tasks)
    return tuple(answers for answers in found if answers.chosen or answers.unparsed)


def _task_answers(rows: Rows, model: str, task: str) -> TaskAnswers:
    import pyarrow.compute as pc

    own = (pc.field("model") == model) & (pc.field("task") == task) & ~pc.field("recheck")
    is_answered = pc.is_valid(pc.field("predicted_index")) & pc.is_valid(pc.field("gold_index"))
    right = pc.field("klass").isin([klass for klass in KLASSES if is_right(klass)])
    answered = rows.select(("predicted_index", "gold_index"), own & right & is_answered)
    chosen, gold = (_counts(answered[name]) for name in ("predicted_index", "gold_index"))
    places = range(max((*chosen, *gold), default=-1) + 1)
    n = answered.num_rows
    is_unparsed = own & (pc.field("outcome") == "unparsed")
    unparsed = rows.select(("wording", "item", "text"), is_unparsed, limit=EXAMPLES).to_pylist()
    return TaskAnswers(
        task=task,
        answers=n,
        chosen=tuple(chosen.get(place, 0) / n for place in places),
        gold=tuple(gold.get(place, 0) / n for place in places),
        unparsed=tuple(_example(row) for row in unparsed),
    )


def _example(row: dict[str, Any]) -> Unparsed:
    text = row["text"] or ""
    return Unparsed(row["wording"], row["item"], text[:CHARACTERS], max(0, len(text) - CHARACTERS))


def _counts(places: pa.ChunkedArray) -> dict[int, int]:
    import pyarrow.compute as pc

    return {line["values"]: line["counts"] for line in pc.value_counts(places).to_pylist()}
