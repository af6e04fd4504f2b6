"""Puts the unanswerable probe's summary together from rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from surefoot.probes.phrasing.noise import noise_floor
from surefoot.probes.unanswerable.baselines import baseline_lines
from surefoot.probes.unanswerable.cells import COLUMNS, Cell, line, read_cells
from surefoot.probes.unanswerable.rates import HIGH_RESOURCE, PASSAGES, with_resources
from surefoot.probes.unanswerable.shift import shifts
from surefoot.probes.unanswerable.summary import Rates, UnanswerableSummary
from surefoot.stats.bootstrap import generator
from surefoot.tasks.nomiracl import SUBSETS
from surefoot.tasks.task import Task
from surefoot.text.instruction import RIGHT

if TYPE_CHECKING:
    from surefoot.probes.unanswerable.probe import Unanswerable
    from surefoot.runs.source import Rows

PERMUTATIONS = 999


def cells_of(rows: Rows, tasks: Sequence[Task], model: str) -> tuple[pa.Table, list[Cell]]:
    """The rows of one model under wordings that ask for the task, and their cells."""
    where = (pc.field("model") == model) & ~pc.field("recheck") & pc.field("klass").isin(sorted(RIGHT))
    table = rows.select(COLUMNS, where)
    return table, read_cells(table, tasks)


def summarise_unanswerable(
    rows: Rows, tasks: Sequence[Task], model: str, probe: Unanswerable, complete: bool
) -> UnanswerableSummary:
    """The finding of one model, from its rows alone. `BadInput` for rows of items that the tasks lack."""
    table, everything = cells_of(rows, tasks, model)
    cells = [cell for cell in everything if cell.subset in SUBSETS]
    languages = list(dict.fromkeys(cell.language for cell in cells))
    wordings = list(dict.fromkeys(cell.wording for cell in cells))
    by_language = tuple(line(one, [c for c in cells if c.language == one], probe.seed) for one in languages)
    known = {one.name: one.hallucination.value for one in by_language}
    rank = with_resources(known, PERMUTATIONS, generator(probe.seed, "resources"))
    return UnanswerableSummary(
        model=model,
        answering=probe.answering,
        overall=line("all", cells, probe.seed),
        baselines=baseline_lines(tasks, probe.baselines, probe.seed),
        languages=by_language,
        variants=tuple(line(one, [c for c in cells if c.wording == one], probe.seed) for one in wordings),
        groups=_groups(cells, probe.seed),
        shifts=shifts(everything, probe.seed),
        spearman=rank.rho,
        spearman_p=rank.p,
        noise=noise_floor(rows, tasks, model),
        rows=rows.count,
        truncated=int(pc.sum(table["truncated"].cast(pa.int64())).as_py() or 0),
        complete=complete,
    )


def _groups(cells: Sequence[Cell], seed: int) -> tuple[Rates, ...]:
    """Languages with many and with few Wikipedia passages; a language of unknown size is in neither."""
    known = [cell for cell in cells if cell.language in PASSAGES]
    high = [cell for cell in known if PASSAGES[cell.language] >= HIGH_RESOURCE]
    low = [cell for cell in known if PASSAGES[cell.language] < HIGH_RESOURCE]
    return tuple(line(name, own, seed) for name, own in (("high", high), ("low", low)) if own)
