"""Puts the unanswerable probe's summary together from rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from surefoot.errors import BadInput
from surefoot.probes.phrasing.noise import noise_floor
from surefoot.probes.unanswerable.curve import operating_curve
from surefoot.probes.unanswerable.rates import HIGH_RESOURCE, PASSAGES, macro_interval, with_resources
from surefoot.probes.unanswerable.summary import Rates, UnanswerableSummary
from surefoot.stats.bootstrap import generator
from surefoot.stats.intervals import Floats, Interval
from surefoot.tasks.nomiracl import ANSWERABLE, UNANSWERABLE
from surefoot.tasks.task import Task
from surefoot.text.instruction import RIGHT

if TYPE_CHECKING:
    from surefoot.probes.unanswerable.probe import Unanswerable
    from surefoot.runs.source import Rows

RESAMPLES = 1000
PERMUTATIONS = 999
COLUMNS = ("task", "wording", "item", "predicted_index", "option_scores", "truncated")


class Cell(NamedTuple):
    """One answer: `said` is 0 for present, 1 for absent, -1 for neither; `margin` is NaN where texts are written."""

    subset: str
    wording: str
    language: str
    item: str
    said: int
    margin: float


def summarise_unanswerable(
    rows: Rows, tasks: Sequence[Task], model: str, probe: Unanswerable, complete: bool
) -> UnanswerableSummary:
    """The finding of one model, from its rows alone. `BadInput` for rows of items that the tasks lack."""
    where = (pc.field("model") == model) & ~pc.field("recheck") & pc.field("klass").isin(sorted(RIGHT))
    table = rows.select(COLUMNS, where)
    cells = read_cells(table, tasks)
    languages = list(dict.fromkeys(cell.language for cell in cells))
    wordings = list(dict.fromkeys(cell.wording for cell in cells))
    by_language = tuple(line(one, [c for c in cells if c.language == one], probe.seed) for one in languages)
    known = {one.name: one.hallucination.value for one in by_language}
    rank = with_resources(known, PERMUTATIONS, generator(probe.seed, "resources"))
    return UnanswerableSummary(
        model=model,
        answering=probe.answering,
        overall=line("all", cells, probe.seed),
        languages=by_language,
        variants=tuple(line(one, [c for c in cells if c.wording == one], probe.seed) for one in wordings),
        groups=_groups(cells, probe.seed),
        spearman=rank.rho,
        spearman_p=rank.p,
        noise=noise_floor(rows, tasks, model),
        rows=rows.count,
        truncated=int(pc.sum(table["truncated"].cast(pa.int64())).as_py() or 0),
        complete=complete,
    )


def read_cells(table: pa.Table, tasks: Sequence[Task]) -> list[Cell]:
    """The answers of a table of rows, with the languages of their items."""
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

    areas = [_curve(subsets, wording) for wording in dict.fromkeys(cell.wording for cell in cells)]
    area, tenth = np.mean(areas, axis=0) if areas else (nan, nan)
    return Rates(
        name,
        len({cell.item for cell in subsets[UNANSWERABLE]}),
        len({cell.item for cell in subsets[ANSWERABLE]}),
        rate(UNANSWERABLE, 0),
        rate(ANSWERABLE, 1),
        rate(UNANSWERABLE, -1),
        rate(ANSWERABLE, -1),
        float(area),
        float(tenth),
    )


def _curve(subsets: Mapping[str, Sequence[Cell]], wording: str) -> tuple[float, float]:
    """Area and error at a tenth under one wording: margins under two wordings are not on one scale."""
    margins = [
        np.array([c.margin for c in subsets[name] if c.wording == wording]) for name in (UNANSWERABLE, ANSWERABLE)
    ]
    if not all(one.size and not np.isnan(one).any() for one in margins):
        return nan, nan
    curve = operating_curve(*margins)
    return curve.area, curve.error_at(0.1)


def _shares(cells: Sequence[Cell], said: int) -> dict[str, Floats]:
    found: dict[str, dict[str, list[bool]]] = {}
    for cell in cells:
        found.setdefault(cell.language, {}).setdefault(cell.item, []).append(cell.said == said)
    return {language: np.array([np.mean(hits) for hits in items.values()]) for language, items in found.items()}


def _groups(cells: Sequence[Cell], seed: int) -> tuple[Rates, ...]:
    """Languages with many and with few Wikipedia passages; a language of unknown size is in neither."""
    known = [cell for cell in cells if cell.language in PASSAGES]
    high = [cell for cell in known if PASSAGES[cell.language] >= HIGH_RESOURCE]
    low = [cell for cell in known if PASSAGES[cell.language] < HIGH_RESOURCE]
    return tuple(line(name, own, seed) for name, own in (("high", high), ("low", low)) if own)
