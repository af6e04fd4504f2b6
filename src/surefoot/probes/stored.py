"""A reading from a run folder, by whichever probe made it, of what is there of the run: finished or not."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surefoot.catalogue import find
from surefoot.errors import BadInput
from surefoot.probes.first_prompts import prompts_from_json
from surefoot.probes.matrix import Probe
from surefoot.probes.reading import Reading
from surefoot.settings import build
from surefoot.tasks.task import Task


def read_reading(path: str) -> Reading:
    """The reading of a run. The tasks are loaded as the run's own command names them and must be unchanged.

    Raises `BadInput` for a folder that is no run, a run without rows or of an unknown probe, and tasks that changed
    since.
    """
    from surefoot.runs import read_record
    from surefoot.runs.folder import Folder
    from surefoot.runs.source import Rows

    record = read_record(path)
    rows = Rows(path)
    models = rows.names("model")
    if not models:
        raise BadInput(f'The run "{path}" has no rows yet; give its command again to go on with it.')
    folder = Folder(path)
    prompts = json.loads(folder.read("prompts.json")) if folder.exists("prompts.json") else []
    summary = probe_of(record).summarise(rows, tasks_of_run(path, record), models[0])
    return Reading(summary, rows, record, prompts_from_json(prompts), path)


def probe_of(record: Mapping[str, Any]) -> Probe:
    """The probe that made a run, with its settings."""
    determinants = record["determinants"]
    by_name = {"answering": determinants["scorer"], "seed": determinants["seed"]}
    known = {"recheck": determinants["options"]["recheck"], **by_name}
    probe: Probe = build(find("probe", record["probe"]), record.get("settings") or known)
    return probe


def tasks_of_run(path: str, record: Mapping[str, Any]) -> tuple[Task, ...]:
    """The tasks of a run, loaded anew and compared by hash."""
    call = record["arguments"]
    if not isinstance(call.get("task"), str):
        raise BadInput(
            f'The run "{path}" was made from task objects in Python, which cannot be loaded here; give '
            "`surefoot.probe` the same tasks and out= again, or read its rows: surefoot report --export rows.csv"
        )
    tasks = _load(path, record)
    hashes = {task.name: task.hash for task in tasks}
    changed = [name for name, told in record["tasks"].items() if hashes.get(name) != told["hash"]]
    if changed:
        raise BadInput(f'The task "{changed[0]}" has changed since the run "{path}"; run it again into a new folder.')
    return tasks


def _load(path: str, record: Mapping[str, Any]) -> tuple[Task, ...]:
    """From the folder that the command was given in; where that is gone, from this one."""
    from surefoot.tasks.loading import load_selection

    call, base = record["arguments"], _working_folder(path, record)
    if base is not None:
        try:
            return load_selection(record["suite"], call, base=base)
        except BadInput:
            if base.samefile("."):
                raise
    return load_selection(record["suite"], call)


def _working_folder(path: str, record: Mapping[str, Any]) -> Path | None:
    told = record.get("working_folder")
    if not told or "://" in path:
        return None
    base = Path(os.path.normpath(Path.cwd() / path / told))
    return base if base.is_dir() else None
