"""The rows of a run as one items x wordings matrix a task; read by DuckDB, from a table in memory or a run folder."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from surefoot.errors import BadInput
from surefoot.stats.intervals import Floats

_CELLS = """
SELECT model, task, wording, klass, item, recheck, outcome = 'unparsed' AS unparsed,
       coalesce(score, CAST(outcome = 'right' AS DOUBLE)) AS score,
       hash(outcome, predicted, text) AS answer, hash(gold) AS gold
FROM rows
"""

Digests = NDArray[np.uint64]


class TaskCells(NamedTuple):
    """The cells of one task: items x wordings, both in the order of their ids.

    `score` is what is averaged: 1 or 0 for choices, the metric for written answers, 0 for an unparsed one, NaN for a
    missing cell. `answer` and `gold` are digests of what was answered and of the right answer, 0 for a missing cell.
    """

    items: tuple[str, ...]
    wordings: tuple[str, ...]
    klasses: tuple[str, ...]
    score: Floats
    answer: Digests
    gold: Digests

    @property
    def present(self) -> NDArray[np.bool_]:
        return np.isfinite(self.score)


class Cells(NamedTuple):
    """All cells of a run, by task, and what the cells that were computed twice say of the machine's noise."""

    model: str
    tasks: dict[str, TaskCells]
    size: int
    unparsed: int
    rechecked: int
    changed: int


def cells_of(rows: pa.Table | str | os.PathLike[str], name: str) -> Cells:
    """The cells of a table with the columns of `ROW_SCHEMA`, or of a run folder; `name` is the run's, for errors.

    Raises `BadInput` where there are no rows, rows of several models, a cell twice, or a score that is no number.
    """
    table = _query(rows, name)
    first = table.filter(pc.invert(table["recheck"]))
    again = table.filter(table["recheck"])
    if not first.num_rows:
        raise BadInput(f'The run "{name}" has no rows yet; give its command again to go on with it.')
    models = pc.unique(table["model"]).to_pylist()
    if len(models) > 1:
        raise BadInput(f'"{name}" holds rows of {len(models)} models ({", ".join(sorted(models))}); give one run each.')
    tasks, rechecked, changed = {}, 0, 0
    for task in sorted(pc.unique(first["task"]).to_pylist()):
        own = first.filter(pc.equal(first["task"], task))
        cells = tasks[task] = _matrix(own, task, name)
        pairs, differ = _noise(again.filter(pc.equal(again["task"], task)), cells)
        rechecked, changed = rechecked + pairs, changed + differ
    unparsed = int(pc.sum(first["unparsed"]).as_py())
    return Cells(str(models[0]), tasks, first.num_rows, unparsed, rechecked, changed)


def _query(rows: pa.Table | str | os.PathLike[str], name: str) -> pa.Table:
    import duckdb

    try:
        if not isinstance(rows, pa.Table):
            from surefoot.runs import query_rows

            return query_rows(rows, _CELLS)
        with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
            connection.register("rows", rows)
            return connection.sql(_CELLS).to_arrow_table()
    except duckdb.BinderException:
        raise BadInput(f'The rows of "{name}" are no answers to items; compare runs of a probe that asks.') from None


def _matrix(table: pa.Table, task: str, name: str) -> TaskCells:
    items, i = _coded(table["item"])
    wordings, j = _coded(table["wording"])
    klasses, k = _coded(table["klass"])
    shape = (len(items), len(wordings))
    if np.unique(i * shape[1] + j).size != table.num_rows:
        raise BadInput(f'The rows of "{task}" in "{name}" hold a cell twice; give the rows of one run.')
    klass = np.zeros(shape[1], dtype=np.int64)
    klass[j] = k
    score = np.full(shape, np.nan)
    answer, gold = (np.zeros(shape, dtype=np.uint64) for _ in range(2))
    score[i, j], answer[i, j], gold[i, j] = (table[name].to_numpy() for name in ("score", "answer", "gold"))
    if not np.isfinite(score[i, j]).all():
        raise BadInput(f'A row of "{task}" in "{name}" has a score that is no number; compute the run again.')
    return TaskCells(items, wordings, tuple(klasses[place] for place in klass), score, answer, gold)


def _coded(values: pa.ChunkedArray) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The sorted distinct values, and the place of each value among them."""
    known = tuple(sorted(pc.unique(values).to_pylist()))
    places: Any = pc.index_in(values, value_set=pa.array(known, pa.string())).to_numpy()
    return known, places.astype(np.int64)


def _noise(again: pa.Table, cells: TaskCells) -> tuple[int, int]:
    """How many cells were computed twice, and how many of them with another answer."""
    if not again.num_rows:
        return 0, 0
    places = [
        pc.index_in(again[name], value_set=pa.array(known, pa.string()))
        for name, known in (("item", cells.items), ("wording", cells.wordings))
    ]
    both = pc.and_(pc.is_valid(places[0]), pc.is_valid(places[1])).to_numpy(zero_copy_only=False)
    i, j = (place.fill_null(0).to_numpy() for place in places)
    kept = both & cells.present[i, j]
    answers: Any = again["answer"].to_numpy()
    return int(kept.sum()), int((answers[kept] != cells.answer[i[kept], j[kept]]).sum())
