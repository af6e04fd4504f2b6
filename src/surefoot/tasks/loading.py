"""`load_tasks`: from a name, a file or a folder to checked tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from surefoot.errors import BadInput, nearest
from surefoot.tasks.bank import SUITES, default_wordings, of_klasses, read_wordings
from surefoot.tasks.folder import read_suite, read_task, tasks_in
from surefoot.tasks.items import Columns, input_template, kind_of, mapped_example, own_example, roles_of
from surefoot.tasks.jsonl import Line, read_jsonl
from surefoot.tasks.lint import check
from surefoot.tasks.split import held_out as tested_part
from surefoot.tasks.task import Task


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
    source = _source(str(spec))
    bank = None if wordings is None else Path(wordings)
    if columns and source.scheme not in ("jsonl", "hub"):
        raise BadInput(f'"{spec}" takes no column mapping; columns are for .jsonl files and hub: data sets.')
    tasks = _READERS[source.scheme](source, bank, columns or {})
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
    scheme = _source(spec).scheme
    if scheme in ("hub", "world") or spec in bundled_tasks() or (scheme == "works" and not _source(spec).place):
        return spec
    prefix = "" if scheme in ("jsonl", "folder") else f"{scheme}:"
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


def bundled_tasks() -> tuple[str, ...]:
    """The names that `load_tasks` knows without a path: each bundled suite, and each of its tasks."""
    suites = [path.name for path in sorted(SUITES.iterdir()) if path.is_dir() and tasks_in(path)]
    written = {suite: tuple(tasks_in(SUITES / suite)) for suite in suites}
    return tuple(
        name for suite, own in {**written, **MADE}.items() for name in (suite, *(f"{suite}/{task}" for task in own))
    )


class Source(NamedTuple):
    """A spec taken apart: `scheme:place#part?options`."""

    scheme: str
    place: str
    part: str
    options: Mapping[str, str]


MADE: Mapping[str, tuple[str, ...]] = {
    "conflict": ("closed", "conflict", "agree", "endings"),
    "contexts": ("closed", "retrieved", "generated", "retrieved-first", "generated-first"),
    "unanswerable": ("answerable", "unanswerable"),
}
"""Bundled suites whose tasks are made of other data, by `surefoot.worlds`."""

OPTIONS: Mapping[str, frozenset[str]] = {
    "hub": frozenset({"split", "config"}),
    "released": frozenset({"family", "include_flagged"}),
    "works": frozenset({"prefix", "tokens", "unlicensed"}),
    "world": frozenset({"seed", "size", "count", "kinds", "tokens"}),
}


def _source(spec: str) -> Source:
    scheme, colon, rest = spec.partition(":")
    if not colon or len(scheme) < 2 or "/" in scheme or Path(spec).exists():
        return Source("jsonl" if spec.endswith((".jsonl", ".jsonl.gz")) else "folder", spec, "", {})
    if scheme not in _READERS or scheme in ("jsonl", "folder"):
        kinds = sorted(_READERS.keys() - {"jsonl", "folder"})
        raise BadInput(f'"{scheme}:" is not a kind of task.{nearest(scheme, kinds)}')
    if scheme not in OPTIONS:
        return Source(scheme, rest, "", {})
    address, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for key in options:
        if key not in OPTIONS[scheme]:
            raise BadInput(f'"{scheme}:" has no option "{key}".{nearest(key, OPTIONS[scheme])}')
    place, _, part = address.partition("#")
    return Source(scheme, place, part, options)


def _finished(
    task: Task, limit: int | None, shots: int, seed: int, shuffle: bool, klasses: Iterable[str] | None, source: Source
) -> Task:
    task = replace(task, wordings=of_klasses(task.wordings, klasses))
    if not _flag(source.options, "include_flagged"):
        check(task)
    task = task.with_shots(shots, seed).sample(limit, seed)
    return task.shuffled(seed) if shuffle else task


def _folder(source: Source, wordings: Path | None, columns: Columns) -> tuple[Task, ...]:  # noqa: ARG001
    suite, _, name = source.place.partition("/")
    bundled = SUITES / suite
    if suite in MADE and source.place in bundled_tasks():
        return _with_wordings((task for task in _made(suite) if name in ("", task.name)), wordings)
    if suite and source.place in bundled_tasks():
        return (read_task(bundled / name, wordings),) if name else read_suite(bundled, wordings)
    path = Path(source.place)
    if path.is_dir():
        return read_suite(path, wordings)
    if path.is_file():
        raise BadInput(f'"{path}" is no task; give a .jsonl file or a folder, or say what it is (mmlu:, bigbench:).')
    raise BadInput(f'There is no task "{source.place}".{nearest(source.place, bundled_tasks())}')


def _made(suite: str) -> tuple[Task, ...]:
    if suite == "unanswerable":
        from surefoot.tasks.nomiracl_world import bundled_unanswerable

        return bundled_unanswerable()
    if suite == "contexts":
        from surefoot.tasks.contexts import context_tasks
        from surefoot.worlds.contexts import bundled_pairs

        return context_tasks(bundled_pairs())
    from surefoot.worlds.conflicts import bundled_conflicts

    return bundled_conflicts()


def _contexts(source: Source, wordings: Path | None, columns: Columns) -> tuple[Task, ...]:  # noqa: ARG001
    from surefoot.tasks.contexts import context_tasks, read_contexts

    return _with_wordings(context_tasks(read_contexts(Path(source.place))), wordings)


def _conflict(source: Source, wordings: Path | None, columns: Columns) -> tuple[Task, ...]:  # noqa: ARG001
    from surefoot.worlds.conflicts import conflicts_of

    return _with_wordings(conflicts_of(Path(source.place)), wordings)


def _nomiracl(source: Source, wordings: Path | None, columns: Columns) -> tuple[Task, ...]:  # noqa: ARG001
    from surefoot.tasks.nomiracl import nomiracl_tasks
    from surefoot.tasks.nomiracl_files import read_nomiracl

    return _with_wordings(nomiracl_tasks(read_nomiracl(Path(source.place))), wordings)


def _with_wordings(tasks: Iterable[Task], wordings: Path | None) -> tuple[Task, ...]:
    return tuple(replace(task, wordings=read_wordings(wordings)) if wordings else task for task in tasks)


def _jsonl(source: Source, wordings: Path | None, columns: Columns) -> tuple[Task, ...]:
    path = Path(source.place)
    return (_flat(path.name.split(".")[0], read_jsonl(path), wordings, columns),)


def _hub(source: Source, wordings: Path | None, columns: Columns) -> tuple[Task, ...]:
    from surefoot.tasks.hub import read_hub

    lines = read_hub(source.place, source.options.get("split", "test"), source.options.get("config"))
    return (_flat(source.place, lines, wordings, columns),)


def _flat(name: str, lines: tuple[Line, ...], wordings: Path | None, columns: Columns) -> Task:
    if not lines:
        raise BadInput(f'The task "{name}" has no items; give it at least one.')
    own = "fields" in lines[0].record and not columns
    # Without an id column the line's own number is the id, so that a message and a row name the same line.
    examples = tuple(own_example(line) if own else mapped_example(line, _number(line), columns) for line in lines)
    kind, fields = kind_of(examples), tuple(dict.fromkeys(name for example in examples for name in example.fields))
    return Task(
        name=name,
        kind=kind,
        examples=examples,
        wordings=read_wordings(wordings) if wordings else default_wordings(kind),
        input_template=input_template(fields),
        roles=roles_of(fields),
        metric="exact_match" if kind == "generation" else "accuracy",
    )


def _number(line: Line) -> int:
    return int(line.where.rsplit(" ", 1)[1])


def _mmlu(source: Source, wordings: Path | None, columns: Columns) -> tuple[Task, ...]:  # noqa: ARG001
    from surefoot.tasks.mmlu import read_mmlu

    return read_mmlu(Path(source.place), read_wordings(wordings) if wordings else default_wordings("multiple_choice"))


def _bigbench(source: Source, wordings: Path | None, columns: Columns) -> tuple[Task, ...]:  # noqa: ARG001
    from surefoot.tasks.bigbench import read_bigbench

    return read_bigbench(Path(source.place), read_wordings(wordings) if wordings else None)


def _released(source: Source, wordings: Path | None, columns: Columns) -> tuple[Task, ...]:  # noqa: ARG001
    from surefoot.tasks.released import read_released

    if not source.part:
        raise BadInput(f'"released:{source.place}" names no task; write released:DIR#TASK, such as #MMLU/anatomy.')
    family, flagged = source.options.get("family"), _flag(source.options, "include_flagged")
    task = read_released(Path(source.place), source.part, family, flagged).task
    return (replace(task, wordings=read_wordings(wordings)) if wordings else task,)


def _works(source: Source, wordings: Path | None, columns: Columns) -> tuple[Task, ...]:  # noqa: ARG001
    from surefoot.memorisation.asking import NEW_TOKENS, PREFIXES, works_task
    from surefoot.memorisation.works import read_works

    place = source.place
    works = read_works(place or None, unlicensed=_flag(source.options, "unlicensed"))
    prefixes = source.options.get("prefix", ",".join(map(str, PREFIXES)))
    tokens = source.options.get("tokens", str(NEW_TOKENS))
    if not tokens.isdecimal() or not all(one.strip().isdecimal() for one in prefixes.split(",")):
        raise BadInput(f'"works:{place}" has prefix={prefixes} and tokens={tokens}; give numbers of words and tokens.')
    task = works_task(
        works,
        prefixes=[int(one) for one in prefixes.split(",")],
        new_tokens=int(tokens),
        wordings=read_wordings(wordings) if wordings else None,
        name=Path(place).name.split(".")[0] if place else "works",
    )
    return (task,)


def _world(source: Source, wordings: Path | None, columns: Columns) -> tuple[Task, ...]:  # noqa: ARG001
    from surefoot.tasks.implicit import implicit_world
    from surefoot.tasks.questions import world_task

    makers = {"facts": world_task, "implicit": implicit_world}
    if source.place not in makers:
        raise BadInput(f'There is no world "{source.place}".{nearest(source.place, makers)}')
    return _with_wordings((makers[source.place](source.options),), wordings)


def _questions(source: Source, wordings: Path | None, columns: Columns) -> tuple[Task, ...]:  # noqa: ARG001
    from surefoot.questions.jsonl import read_questions
    from surefoot.tasks.questions import question_task

    path = Path(source.place)
    return _with_wordings((question_task(read_questions(path), name=path.name.split(".")[0]),), wordings)


def _strategyqa(source: Source, wordings: Path | None, columns: Columns) -> tuple[Task, ...]:  # noqa: ARG001
    from surefoot.questions.strategyqa import read_strategyqa
    from surefoot.tasks.implicit import implicit_task

    task = implicit_task(read_strategyqa(Path(source.place)), name="strategyqa", source="StrategyQA, Geva et al. 2021")
    return _with_wordings((task,), wordings)


def _flag(options: Mapping[str, str], name: str) -> bool:
    value = options.get(name, "false").lower()
    if value not in ("true", "false"):
        raise BadInput(f'"{name}" is "{value}"; write true or false.')
    return value == "true"


_READERS: Mapping[str, Callable[[Source, Path | None, Columns], tuple[Task, ...]]] = {
    "folder": _folder,
    "jsonl": _jsonl,
    "hub": _hub,
    "mmlu": _mmlu,
    "bigbench": _bigbench,
    "conflict": _conflict,
    "contexts": _contexts,
    "released": _released,
    "works": _works,
    "nomiracl": _nomiracl,
    "world": _world,
    "questions": _questions,
    "strategyqa": _strategyqa,
}
