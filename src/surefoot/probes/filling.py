"""Fills the matrix (task x wording x item): what is there already is left out, what is finished is stored at once."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, Protocol

from surefoot.models.base import LanguageModel
from surefoot.models.repetition import repeated
from surefoot.probes.asking import Answering, Cell, ask
from surefoot.tasks.task import Task

RECHECK_BATCH = 5  # cells of the noise floor in one batch: other company, another shape


class Sink(Protocol):
    """Where rows go: a run folder or memory."""

    def done(self) -> Any:
        """A set of (model, task, wording, item, recheck)."""
        ...

    def append(self, rows: Sequence[dict[str, Any]]) -> None: ...


class Memory:
    """A sink that keeps the rows in a list."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def done(self) -> set[tuple[str, str, str, str, bool]]:
        return {(r["model"], r["task"], r["wording"], r["item"], r["recheck"]) for r in self.rows}

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows.extend(rows)


class Step(NamedTuple):
    """What is known after a batch: cells and tokens so far, of this call alone."""

    task: str
    wording: str
    cells: int
    computed: int


Watcher = Callable[[Step], None]
Extend = Callable[[LanguageModel, Sequence[Cell], list[dict[str, Any]]], list[dict[str, Any]]]


@dataclass(frozen=True)
class Filling:
    """How the matrix is filled. `batch_cells` cells are asked and stored together, up to a wording's items.

    `states`: each prompt is read once more for its hidden state.
    """

    answering: Answering = "sum"
    recheck: float = 0.01
    seed: int = 0
    batch_cells: int = 128
    states: bool = False


def fill(
    model: LanguageModel,
    tasks: Sequence[Task],
    sink: Sink,
    filling: Filling,
    watch: Watcher | None = None,
    extend: Extend | None = None,
) -> None:
    """Ask every cell that the sink lacks, then the noise floor's; each batch is stored when it is answered.

    `extend` gives the rows of a batch the columns that a probe measures beside the answers.
    """
    before = model.tokens.computed
    cells = 0
    for batch, recheck in _batches(model, tasks, sink, filling):
        with repeated(int(recheck)):
            rows = ask(model, batch, filling.answering, recheck=recheck)
        if extend:
            rows = extend(model, batch, rows)
        sink.append([{name: value for name, value in row.items() if name != "generation"} for row in rows])
        cells += len(rows)
        if watch:
            watch(Step(batch[0].task.name, batch[0].wording.id, cells, model.tokens.computed - before))


def planned(tasks: Sequence[Task], filling: Filling) -> int:
    """How many rows a complete run has."""
    cells = _cells(tasks)
    return cells + _share(cells, filling)


def every_cell(tasks: Sequence[Task]) -> Iterator[Cell]:
    """The matrix, wording by wording, so that a batch shares its instruction."""
    for task in tasks:
        for wording in task.wordings:
            for example in task.examples:
                yield Cell(task, wording, example)


def rechecked(tasks: Sequence[Task], filling: Filling) -> Iterator[Cell]:
    """The cells of the noise floor: a fixed share by digest, in the digests' order, so that strangers meet."""
    ranked = ((_digest(cell, filling.seed), i) for i, cell in enumerate(every_cell(tasks)))
    chosen = [i for _, i in heapq.nsmallest(_share(_cells(tasks), filling), ranked)]
    wanted = set(chosen)
    found = {i: cell for i, cell in enumerate(every_cell(tasks)) if i in wanted}
    yield from (found[i] for i in chosen)


def _cells(tasks: Sequence[Task]) -> int:
    return sum(len(task.wordings) * len(task.examples) for task in tasks)


def _share(cells: int, filling: Filling) -> int:
    return max(1, round(filling.recheck * cells)) if filling.recheck > 0 else 0


def _batches(
    model: LanguageModel, tasks: Sequence[Task], sink: Sink, filling: Filling
) -> Iterator[tuple[list[Cell], bool]]:
    done = sink.done()
    for task in tasks:
        for wording in task.wordings:
            cells = (Cell(task, wording, example) for example in task.examples)
            for batch in _cut(_missing(model, cells, done, False), filling.batch_cells):
                yield batch, False
    for batch in _cut(_missing(model, rechecked(tasks, filling), done, True), RECHECK_BATCH):
        yield batch, True


def _missing(model: LanguageModel, cells: Iterator[Cell], done: Any, recheck: bool) -> Iterator[Cell]:
    for cell in cells:
        if (model.name, cell.task.name, cell.wording.id, cell.example.id, recheck) not in done:
            yield cell


def _cut(cells: Iterator[Cell], size: int) -> Iterator[list[Cell]]:
    while batch := list(islice(cells, size)):
        yield batch


def _digest(cell: Cell, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{cell.task.name}/{cell.wording.id}/{cell.example.id}".encode()).digest()
