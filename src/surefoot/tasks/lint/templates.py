"""Rules on the slots of a wording: unknown, missing, dropped, repeated ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from surefoot.errors import BadInput, nearest
from surefoot.tasks.lint.finding import Finding, repeated
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.text.options import Block, option_values
from surefoot.text.template import fields_of, parse_template


def template_findings(task: Task, wording: Instruction, always: frozenset[str]) -> Iterator[Finding]:
    """Errors that make a wording unreadable or blind to the item."""
    if not wording.template.strip() or (wording.frame_template and not wording.text.strip()):
        sentence = f'The wording "{wording.id}" has an empty template; write what is asked.'
        yield Finding("error", "empty-template", sentence, wording.id)
        return
    try:
        named = _named(wording)
        inputs = set(fields_of(task.input_template))
    except BadInput as error:
        yield Finding("error", "template", f'The wording "{wording.id}": {error}', wording.id)
        return
    known = task.field_names() | set(wording.blocks)
    if "instruction" in fields_of(wording.text) or (not wording.frame_template and "instruction" in named):
        known -= {"instruction"}
    unknown = [name for name in [*named, *sorted(inputs)] if name not in known]
    if unknown:
        sentence = f'The wording "{wording.id}" asks for the field "{unknown[0]}".{nearest(unknown[0], known)}'
        yield Finding("error", "unknown-field", sentence, wording.id)
        return
    yield from _missing_values(task, wording, (set(named) | (inputs if "input" in named else set())) - always)
    yield from _dropped(wording, task.used_fields(wording), inputs)
    yield from _shown_twice(task, wording, named)
    yield from _letters_without_options(task, wording, named)


def _named(wording: Instruction) -> list[str]:
    """The slots of the whole wording, frame and text, each as often as it stands there."""
    names: list[str] = []
    for segment in parse_template(wording.template):
        if segment.field == "instruction" and wording.frame_template:
            names += [inner.field for inner in parse_template(wording.text) if inner.field]
        elif segment.field:
            names.append(segment.field)
    return names


def always_there(task: Task) -> frozenset[str]:
    """The slots that every item can fill."""
    there = [_fillable(example) for example in (*task.examples, *task.shots)]
    return frozenset.intersection(*there) | {"input", "options", "instruction"}


def _fillable(example: Example) -> frozenset[str]:
    return frozenset(example.fields) | frozenset(option_values(example.options, {}))


def _missing_values(task: Task, wording: Instruction, wanted: Iterable[str]) -> Iterator[Finding]:
    lacking = sorted(set(wanted) - set(wording.blocks))
    for name in lacking[:1]:
        item = next(example.id for example in (*task.examples, *task.shots) if name not in _fillable(example))
        sentence = f'The item "{item}" has no "{name}", which the wording "{wording.id}" shows.'
        yield Finding("error", "missing-field", sentence, wording.id)


def _dropped(wording: Instruction, used: frozenset[str], inputs: set[str]) -> Iterator[Finding]:
    dropped = sorted(inputs - used)
    if inputs and len(dropped) == len(inputs):
        sentence = f'The wording "{wording.id}" shows nothing of the item; put {{{{ input }}}} into its template.'
        yield Finding("error", "no-input", sentence, wording.id)
    elif dropped:
        sentence = f'The wording "{wording.id}" never shows the field "{dropped[0]}"; put it into its template.'
        yield Finding("error", "dropped-field", sentence, wording.id)


def _shown_twice(task: Task, wording: Instruction, named: Sequence[str]) -> Iterator[Finding]:
    inputs = fields_of(task.input_template)
    twice = [name for name in repeated(named) if name in {*inputs, "input", "options"}]
    if twice:
        sentence = f'The wording "{wording.id}" shows "{twice[0]}" twice; are two wordings fused into one?'
        yield Finding("error", "repeated-field", sentence, wording.id)
    again = [name for name in inputs if "input" in named and name in named]
    if again:
        sentence = f'The wording "{wording.id}" shows "{again[0]}" by itself and again as a part of the input.'
        yield Finding("warning", "repeated-field", sentence, wording.id)


def _letters_without_options(task: Task, wording: Instruction, named: Sequence[str]) -> Iterator[Finding]:
    marks = isinstance(wording.labels, str) and wording.labels != "option" and "{option}" not in wording.labels
    if task.kind != "generation" and marks and not _shows_options(wording, named):
        sentence = f'The wording "{wording.id}" wants a letter or number and shows no options; add {{{{ options }}}}.'
        yield Finding("error", "letters-without-options", sentence, wording.id)


def _shows_options(wording: Instruction, named: Sequence[str]) -> bool:
    lists: list[Block] = [block for name, block in wording.blocks.items() if name in named]
    by_layout = "options" in named and wording.layout != "none" and "options" not in wording.blocks
    slots = any(name.startswith("option_") for name in named)
    return by_layout or slots or any("{option}" in pattern for block in lists for pattern in block)
