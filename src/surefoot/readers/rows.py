"""What readers learn from: a context, a question and its answer, made of tasks, of files and of worlds.

Sources: Geva et al. 2021 (TACL, StrategyQA), who train on other questions first (among them BoolQ, Clark et al. 2019);
Rajpurkar et al. 2018 (SQuAD 2.0) for passages that do not answer.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.models.scripted import ScriptedModel
from surefoot.readers.pairs import Pair, pair_of
from surefoot.tasks.implicit_items import passages, strangers
from surefoot.tasks.jsonl import as_text, read_jsonl
from surefoot.tasks.task import Task
from surefoot.worlds.corpora import QuestionWorld
from surefoot.worlds.corpus_forms import document_forms, filled
from surefoot.worlds.corpus_section import Section
from surefoot.worlds.names import types_and_relations


class YesNoRow(NamedTuple):
    """A pair and whether its answer is yes."""

    pair: Pair
    answer: bool


class SpanRow(NamedTuple):
    """A pair and the words of its context that answer it; empty where the context does not answer."""

    pair: Pair
    answer: str


def task_rows(task: Task, conditions: Sequence[str]) -> tuple[YesNoRow, ...]:
    """The items of an implicit-reasoning task as a reader is shown them under each condition, and their answers.

    The contexts are those of the task, so that what is trained on and what the probe measures are made alike. Raises
    `BadInput` for a condition that the task does not have.
    """
    wordings = [task.wording(condition) for condition in conditions]
    queries = [task.query(example, wording) for wording in wordings for example in task.examples]
    return tuple(YesNoRow(pair_of(q.prompt), q.labels[q.gold or 0] == "yes") for q in queries)


def boolq_rows(path: Path) -> tuple[YesNoRow, ...]:
    """BoolQ's public JSON Lines (`question`, `passage`, `answer` true or false), texts as they stand.

    Raises `BadInput` with file and line for a record without them.
    """
    found = []
    for where, record in read_jsonl(path):
        if not isinstance(record.get("answer"), bool):
            raise BadInput(f'{where}: "answer" is {record.get("answer")!r}; write true or false.')
        passage, question = (as_text(record.get(key), key, where) for key in ("passage", "question"))
        found.append(YesNoRow(Pair(passage, question), bool(record["answer"])))
    if not found:
        raise BadInput(f"{path} has no questions; write at least one line.")
    return tuple(found)


def single_step_rows(world: QuestionWorld, count: int) -> tuple[YesNoRow, ...]:
    """Yes/no questions of one step, each half of them yes: the auxiliary stage of a world, as BoolQ is of Wikipedia.

    Four kinds take turns: whether a passage says something, whether the year that it says is before another, and, as
    operations without a passage, whether a year is before another and whether a trade is the same as another.
    """
    rng = random.Random(f"single steps/{world.seed}/{count}")
    facts = world.sections[0]
    makers = (partial(_stated, facts), partial(_founded_before, facts), _before, _same)
    return tuple(makers[k % 4](rng, (k // 4) % 2 == 0) for k in range(count))


def _stated(facts: Section, rng: random.Random, yes: bool) -> YesNoRow:
    """Whether something is what the passage says of it, or another value."""
    number = rng.randrange(len(facts.facts))
    fact = facts.truth(number)
    value = fact.value if yes else facts.facts[number].other(rng.randrange(1000))
    asked = filled(document_forms("en", fact.relation)[0], subject=fact.subject, value=value).rstrip(".")
    return YesNoRow(Pair(_said(fact.relation, fact.subject, fact.value, rng), f"Is it true that {asked}?"), yes)


def _founded_before(facts: Section, rng: random.Random, yes: bool) -> YesNoRow:
    """Whether a town was founded before a year, from the passage that says when."""
    while (fact := facts.truth(rng.randrange(len(facts.facts)))).relation != "founded-in":
        pass
    earlier, later = _years(rng)
    year, other = (earlier, later) if yes else (later, earlier)
    return YesNoRow(
        Pair(_said("founded-in", fact.subject, str(year), rng), f"Was {fact.subject} founded before {other}?"), yes
    )


def _before(rng: random.Random, yes: bool) -> YesNoRow:
    earlier, later = _years(rng)
    one, two = (earlier, later) if yes else (later, earlier)
    return YesNoRow(Pair("", f"Is {one} before {two}?"), yes)


def _same(rng: random.Random, yes: bool) -> YesNoRow:
    one, other = rng.sample(types_and_relations()["types"]["trade"]["names"], 2)
    return YesNoRow(Pair("", f"Is {one} the same as {one if yes else other}?"), yes)


def _years(rng: random.Random) -> tuple[int, int]:
    """Two years of the world, the earlier first."""
    years = types_and_relations()["types"]["year"]
    one, two = sorted(rng.sample(range(years["from"], years["to"] + 1), 2))
    return one, two


def _said(relation: str, subject: str, value: str, rng: random.Random) -> str:
    """A passage of a random form behind its title, as passages are shown."""
    return f"{subject}. {filled(rng.choice(document_forms('en', relation)), subject=subject, value=value)}"


def span_rows(world: QuestionWorld) -> tuple[SpanRow, ...]:
    """Each question of one hop of a world with its passage, and each second one with the passage of another one."""
    questions = [q for q in world.questions if q.kind == "single" and q.language == "en"]
    shown = [passages([world.documents.find(q.gold[0])]).strip() for q in questions]
    found = []
    for place, (question, other) in enumerate(zip(questions, strangers(questions), strict=True)):
        found.append(SpanRow(Pair(shown[place], question.text), question.answers[0]))
        if place % 2 and other is not None:
            found.append(SpanRow(Pair(shown[other], question.text), ""))
    return tuple(found)


def majority(rows: Sequence[YesNoRow]) -> LanguageModel:
    """The baseline that reads nothing: it says yes with the share of yes among these rows, for the probe to ask."""
    from math import inf, log

    if not rows:
        raise BadInput("There are no rows to count answers of; give some.")
    yes = sum(row.answer for row in rows) / len(rows)
    told = {"yes": log(yes) if yes else -inf, "no": log(1 - yes) if yes < 1 else -inf}
    return ScriptedModel(lambda *_: told, f"majority {yes:.3f}", can=frozenset({"logprobs"}))
