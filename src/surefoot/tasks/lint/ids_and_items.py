"""Rules on ids, options and gold answers."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.tasks.lint.finding import Finding, repeated
from surefoot.tasks.task import Task


def same_ids(task: Task) -> Iterator[Finding]:
    for id in repeated(wording.id for wording in task.wordings):
        yield Finding("error", "duplicate-wording-id", f'Two wordings have the id "{id}"; rename one.', id)
    for id in repeated(example.id for example in (*task.examples, *task.shots)):
        yield Finding("error", "duplicate-item-id", f'Two items have the id "{id}"; rename one.', item=id)


def bad_items(task: Task) -> Iterator[Finding]:
    for example in (*task.examples, *task.shots):
        id, options, gold = example.id, example.options, example.gold
        if task.kind == "generation":
            if not example.answers:
                yield Finding("error", "no-answer", f'The item "{id}" has no accepted answer.', item=id)
        elif len(options) < 2:
            yield Finding("error", "no-options", f'The item "{id}" has {len(options)} options; give two.', item=id)
        elif gold is None or not 0 <= gold < len(options):
            sentence = f'The gold index {gold} of item "{id}" is out of range; indices go from 0 to {len(options) - 1}.'
            yield Finding("error", "gold-out-of-range", sentence, item=id)
        for option in repeated(options):
            sentence = f'The item "{id}" has the option "{option}" twice.'
            yield Finding("warning", "duplicate-option", sentence, item=id)
