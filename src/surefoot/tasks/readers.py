"""Where tasks come from: one table of schemes, one reader each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from surefoot.errors import BadInput, nearest
from surefoot.tasks.bank import SUITES, default_wordings, read_wordings
from surefoot.tasks.bundled import MADE, bundled_tasks, made_tasks
from surefoot.tasks.folder import read_suite, read_task
from surefoot.tasks.items import Columns, input_template, kind_of, mapped_example, own_example, roles_of
from surefoot.tasks.jsonl import Line, read_jsonl
from surefoot.tasks.task import Task
from surefoot.text.instruction import Instruction


class Source(NamedTuple):
    """A spec taken apart, `scheme:place#part?options`, and what is to replace its own wordings and columns."""

    scheme: str
    place: str
    part: str = ""
    options: Mapping[str, str] = {}
    wordings: Path | None = None
    columns: Columns | None = None

    @property
    def path(self) -> Path:
        return Path(self.place)

    def flag(self, name: str) -> bool:
        """Whether an option that is off by default is on. Raises `BadInput` for anything but true and false."""
        value = self.options.get(name, "false").lower()
        if value not in ("true", "false"):
            raise BadInput(f'"{name}" is "{value}"; write true or false.')
        return value == "true"

    def wordings_or(self, kind: str) -> tuple[Instruction, ...]:
        """The wordings given, or else the generic ones of this kind of task."""
        return read_wordings(self.wordings) if self.wordings else default_wordings(kind)

    def reworded(self, tasks: Iterable[Task]) -> tuple[Task, ...]:
        """The tasks under the wordings given, or as they are."""
        if self.wordings is None:
            return tuple(tasks)
        given = read_wordings(self.wordings)
        return tuple(replace(task, wordings=given) for task in tasks)


class Scheme(NamedTuple):
    """How to read the tasks of a kind of source, and the options that its specs take."""

    read: Callable[[Source], tuple[Task, ...]]
    options: frozenset[str] = frozenset()


def _folder(source: Source) -> tuple[Task, ...]:
    suite, _, name = source.place.partition("/")
    if source.place in bundled_tasks():
        if suite in MADE:
            return source.reworded(task for task in made_tasks(suite) if name in ("", task.name))
        bundled = SUITES / suite
        return (read_task(bundled / name, source.wordings),) if name else read_suite(bundled, source.wordings)
    if source.path.is_dir():
        return read_suite(source.path, source.wordings)
    if source.path.is_file():
        raise BadInput(
            f'"{source.place}" is no task; give a .jsonl file or a folder, or say what it is (mmlu:, bigbench:).'
        )
    raise BadInput(f'There is no task "{source.place}".{nearest(source.place, bundled_tasks())}')


def _jsonl(source: Source) -> tuple[Task, ...]:
    return (_flat(source.path.name.split(".")[0], read_jsonl(source.path), source),)


def _hub(source: Source) -> tuple[Task, ...]:
    from surefoot.tasks.hub import read_hub

    lines = read_hub(source.place, source.options.get("split", "test"), source.options.get("config"))
    return (_flat(source.place, lines, source),)


def _flat(name: str, lines: tuple[Line, ...], source: Source) -> Task:
    if not lines:
        raise BadInput(f'The task "{name}" has no items; give it at least one.')
    own = "fields" in lines[0].record and not source.columns
    # Without an id column the line's own number is the id, so that a message and a row name the same line.
    columns = source.columns or {}
    examples = tuple(own_example(line) if own else mapped_example(line, _number(line), columns) for line in lines)
    kind, fields = kind_of(examples), tuple(dict.fromkeys(name for example in examples for name in example.fields))
    return Task(
        name=name,
        kind=kind,
        examples=examples,
        wordings=source.wordings_or(kind),
        input_template=input_template(fields),
        roles=roles_of(fields),
        metric="exact_match" if kind == "generation" else "accuracy",
    )


def _number(line: Line) -> int:
    return int(line.where.rsplit(" ", 1)[1])


def _mmlu(source: Source) -> tuple[Task, ...]:
    from surefoot.tasks.mmlu import read_mmlu

    return read_mmlu(source.path, source.wordings_or("multiple_choice"))


def _bigbench(source: Source) -> tuple[Task, ...]:
    from surefoot.tasks.bigbench import read_bigbench

    return read_bigbench(source.path, read_wordings(source.wordings) if source.wordings else None)


def _released(source: Source) -> tuple[Task, ...]:
    from surefoot.tasks.released import read_released

    if not source.part:
        raise BadInput(f'"released:{source.place}" names no task; write released:DIR#TASK, such as #MMLU/anatomy.')
    released = read_released(source.path, source.part, source.options.get("family"), source.flag("include_flagged"))
    return source.reworded([released.task])


def _conflict(source: Source) -> tuple[Task, ...]:
    from surefoot.worlds.conflicts import conflicts_of

    return source.reworded(conflicts_of(source.path))


def _contexts(source: Source) -> tuple[Task, ...]:
    from surefoot.tasks.contexts import context_tasks, read_contexts

    return source.reworded(context_tasks(read_contexts(source.path)))


def _nomiracl(source: Source) -> tuple[Task, ...]:
    from surefoot.tasks.nomiracl_source import tasks_from

    return source.reworded(tasks_from(source.path, source.options, source.flag("pairs")))


def _works(source: Source) -> tuple[Task, ...]:
    from surefoot.memorisation.asking import NEW_TOKENS, PREFIXES, works_task
    from surefoot.memorisation.works import read_works

    place = source.place
    works = read_works(place or None, unlicensed=source.flag("unlicensed"))
    prefixes = source.options.get("prefix", ",".join(map(str, PREFIXES)))
    tokens = source.options.get("tokens", str(NEW_TOKENS))
    if not tokens.isdecimal() or not all(one.strip().isdecimal() for one in prefixes.split(",")):
        raise BadInput(f'"works:{place}" has prefix={prefixes} and tokens={tokens}; give numbers of words and tokens.')
    task = works_task(
        works,
        prefixes=[int(one) for one in prefixes.split(",")],
        new_tokens=int(tokens),
        wordings=read_wordings(source.wordings) if source.wordings else None,
        name=source.path.name.split(".")[0] if place else "works",
    )
    return (task,)


def _world(source: Source) -> tuple[Task, ...]:
    from surefoot.tasks.implicit import implicit_world
    from surefoot.tasks.questions import world_task

    makers = {"facts": world_task, "implicit": implicit_world}
    if source.place not in makers:
        raise BadInput(f'There is no world "{source.place}".{nearest(source.place, makers)}')
    return source.reworded([makers[source.place](source.options)])


def _questions(source: Source) -> tuple[Task, ...]:
    from surefoot.questions.jsonl import read_questions
    from surefoot.tasks.questions import question_task

    return source.reworded([question_task(read_questions(source.path), name=source.path.name.split(".")[0])])


def _strategyqa(source: Source) -> tuple[Task, ...]:
    from surefoot.questions.strategyqa import read_strategyqa
    from surefoot.tasks.implicit import implicit_task

    asked = read_strategyqa(source.path)
    return source.reworded([implicit_task(asked, name="strategyqa", source="StrategyQA, Geva et al. 2021")])


def _summaries(source: Source) -> tuple[Task, ...]:
    from surefoot.tasks.summaries import NEW_TOKENS, read_documents, summary_task

    words, tokens = source.options.get("words"), source.options.get("tokens", str(NEW_TOKENS))
    if not tokens.isdecimal() or not (words or "0").isdecimal():
        raise BadInput(f'"summaries:{source.place}" has words={words} and tokens={tokens}; give whole numbers.')
    name, most = source.path.name.split(".")[0], None if words is None else int(words)
    return source.reworded([summary_task(read_documents(source.path), words=most, new_tokens=int(tokens), name=name)])


SCHEMES: Mapping[str, Scheme] = {
    "folder": Scheme(_folder),
    "jsonl": Scheme(_jsonl),
    "hub": Scheme(_hub, frozenset({"split", "config"})),
    "mmlu": Scheme(_mmlu),
    "bigbench": Scheme(_bigbench),
    "released": Scheme(_released, frozenset({"family", "include_flagged"})),
    "conflict": Scheme(_conflict),
    "contexts": Scheme(_contexts),
    "nomiracl": Scheme(_nomiracl, frozenset({"split", "languages", "each", "passages", "position", "pairs"})),
    "works": Scheme(_works, frozenset({"prefix", "tokens", "unlicensed"})),
    "world": Scheme(_world, frozenset({"seed", "size", "count", "kinds", "tokens", "conditions"})),
    "questions": Scheme(_questions),
    "strategyqa": Scheme(_strategyqa),
    "summaries": Scheme(_summaries, frozenset({"words", "tokens"})),
}
"""`folder` and `jsonl` are what a spec without a scheme is; the others stand before its colon."""
