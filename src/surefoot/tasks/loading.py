"""`load_tasks`: from a name, a file or a folder to checked tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from surefoot.errors import BadInput, nearest
from surefoot.tasks.bank import of_klasses
from surefoot.tasks.bundled import bundled_tasks
from surefoot.tasks.items import Columns
from surefoot.tasks.lint import check
from surefoot.tasks.readers import SCHEMES, Source
from surefoot.tasks.split import held_out as tested_part
from surefoot.tasks.task import Task

UNNAMED = frozenset({"folder", "jsonl"})
"""The schemes of specs that name none."""


def load_tasks(
    spec: str | Path,
    *,
    limit: int | None = None,
    shots: int = 0,
    seed: int = 0,
    shuffle: bool = True,
    wordings: str | Path | None = None,
    columns: Columns | None = None,
    klasses: Iterable[str] | None = None,
    held_out: bool = False,
) -> tuple[Task, ...]:
    """The tasks that `spec` names, checked by the linter.

    `spec`: a bundled suite (`demo`, `conflict`, `contexts`) or one task of it (`demo/reviews`); a suite or task folder;
    a `.jsonl` file with `columns`; `bigbench:PATH`; `mmlu:PATH`; `conflict:FACTS.jsonl` (or sayings);
    `contexts:QUESTIONS.jsonl` (with two contexts each); `nomiracl:QUESTIONS.jsonl` (with judged passages);
    `hub:org/name?split=test&config=main`; `released:DIR#TASK?family=Flan-T5&include_flagged=true`.
    `wordings`: a JSON Lines file that replaces the task's own wordings (a BIG-bench task keeps its designer's).
    For the multi-hop probe `world:facts` or `world:facts?kinds=bridge,comparison&size=1000&count=100&seed=0&tokens=96`,
    or `questions:FILE.jsonl`; for the implicit-reasoning probe `world:implicit` or `strategyqa:FILE`.
    For the memorisation probe `works:` (the bundled works) or `works:FILE?prefix=10,25,50&tokens=200&unlicensed=true`.
    `columns`: what is in which column, for `.jsonl` and `hub:`. `klasses`: classes of wordings to keep. `held_out`
    keeps the wordings that training leaves out (`surefoot.tasks.split`, whatever the seed here) and the controls.
    `shots` worked examples are taken out of the items, then `limit` items are drawn, then the options of every item
    are shuffled by its id; all three depend on `seed` and on ids alone.

    Raises `BadInput` with the file and line, or the nearest name, and `NotAvailable` for what is not on this machine.
    Example: `load_tasks("demo/reviews", limit=20)`.
    """
    if limit is not None and limit < 1:
        raise BadInput(f"The limit is {limit}; ask for at least one item.")
    if shots < 0:
        raise BadInput(f"The number of shots is {shots}; give 0 or more.")
    source = source_of(str(spec))._replace(wordings=Path(wordings) if wordings else None, columns=columns)
    if columns and source.scheme not in ("jsonl", "hub"):
        raise BadInput(f'"{spec}" takes no column mapping; columns are for .jsonl files and hub: data sets.')
    tasks = SCHEMES[source.scheme].read(source)
    if held_out:
        tasks = tuple(tested_part(task) for task in tasks)
    return tuple(_finished(task, limit, shots, seed, shuffle, klasses, source) for task in tasks)


def load_selection(spec: str | Path, words: Mapping[str, Any], *, base: Path | None = None) -> tuple[Task, ...]:
    """`load_tasks` from the words of a command or of a run record: `map` as field=column, `classes` with commas.

    `base` is the folder that the words were given in, if it is another than this process's.
    """
    pairs = [column.partition("=") for column in words.get("map") or ()]
    wrong = next((field for field, equals, column in pairs if not (field and equals and column)), None)
    if wrong is not None:
        raise BadInput(f'--map takes field=column, and "{wrong}" is not of that form.')
    classes, wordings = words.get("classes"), words.get("wordings")
    if base is not None:
        spec, wordings = rebased(str(spec), base), wordings and base / wordings
    return load_tasks(
        spec,
        limit=words.get("limit"),
        shots=words.get("shots") or 0,
        seed=words.get("seed") or 0,
        wordings=wordings,
        columns={field: column for field, _, column in pairs} or None,
        klasses=[klass.strip() for klass in classes.split(",")] if classes else None,
        held_out=bool(words.get("held_out")),
    )


def rebased(spec: str, base: Path) -> str:
    """The spec as it reads from elsewhere: a relative path in it is taken from the folder `base`."""
    source = source_of(spec)
    if source.scheme in ("hub", "world") or spec in bundled_tasks() or (source.scheme == "works" and not source.place):
        return spec
    prefix = "" if source.scheme in UNNAMED else f"{source.scheme}:"
    return f"{prefix}{base / spec.removeprefix(prefix)}"


def tasks_of(
    task: str | Task | Sequence[str | Task],
    *,
    limit: int | None = None,
    shots: int = 0,
    seed: int = 0,
    held_out: bool = False,
) -> tuple[Task, ...]:
    """Tasks from a name, a path, a task or several of these; tasks are sampled and given shots as they are."""
    if isinstance(task, str):
        return load_tasks(task, limit=limit, shots=shots, seed=seed, held_out=held_out)
    named = [task] if isinstance(task, Task) else list(task)
    given = [one for each in named for one in ([each] if isinstance(each, Task) else load_tasks(each))]
    if held_out:
        given = [tested_part(one) for one in given]
    return tuple(one.with_shots(shots, seed).sample(limit, seed) for one in given)


def source_of(spec: str) -> Source:
    """A spec taken apart. Raises `BadInput` with the nearest name for an unknown scheme or option."""
    scheme, colon, rest = spec.partition(":")
    if not colon or len(scheme) < 2 or "/" in scheme or Path(spec).exists():
        return Source("jsonl" if spec.endswith((".jsonl", ".jsonl.gz")) else "folder", spec)
    if scheme not in SCHEMES or scheme in UNNAMED:
        raise BadInput(f'"{scheme}:" is not a kind of task.{nearest(scheme, sorted(SCHEMES.keys() - UNNAMED))}')
    known = SCHEMES[scheme].options
    if not known:
        return Source(scheme, rest)
    address, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = next((key for key in options if key not in known), None)
    if unknown is not None:
        raise BadInput(f'"{scheme}:" has no option "{unknown}".{nearest(unknown, known)}')
    place, _, part = address.partition("#")
    return Source(scheme, place, part, options)


def _finished(
    task: Task, limit: int | None, shots: int, seed: int, shuffle: bool, klasses: Iterable[str] | None, source: Source
) -> Task:
    task = replace(task, wordings=of_klasses(task.wordings, klasses))
    if not source.flag("include_flagged"):
        check(task)
    task = task.with_shots(shots, seed).sample(limit, seed)
    return task.shuffled(seed) if shuffle else task
