"""The run record on disk: what was run, and its rows, whatever happens to the process.

Importing this package is cheap; the names below are loaded when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot.runs.cells import Cell, Cells
    from surefoot.runs.exports import export
    from surefoot.runs.read import RunInfo, list_runs, query_rows, read_rows
    from surefoot.runs.record import read_record, read_summary
    from surefoot.runs.run import Run
    from surefoot.runs.settings import ModelSettings, RunSettings, TaskSettings, default_folder

_WHERE = {
    "Cell": "cells",
    "Cells": "cells",
    "ModelSettings": "settings",
    "Run": "run",
    "RunInfo": "read",
    "RunSettings": "settings",
    "TaskSettings": "settings",
    "default_folder": "settings",
    "export": "exports",
    "list_runs": "read",
    "query_rows": "read",
    "read_record": "record",
    "read_rows": "read",
    "read_summary": "record",
}

__all__ = [
    "Cell",
    "Cells",
    "ModelSettings",
    "Run",
    "RunInfo",
    "RunSettings",
    "TaskSettings",
    "default_folder",
    "export",
    "list_runs",
    "query_rows",
    "read_record",
    "read_rows",
    "read_summary",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
