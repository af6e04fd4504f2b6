"""Runs whose scores are given as arrays, for tests of comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from surefoot.runs.rows import ROW_SCHEMA

Cell = tuple[str, str, str]  # task, wording, item


@dataclass(frozen=True, eq=False)
class Made:
    """What `compare` needs of a reading."""

    rows: pa.Table
    record: Mapping[str, Any]
    path: str | None = None
    summary: Any = field(default=None)


def made(
    scores: Mapping[str, np.ndarray],
    klasses: Sequence[str] | None = None,
    model: str = "m",
    *,
    drop: Sequence[Cell] = (),
    rechecks: Mapping[Cell, str] | None = None,
    gold: str = "yes",
    **record: Any,
) -> Made:
    """A run with one items x wordings array of scores a task; NaN is an unparsed answer.

    Items are `0`, `1`, ..., wordings `w0`, ... of the class in `klasses` (right). `rechecks` are cells computed twice
    with the outcome of the second time.
    """
    rows = []
    for task, matrix in scores.items():
        names = klasses or ["right"] * matrix.shape[1]
        for j, klass in enumerate(names):
            for i, score in enumerate(matrix[:, j].tolist()):
                if (task, f"w{j}", str(i)) not in drop:
                    rows.append(_row(model, task, j, klass, i, score, gold))
    first = {(row["task"], row["wording"], row["item"]): row for row in rows}
    for cell, outcome in (rechecks or {}).items():
        rows.append({**first[cell], "recheck": True, "outcome": outcome})
    known = {"probe": "phrasing", "model": {"name": model}, "determinants": {"model": {"name": model}, "seed": 0}}
    known["tasks"] = {task: {"hash": f"hash of {task}"} for task in scores}
    return Made(pa.Table.from_pylist(rows, schema=ROW_SCHEMA), {**known, **record})


def _row(model: str, task: str, j: int, klass: str, i: int, score: float, gold: str) -> dict[str, Any]:
    parsed = not np.isnan(score)
    return {
        "model": model,
        "task": task,
        "wording": f"w{j}",
        "klass": klass,
        "frame": "",
        "item": str(i),
        "recheck": False,
        "outcome": "unparsed" if not parsed else "right" if score >= 1 else "wrong",
        "score": score if parsed else None,
        "gold": gold,
        "predicted": None if not parsed else gold if score >= 1 else "no",
        "truncated": False,
    }


def coins(items: int, wordings: int, chance: float | np.ndarray = 0.5, seed: int = 0) -> np.ndarray:
    """Answers that are right with this probability."""
    return (np.random.default_rng(seed).random((items, wordings)) < chance) * 1.0
