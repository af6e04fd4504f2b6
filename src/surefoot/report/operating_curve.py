"""Geometry of the operating curve: error rate (upwards) against hallucination rate (to the right), 0 to 100 %."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from surefoot.probes.unanswerable.cells import COLUMNS, Cell, curve_of
from surefoot.probes.unanswerable.curve import Curve
from surefoot.report.numbers import percent
from surefoot.report.strip import place
from surefoot.tasks.nomiracl import SUBSETS
from surefoot.text.instruction import RIGHT

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.runs.source import Rows

HIGHEST = 0.1  # hallucination rate that the second mark stays below
COLOURS = 6  # lines of the style sheet that tell traces apart


@dataclass(frozen=True)
class Mark:
    """A point of the curve as SVG lengths, and what it says."""

    x: str
    y: str
    title: str


@dataclass(frozen=True)
class Trace:
    """One wording: its line in a square of 100, the point where it stands by itself, and that of `HIGHEST`."""

    wording: str
    style: int
    line: str
    auc: float
    stands: Mark
    chosen: Mark


def traces(rows: Rows | pa.Table, model: str) -> tuple[Trace, ...]:
    """A trace for each wording that has margins on both subsets; all languages under one threshold."""
    import pyarrow.compute as pc

    from surefoot.runs.source import Rows

    where = (pc.field("model") == model) & ~pc.field("recheck") & pc.field("klass").isin(sorted(RIGHT))
    cells = [
        Cell(row["task"], row["wording"], "", row["item"], 0, row["option_scores"][0] - row["option_scores"][1])
        for row in Rows.of(rows).select(COLUMNS, where & pc.field("task").isin(SUBSETS)).to_pylist()
        if row["option_scores"]
    ]
    curves = {wording: curve_of(cells, wording) for wording in dict.fromkeys(cell.wording for cell in cells)}
    drawn = {wording: curve for wording, curve in curves.items() if isfinite(curve.area)}
    return tuple(_trace(wording, i % COLOURS, curve) for i, (wording, curve) in enumerate(drawn.items()))


def _trace(wording: str, style: int, curve: Curve) -> Trace:
    line = " ".join(f"{100 * h:.4g},{100 - 100 * e:.4g}" for h, e in zip(curve.hallucination, curve.error, strict=True))
    own = int(np.searchsorted(curve.thresholds, 0, side="right")) - 1  # the last threshold at or below 0
    chosen = int(np.flatnonzero(curve.hallucination <= HIGHEST)[0])
    return Trace(
        wording,
        style,
        line,
        1 - curve.area,
        _mark(curve, own, f"{wording}, as it stands"),
        _mark(curve, chosen, f"{wording}, hallucination at most {HIGHEST:.0%}"),
    )


def _mark(curve: Curve, at: int, what: str) -> Mark:
    h, e = float(curve.hallucination[at]), float(curve.error[at])
    title = f"{what}: hallucination {percent(h)}, error {percent(e)}"
    return Mark(place(h), place(1 - e), title)
