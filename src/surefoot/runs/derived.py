"""Columns that were derived from a run's rows afterwards, such as coordinates for a picture: one document, by cell.

Rows are never written again. What is derived is small, can be computed anew, and joins the rows when they are exported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from surefoot.runs.folder import Folder
from surefoot.runs.rows import CELL

DERIVED = "derived.json"


class Joined(NamedTuple):
    """Batches of rows with the columns that they all have."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


def derived_document(columns: Iterable[str], cells: Mapping[tuple[Any, ...], tuple[float, ...]]) -> dict[str, Any]:
    """The document of a run, for `Run.write_json`: numbers (float64) in named columns for some of its cells."""
    return {"columns": list(columns), "cells": [[*cell, *values] for cell, values in cells.items()]}


def read_derived(folder: Folder) -> tuple[tuple[str, ...], dict[tuple[Any, ...], tuple[float, ...]]]:
    """The names of the derived columns and their values by cell; both empty where nothing was derived."""
    if not folder.exists(DERIVED):
        return (), {}
    document = json.loads(folder.read(DERIVED))
    width = len(CELL)
    return tuple(document["columns"]), {tuple(line[:width]): tuple(line[width:]) for line in document["cells"]}


def joined(folder: Folder, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Joined:
    """The batches with the derived columns behind their own; a cell of which nothing was derived is null there."""
    names, values = read_derived(folder)
    if not names:
        return Joined(schema, batches)
    wide = pa.schema([*schema, *(pa.field(name, pa.float64()) for name in names)])
    return Joined(wide, (_wider(batch, wide, len(names), values) for batch in batches))


def _wider(
    batch: pa.RecordBatch, schema: pa.Schema, width: int, values: Mapping[tuple[Any, ...], tuple[float, ...]]
) -> pa.RecordBatch:
    cells = zip(*(batch.column(name).to_pylist() for name in CELL), strict=True)
    found = [values.get(cell, (None,) * width) for cell in cells]
    added = [pa.array([line[k] for line in found], pa.float64()) for k in range(width)]
    return pa.RecordBatch.from_arrays([*batch.columns, *added], schema=schema)
