"""One question under one wording with the answers of all runs, put together from rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow.compute as pc

from surefoot.errors import BadInput
from surefoot.runs.source import Rows
from surefoot.tasks.contexts import CLOSED, GENERATED, HYBRID, RETRIEVED
from surefoot.tasks.task import Task
from surefoot.text.instruction import RIGHT

_COLUMNS = ("task", "wording", "item", "outcome", "predicted")


class Answer(NamedTuple):
    """An answer, None where none could be read, and whether it is right."""

    text: str | None
    is_right: bool


class Texts(NamedTuple):
    """What a question and its two contexts say."""

    question: str
    retrieved: str
    generated: str


@dataclass(frozen=True)
class Unit:
    """A question under one wording: its answers closed book, behind each context, and behind both by their order."""

    item: str
    wording: str
    texts: Texts
    retrieved: Answer
    generated: Answer
    closed: Answer | None = None
    hybrid: Mapping[str, Answer] | None = None

    @property
    def question(self) -> str:
        """What is asked. Units that ask the same are one question, whichever pair of contexts they stand behind."""
        return self.texts.question.strip()

    @property
    def both(self) -> Mapping[str, Answer]:
        """The answers to both contexts, by the name of the order; none where there was no such run."""
        return self.hybrid or {}

    def among(self, orders: Iterable[str]) -> Unit:
        """The unit with the answers of these orders alone."""
        kept = {name: answer for name, answer in self.both.items() if name in orders}
        return Unit(self.item, self.wording, self.texts, self.retrieved, self.generated, self.closed, kept)


def units_of(rows: Rows, tasks: Sequence[Task], model: str) -> tuple[Unit, ...]:
    """The units whose single-context answers are both there, sorted by question and wording; controls are left out.

    Where a closed-book run was asked for, a unit needs its answer too. Raises `BadInput` for rows of other questions.
    """
    texts = texts_of(tasks)
    found: dict[tuple[str, str], dict[str, Answer]] = {}
    for row in _answers(rows, model):
        own = found.setdefault((row["item"], row["wording"]), {})
        own[row["task"]] = Answer(row["predicted"], row["outcome"] == "right")
    needed = {task.name for task in tasks} & {CLOSED} | {RETRIEVED, GENERATED}
    return tuple(_unit(*key, own, texts) for key, own in sorted(found.items()) if needed <= own.keys())


def texts_of(tasks: Sequence[Task]) -> Mapping[str, Texts]:
    """Question and contexts by id, from the tasks `retrieved` and `generated`; empty without both."""
    named = {task.name: {e.id: e.fields for e in task.examples} for task in tasks}
    retrieved, generated = named.get(RETRIEVED, {}), named.get(GENERATED, {})
    shared = retrieved.keys() & generated.keys()
    return {
        id: Texts(fields["question"], fields["background"].strip(), generated[id]["background"].strip())
        for id, fields in retrieved.items()
        if id in shared
    }


def order_of(item: str, seed: int) -> str:
    """The order in which a question's two contexts are shown where it is random: a coin by the id and the seed."""
    return HYBRID[hashlib.sha256(f"order/{seed}/{item}".encode()).digest()[0] % 2]


def _answers(rows: Rows, model: str) -> Iterator[dict[str, Any]]:
    where = (pc.field("model") == model) & ~pc.field("recheck") & pc.field("klass").isin(sorted(RIGHT))
    yield from rows.select(_COLUMNS, where).to_pylist()


def _unit(item: str, wording: str, own: Mapping[str, Answer], texts: Mapping[str, Texts]) -> Unit:
    if item not in texts:
        raise BadInput(f'A row has the question "{item}", which the tasks lack; give the tasks as run.')
    hybrid = {name: own[name] for name in HYBRID if name in own}
    return Unit(item, wording, texts[item], own[RETRIEVED], own[GENERATED], own.get(CLOSED), hybrid)
