"""The noise floor of the machine: the same cells computed a second time, in other company and another batch shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from surefoot.probes.phrasing.summary import NoiseFloor
from surefoot.runs.source import Rows
from surefoot.tasks.task import Task

ANSWER = ("outcome", "predicted", "text")
_NAMES = ("task", "wording", "item")
_CHUNK = 64  # rechecked cells that are looked at together


def noise_floor(rows: Rows, tasks: Sequence[Task], model: str) -> NoiseFloor:
    """The rechecked cells beside their first computation. A recheck whose first computation is missing is left out.

    Changed: another outcome, predicted label or text. The score change is the largest over options.
    """
    count = changed = 0
    largest = 0.0
    for before, after in rechecked_pairs(rows, tasks, model, (*ANSWER, "option_scores")):
        count += 1
        changed += any(before[name] != after[name] for name in ANSWER)
        largest = max(largest, _score_change(before, after))
    return NoiseFloor(count, changed, largest)


def rechecked_pairs(
    rows: Rows, tasks: Sequence[Task], model: str, columns: Sequence[str]
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """These columns of each rechecked cell: as first computed, and as computed again. Grows with the rechecks alone."""
    pairs = []
    for task in tasks:
        own = (pc.field("model") == model) & (pc.field("task") == task.name)
        again = rows.select((*_NAMES, *columns), own & pc.field("recheck")).to_pylist()
        for start in range(0, len(again), _CHUNK):
            part = {_cell(row): row for row in again[start : start + _CHUNK]}
            items = pa.array(sorted({row["item"] for row in part.values()}))
            wordings = pa.array(sorted({row["wording"] for row in part.values()}))
            near = pc.field("item").isin(items) & pc.field("wording").isin(wordings)
            first = rows.select((*_NAMES, *columns), own & ~pc.field("recheck") & near)
            cells = zip(*(first[name].to_pylist() for name in _NAMES), strict=True)
            kept = [i for i, cell in enumerate(cells) if cell in part]
            pairs += [(row, part[_cell(row)]) for row in first.take(pa.array(kept, pa.int64())).to_pylist()]
    return pairs


def _cell(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["task"], row["wording"], row["item"]


def _score_change(before: Mapping[str, Any], after: Mapping[str, Any]) -> float:
    scores = zip(before["option_scores"] or (), after["option_scores"] or (), strict=False)
    return max((_difference(a, b) for a, b in scores), default=0.0)


def _difference(a: float, b: float) -> float:
    """|a - b|; two equal infinities differ by 0, and a NaN, which must not pass for no change, by infinity."""
    return 0.0 if a == b else np.inf if np.isnan(a - b) else abs(a - b)


def truncated_cells(rows: Rows, model: str) -> int:
    """How many of a model's cells had a prompt that was cut; a cell that was computed again counts once."""
    where = (pc.field("model") == model) & ~pc.field("recheck") & pc.field("truncated")
    return int(rows.select(("truncated",), where).num_rows)
