"""A reading from a run folder: of a finished run from its summary's tasks, of an unfinished one from what is there."""

from __future__ import annotations

import json
from typing import Any

from surefoot.errors import BadInput
from surefoot.probes.first_prompts import prompts_from_json
from surefoot.probes.phrasing_summary import PhrasingSummary
from surefoot.probes.reading import Reading
from surefoot.tasks.task import Task


def read_reading(path: str) -> Reading:
    """The reading of a run. The tasks are loaded as the run's own command names them and must be unchanged.

    Raises `BadInput` for a folder that is no run, a run without rows, and tasks that changed since.
    """
    from surefoot.runs import read_record, read_rows
    from surefoot.runs.folder import Folder

    record = read_record(path)
    rows = read_rows(path)
    if not rows.num_rows:
        raise BadInput(f'The run "{path}" has no rows yet; give its command again to go on with it.')
    folder = Folder(path)
    prompts = json.loads(folder.read("prompts.json")) if folder.exists("prompts.json") else []
    summary = _summary(record, rows, tasks_of_run(path, record))
    return Reading(summary, rows, record, prompts_from_json(prompts), path)


def tasks_of_run(path: str, record: dict[str, Any]) -> tuple[Task, ...]:
    """The tasks of a run, loaded anew and compared by hash."""
    from surefoot.tasks.loading import load_selection

    call = record["arguments"]
    if not isinstance(call.get("task"), str):
        raise BadInput(
            f'The run "{path}" was made from task objects in Python, which cannot be loaded here; give '
            "`surefoot.probe` the same tasks and out= again, or read its rows: surefoot report --export rows.csv"
        )
    tasks = load_selection(record["suite"], call)
    hashes = {task.name: task.hash for task in tasks}
    changed = [name for name, told in record["tasks"].items() if hashes.get(name) != told["hash"]]
    if changed:
        raise BadInput(f'The task "{changed[0]}" has changed since the run "{path}"; run it again into a new folder.')
    return tasks


def _summary(record: dict[str, Any], rows: Any, tasks: tuple[Task, ...]) -> PhrasingSummary:
    from surefoot.probes.phrasing import Phrasing

    options = record["determinants"]["options"]
    probe = Phrasing(record["determinants"]["scorer"], options["recheck"], record["determinants"]["seed"])
    return probe.summarise(rows, tasks, str(rows["model"][0].as_py()))
