"""Rules on labels: missing, empty, the same for two options, one that begins another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from surefoot.errors import BadInput
from surefoot.tasks.lint.finding import Finding, repeated
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.text.options import label_space


class Defect(NamedTuple):
    """What is wrong with the labels of one item."""

    rule: str
    item: str
    sentence: str


def label_key(wording: Instruction) -> str:
    return f"{wording.layout == 'letters-lower'}/{wording.labels!r}"


def of_labels(wording: Instruction, defect: Defect) -> Finding:
    sentence = f'The wording "{wording.id}", item "{defect.item}": {defect.sentence}'
    return Finding("error", defect.rule, sentence, wording.id)


def label_defects(task: Task, wording: Instruction, scorer: str) -> Iterator[Defect]:
    """The first defect of each rule, over all items."""
    seen: set[str] = set()
    for example in (*task.examples, *task.shots):
        for rule, sentence in _defects_of(wording, example, scorer) if example.options else ():
            if rule not in seen:
                seen.add(rule)
                yield Defect(rule, example.id, sentence)


def _defects_of(wording: Instruction, example: Example, scorer: str) -> Iterator[tuple[str, str]]:
    try:
        labels = label_space(wording.labels, wording.layout, example.options)
        if len(labels) < len(example.options):
            raise BadInput(f"There are letters for {len(labels)} of the {len(example.options)} options.")
    except BadInput as error:
        yield "no-label", str(error)
        return
    # Two equal options are a warning of their own; a collision is one answer for different options.
    distinct = list(dict.fromkeys(zip(example.options, labels, strict=True)))
    empty = [option for option, label in distinct if not label.strip()]
    if empty:
        yield "empty-label", f'the option "{empty[0]}" has an empty label.'
    collisions = repeated(label for _, label in distinct)
    if collisions:
        yield "colliding-labels", f'two options have the label "{collisions[0]}"; give each its own.'
    # In sorted order a label that begins others stands right before one of them.
    for short, long in pairwise(sorted({label for _, label in distinct})) if scorer == "paper" else ():
        if long.startswith(short):
            yield "label-prefix", f'the label "{short}" begins "{long}", and the step product ties them.'
