"""The unanswerable probe's rows as cells, and the rates of cells."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from surefoot.errors import BadInput
from surefoot.probes.unanswerable.curve import Curve, operating_curve
from surefoot.probes.unanswerable.rates import macro_interval
from surefoot.probes.unanswerable.summary import Rates
from surefoot.stats.auc import auc, mean_area
from surefoot.stats.bootstrap import generator
from surefoot.stats.intervals import Floats, Interval
from surefoot.tasks.nomiracl import ANSWERABLE, UNANSWERABLE
from surefoot.tasks.task import Task

RESAMPLES = 1000
COLUMNS = ("task", "wording", "item", "predicted_index", "option_scores", "truncated")


class Cell(NamedTuple):
    """One answer: `said` is 0 for present, 1 for absent, -1 for neither; `margin` is NaN where texts are written."""

    subset: str
    wording: str
    language: str
    item: str
    said: int
    margin: float


def read_cells(table: pa.Table, tasks: Sequence[Task]) -> list[Cell]:
    """The answers of a table of rows, with the languages of their items. `BadInput` for an item that the tasks lack."""
    language = {(t.name, e.id): e.fields.get("language", "") for t in tasks for e in t.examples}
    cells = []
    for row in table.select(COLUMNS).to_pylist():
        if (row["task"], row["item"]) not in language:
            raise BadInput(f'A row has the item "{row["item"]}", which the task lacks; give the task as run.')
        said, scores = row["predicted_index"], row["option_scores"]
        margin = scores[0] - scores[1] if scores else nan
        own = language[row["task"], row["item"]]
        cells.append(Cell(row["task"], row["wording"], own, row["item"], -1 if said is None else said, margin))
    return cells


def line(name: str, cells: Sequence[Cell], seed: int) -> Rates:
    """The rates of these answers. An item counts with its mean over wordings; items are drawn within languages."""
    subsets = {subset: [c for c in cells if c.subset == subset] for subset in (UNANSWERABLE, ANSWERABLE)}

    def rate(subset: str, said: int) -> Interval:
        return macro_interval(_shares(subsets[subset], said), RESAMPLES, generator(seed, name, subset))

    languages = {cell.language: [c for c in cells if c.language == cell.language] for cell in cells}
    tenths = [curve_of(cells, wording).error_at(0.1) for wording in dict.fromkeys(cell.wording for cell in cells)]
    return Rates(
        name,
        len({cell.item for cell in subsets[UNANSWERABLE]}),
        len({cell.item for cell in subsets[ANSWERABLE]}),
        rate(UNANSWERABLE, 0),
        rate(ANSWERABLE, 1),
        rate(UNANSWERABLE, -1),
        rate(ANSWERABLE, -1),
        mean_area(auc(_margins(own, ANSWERABLE), _margins(own, UNANSWERABLE)) for own in languages.values()),
        float(np.mean(tenths)) if tenths else nan,
    )


def curve_of(cells: Sequence[Cell], wording: str) -> Curve:
    """The operating curve under one wording, all languages under one threshold: margins under two wordings are not on
    one scale. Its rates are NaN where texts are written."""
    own = [cell for cell in cells if cell.wording == wording]
    margins = [np.array([c.margin for c in own if c.subset == name]) for name in (UNANSWERABLE, ANSWERABLE)]
    if any(np.isnan(one).any() for one in margins):
        margins = [np.array([]), np.array([])]
    return operating_curve(*margins)


def _margins(cells: Sequence[Cell], subset: str) -> Floats:
    """(items, wordings): the items that have a margin under every wording, none where texts are written."""
    wordings = list(dict.fromkeys(cell.wording for cell in cells))
    found: dict[str, dict[str, float]] = {}
    for cell in cells:
        if cell.subset == subset and not np.isnan(cell.margin):
            found.setdefault(cell.item, {})[cell.wording] = cell.margin
    rows = [[own[wording] for wording in wordings] for own in found.values() if len(own) == len(wordings)]
    return np.array(rows, dtype=np.float64).reshape(-1, len(wordings))


def _shares(cells: Sequence[Cell], said: int) -> dict[str, Floats]:
    found: dict[str, dict[str, list[bool]]] = {}
    for cell in cells:
        found.setdefault(cell.language, {}).setdefault(cell.item, []).append(cell.said == said)
    return {language: np.array([np.mean(hits) for hits in items.values()]) for language, items in found.items()}
