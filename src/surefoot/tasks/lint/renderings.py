"""Rules on what the prompts show: the right answer, or what another wording shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from surefoot.tasks.lint.finding import Finding
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.text.template import fields_of

RENDERED_ITEMS = 16
"""How many items are rendered to look for leaks and twins; the rules on fields and labels look at all items."""


def fields_with_the_answer(task: Task) -> frozenset[str]:
    """The item fields whose value is the right answer in every item (its text, or one of its accepted answers)."""
    names = set(task.examples[0].fields)
    for example in task.examples:
        right = set(example.answers) if not example.options else {example.options[example.gold or 0]}
        answers = {_plain(answer) for answer in right}
        names = {name for name in names if _plain(example.fields.get(name, "")) in answers}
    return frozenset(names)


def shown_answer(task: Task, wording: Instruction, answers: frozenset[str]) -> Iterator[Finding]:
    shown = sorted(answers & task.used_fields(wording))
    # Copying its input is a task of its own, so there the field may well be the answer.
    copies = task.kind == "generation" and set(shown) <= set(fields_of(task.input_template))
    if shown:
        sentence = (
            f'The wording "{wording.id}" prints the right answer: the field "{shown[0]}" equals it in every item.'
        )
        yield Finding("warning" if copies else "error", "gold-leak", sentence, wording.id)


def gold_changes_prompt(task: Task, wording: Instruction) -> Iterator[Finding]:
    for example in _some(task.examples):
        prompts = {task.query(variant, wording).prompt.text for variant in _other_golds(example)}
        if len(prompts) > 1:
            sentence = f'The prompt of "{wording.id}" changes with the right answer alone (item "{example.id}").'
            yield Finding("error", "gold-leak", sentence, wording.id)
            return


def _other_golds(example: Example) -> tuple[Example, ...]:
    if example.options:
        return tuple(replace(example, gold=gold) for gold in range(len(example.options)))
    return (example, replace(example, answers=("~ another answer ~",)))


def twins(task: Task, wordings: Sequence[Instruction]) -> Iterator[Finding]:
    items = _some(task.examples)
    first: dict[tuple[str, ...], str] = {}
    for wording in wordings:
        rendered = tuple(task.query(example, wording).prompt.text for example in items)
        if rendered in first:
            sentence = f'The wordings "{first[rendered]}" and "{wording.id}" make the same prompts; remove one.'
            yield Finding("error", "same-wording", sentence, wording.id)
        first.setdefault(rendered, wording.id)


def _some(examples: Sequence[Example]) -> Sequence[Example]:
    return examples[:: max(1, len(examples) // RENDERED_ITEMS)][:RENDERED_ITEMS]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(".")
