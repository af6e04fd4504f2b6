"""Tasks in which a prompt's context contradicts what a model knows, made of facts and of sayings.

Four conditions, one task each: `closed` asks a fact's question alone; `conflict` asks it behind a passage that states
another value of the same type (the passage's value is the right answer); `agree` behind a passage that states the true
one; `endings` asks for a saying with another last word than the known one, in the form of MemoTrap.

Passages and demands are `context` parts, and a passage brings the blank line behind it, so that
`prompt.without("context")` is the closed-book prompt to the letter. Items of a fact have one id in all three tasks.
Sources: Longpre et al. 2021 (arXiv:2109.05052) for values replaced within their type; Shi et al. 2023
(arXiv:2305.14739) for the use of both; MemoTrap is a task of the Inverse Scaling Prize (Liu and Liu 2023).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from surefoot.errors import BadInput
from surefoot.tasks.bank import read_wordings
from surefoot.tasks.jsonl import as_text, read_jsonl, refuse_unknown
from surefoot.tasks.task import Example, Task
from surefoot.worlds.fact_files import read_facts, real_facts
from surefoot.worlds.facts import Fact

HERE = Path(__file__).parent / "conflict"
SAYINGS = HERE / "sayings.jsonl"
CLOSED, CONFLICT, AGREE, ENDINGS = CONDITIONS = ("closed", "conflict", "agree", "endings")
"""The names of the tasks, by which the probe `context-conflict` knows them."""
PASSAGES = (CONFLICT, AGREE)


class Saying(NamedTuple):
    """A saying without its last word, the word that is known, and another one that may be demanded."""

    id: str
    start: str
    ending: str
    forced: str


def conflict_tasks(facts: Iterable[Fact], seed: int = 0) -> tuple[Task, Task, Task]:
    """The tasks `closed`, `conflict` and `agree` of these facts; the seed draws each fact's other value."""
    facts = tuple(facts)
    swapped = {fact.id: fact.other(seed) for fact in facts}
    return (
        _task(CLOSED, "closed", (_closed(fact) for fact in facts), "A question without a passage."),
        _task(
            CONFLICT,
            "reading",
            (_read(fact, swapped[fact.id], fact.answer) for fact in facts),
            "A question behind a passage that states another value than the true one, which is the right answer here.",
        ),
        _task(
            AGREE,
            "reading",
            (_read(fact, fact.answer, swapped[fact.id]) for fact in facts),
            "A question behind a passage that states the true answer.",
        ),
    )


def endings_task(sayings: Sequence[Saying]) -> Task:
    """The task `endings`: the whole saying is the answer, with the demanded or with the known last word."""
    return _task(ENDINGS, "endings", map(_ending, sayings), "A saying that must end in another word.", "{{ start }}")


def bundled_conflicts() -> tuple[Task, ...]:
    """The four tasks of the bundled facts and sayings."""
    return (*conflict_tasks(real_facts()), endings_task(read_sayings(SAYINGS)))


def conflicts_of(path: Path) -> tuple[Task, ...]:
    """The tasks of a user's own JSON Lines file: of facts, or of sayings (lines with `start`)."""
    lines = read_jsonl(path)
    if lines and "start" in lines[0].record:
        return (endings_task(read_sayings(path)),)
    return conflict_tasks(read_facts(path))


def read_sayings(path: Path) -> tuple[Saying, ...]:
    """Sayings from a JSON Lines file: `id`, `start`, `ending`, `forced`. Raises `BadInput` with file and line."""
    sayings = []
    for where, record in read_jsonl(path):
        refuse_unknown(record, Saying._fields, where)
        missing = next((key for key in Saying._fields if not record.get(key)), None)
        if missing:
            raise BadInput(f'{where}: a saying needs "{missing}".')
        sayings.append(Saying(*(as_text(record[key], key, where) for key in Saying._fields)))
        if sayings[-1].ending == sayings[-1].forced:
            raise BadInput(f'{where}: the forced ending "{sayings[-1].forced}" is the known one; demand another word.')
    if not sayings:
        raise BadInput(f"{path} has no sayings; write at least one line.")
    return tuple(sayings)


def aliases_of(example: Example) -> Mapping[str, Sequence[str]]:
    """Other accepted names of an item's options, as `conflict_tasks` keeps them in its field `aliases`."""
    found: Mapping[str, Sequence[str]] = json.loads(example.fields.get("aliases", "{}"))
    return found


def _closed(fact: Fact) -> Example:
    return _example(fact, {}, (fact.answer, *fact.alternatives))


def _read(fact: Fact, stated: str, other: str) -> Example:
    passages = {"sentence": f"{fact.sentence(stated)}\n\n", "paragraph": f"{fact.paragraph(stated)}\n\n"}
    return _example(fact, passages, (stated, other))


def _example(fact: Fact, passages: Mapping[str, str], options: tuple[str, ...]) -> Example:
    """The right option first; `Task.shuffled` puts the options into an order by the item's id."""
    names = {option: list(fact.aliases[option]) for option in options if option in fact.aliases}
    aliases = {"aliases": json.dumps(names, ensure_ascii=False)} if names else {}
    return Example(fact.id, {"question": fact.question, "kind": fact.kind, **passages, **aliases}, options, 0)


def _ending(saying: Saying) -> Example:
    demands = {name: text.replace("{word}", saying.forced) for name, text in _demands().items()}
    options = tuple(f"{saying.start} {word}" for word in (saying.forced, saying.ending))
    return Example(saying.id, {"start": saying.start, "kind": "saying", **demands}, options, 0)


@cache
def _demands() -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads((HERE / "demands.json").read_text(encoding="utf-8"))
    return found


def _task(
    name: str, wordings: str, examples: Iterable[Example], description: str, shown: str = "{{ question }}"
) -> Task:
    roles: dict[str, Any] = dict.fromkeys(("sentence", "paragraph", *_demands()), "context")
    return Task(
        name=name,
        kind="multiple_choice",
        examples=tuple(examples),
        wordings=read_wordings(HERE / f"{wordings}.jsonl"),
        input_template=shown,
        roles=roles,
        max_new_tokens=24,
        description=description,
        source="written for Surefoot",
        licence="Apache-2.0",
    )
