"""What alignment learns from: examples of tasks, each under a reference wording and paraphrases of it.

Items and wordings that are trained on are fixed by the task and a seed alone, and are written down, so that what was
learned from can be left out where the treated model is tested.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from surefoot.errors import BadInput
from surefoot.models.local import LocalModel
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.training.groups import Group, Variant

Wordings = Mapping[str, Sequence[Sequence[Instruction]]]
"""Task name -> groups of wordings that ask for the same; the first of each group is the reference."""


class Lesson(NamedTuple):
    """One example under a reference wording, the first, and its paraphrases."""

    task: Task
    example: Example
    wordings: tuple[Instruction, ...]


def training_items(task: Task, share: float) -> tuple[Example, ...]:
    """The share of the task's items that is trained on: a fixed choice by the items' ids."""
    if not 0 < share <= 1:
        raise BadInput(f"items is {share}; give the share of items to train on, above 0 and up to 1.")
    ranked = sorted(task.examples, key=lambda e: hashlib.sha256(f"train/{task.name}/{e.id}".encode()).hexdigest())
    chosen = {example.id for example in ranked[: max(1, round(share * len(ranked)))]}
    return tuple(example for example in task.examples if example.id in chosen)


def lessons(tasks: Sequence[Task], wordings: Wordings, share: float, count: int, seed: int) -> list[Lesson]:
    """At most `count` lessons, tasks in turn, each task's (item, reference) pairs in a seeded order."""
    missing = [task.name for task in tasks if not wordings.get(task.name)]
    if missing:
        raise BadInput(f'There are no wordings to train on for the task "{missing[0]}"; give it some.')
    streams = [_stream(task, wordings[task.name], share, seed) for task in tasks]
    found: list[Lesson] = []
    while streams and len(found) < count:
        for stream in list(streams):
            lesson = next(stream, None)
            if lesson is None:
                streams.remove(stream)
            elif len(found) < count:
                found.append(lesson)
    return found


def _stream(task: Task, groups: Sequence[Sequence[Instruction]], share: float, seed: int) -> Iterator[Lesson]:
    pairs = [(example, group) for example in training_items(task, share) for group in groups]
    random.Random(f"{seed}/{task.name}").shuffle(pairs)
    yield from (Lesson(task, example, tuple(group)) for example, group in pairs)


def as_groups(model: LocalModel, found: Sequence[Lesson]) -> list[Group]:
    """Token ids of the lessons as the model reads them. A written answer is followed by the token that ends it."""
    queries = [(lesson, lesson.task.query(lesson.example, w)) for lesson in found for w in lesson.wordings]
    answers = [q.labels[q.gold] if q.labels and q.gold is not None else q.answers[0] for _, q in queries]
    end = (min(model.ends),) if model.ends else ()
    pairs = model.pairs([q.prompt for _, q in queries], answers)
    variants = iter(
        Variant(tuple(prompt), (*answer, *(() if q.labels else end)))
        for (prompt, answer), (_, q) in zip(pairs, queries, strict=True)
    )
    return [Group(tuple(next(variants) for _ in lesson.wordings)) for lesson in found]


def trained_on(found: Sequence[Lesson]) -> dict[str, Any]:
    """Ids of the wordings and items that gradients come from, by task."""
    told: dict[str, Any] = {}
    for task in dict.fromkeys(lesson.task.name for lesson in found):
        own = [lesson for lesson in found if lesson.task.name == task]
        told[task] = {
            "wordings": sorted({wording.id for lesson in own for wording in lesson.wordings}),
            "items": sorted({lesson.example.id for lesson in own}),
        }
    return told
