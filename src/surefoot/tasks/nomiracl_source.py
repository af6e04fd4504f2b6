"""What `nomiracl:PLACE?...` stands for: judged questions from a file or a released folder, and how they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from surefoot.errors import BadInput
from surefoot.tasks.nomiracl import JudgedQuestion, nomiracl_tasks, resized
from surefoot.tasks.nomiracl_files import read_nomiracl
from surefoot.tasks.nomiracl_pairs import paired_tasks
from surefoot.tasks.nomiracl_release import SPLITS, read_release
from surefoot.tasks.task import Task

OF_RELEASE = ("split", "languages", "each")


def tasks_from(place: Path, options: Mapping[str, str], pairs: bool = False) -> tuple[Task, ...]:
    """The tasks of judged questions in a JSON Lines file, or in a folder as NoMIRACL is released.

    `options`: of a folder `split`, `languages` (codes with commas) and `each` (questions of a subset and language);
    `passages` fixes how many are shown, `position` (from 0) where the one relevant passage stands among them; `pairs`
    adds the tasks `removed` and `thinned`. Raises `BadInput` for an option that the place has no use for.
    """
    questions = _released(place, options) if place.is_dir() else _from_file(place, options)
    count, position = (_number(options, name) for name in ("passages", "position"))
    if position is not None and count is None:
        raise BadInput(f"position is {position} among an unknown number of passages; give passages as well.")
    if count is not None:
        questions = tuple(resized(one, count, position) for one in questions)
    return paired_tasks(questions) if pairs else nomiracl_tasks(questions)


def _released(place: Path, options: Mapping[str, str]) -> tuple[JudgedQuestion, ...]:
    """The questions of a released folder under these options."""
    languages = [one.strip() for one in options.get("languages", "").split(",") if one.strip()]
    return read_release(place, options.get("split", SPLITS[0]), languages, _number(options, "each"))


def _from_file(place: Path, options: Mapping[str, str]) -> tuple[JudgedQuestion, ...]:
    odd = next((name for name in OF_RELEASE if name in options), None)
    if odd is not None:
        raise BadInput(f'"{odd}" is for a folder as NoMIRACL is released, and "{place}" is none; leave it out.')
    return read_nomiracl(place)


def _number(options: Mapping[str, str], name: str) -> int | None:
    value = options.get(name)
    if value is not None and not value.isdecimal():
        raise BadInput(f'"{name}" is "{value}"; give a number.')
    return None if value is None else int(value)
