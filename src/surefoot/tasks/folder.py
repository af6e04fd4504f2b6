"""Tasks and suites as folders: `task.json`, `items.jsonl`, `wordings.jsonl`, and `frames.jsonl` where wanted."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from surefoot.errors import BadInput, nearest
from surefoot.tasks.bank import read_wordings
from surefoot.tasks.items import own_example
from surefoot.tasks.jsonl import read_json, read_jsonl, refuse_unknown
from surefoot.tasks.task import Kind, Task
from surefoot.text.prompt import ROLES

TASK_KEYS = frozenset(field.name for field in fields(Task)) - {"examples", "wordings", "shots"}
KINDS: tuple[str, ...] = get_args(Kind)
TYPES = {"max_new_tokens": int, "fixed_options": bool, "roles": dict}


def is_task(folder: Path) -> bool:
    """Whether the folder holds a task in this form."""
    return (folder / "task.json").is_file() and (folder / "items.jsonl").is_file()


def tasks_in(folder: Path) -> dict[str, Path]:
    """The task folders of a suite, by name."""
    return {path.name: path for path in sorted(folder.iterdir()) if is_task(path)} if folder.is_dir() else {}


def read_task(folder: Path, wordings: Path | None = None) -> Task:
    """The task in a folder, with its own wordings or those of another file. Raises `BadInput` for any mistake in it."""
    settings = read_json(folder / "task.json")
    _check_settings(settings, str(folder / "task.json"))
    examples = tuple(own_example(line) for line in read_jsonl(folder / "items.jsonl"))
    name = settings.get("name", folder.name)
    if not examples:
        raise BadInput(f'The task "{name}" has no items; write at least one line into {folder / "items.jsonl"}.')
    bank = read_wordings(wordings or folder / "wordings.jsonl")
    return Task(**{**settings, "name": name}, examples=examples, wordings=bank)


def read_suite(folder: Path, wordings: Path | None = None) -> tuple[Task, ...]:
    """The task of a task folder, or all tasks of a suite folder in the order of their names."""
    if is_task(folder):
        return (read_task(folder, wordings),)
    tasks = tasks_in(folder)
    if not tasks:
        raise BadInput(f'"{folder}" holds no task; a task folder has task.json, items.jsonl and wordings.jsonl.')
    return tuple(read_task(path, wordings) for path in tasks.values())


def _check_settings(settings: dict[str, Any], where: str) -> None:
    refuse_unknown(settings, TASK_KEYS, where)
    kind = settings.get("kind")
    if kind not in KINDS:
        raise BadInput(f'{where}: the kind "{kind}" is not one of {", ".join(KINDS)}.')
    for key, value in settings.items():
        wanted = TYPES.get(key, str)
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise BadInput(f'{where}: "{key}" is {value!r}, which is not {wanted.__name__}.')
    for field, role in settings.get("roles", {}).items():
        if role not in ROLES:
            raise BadInput(f'{where}: the field "{field}" has the role "{role}".{nearest(str(role), ROLES)}')
