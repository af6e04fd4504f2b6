"""What is wrong with a task before a model sees it: its ids, its wordings, its items, its labels.

Every rule is a function that yields findings. The banks that published studies released hold a case of most of them:
two wordings fused by a missing comma, a frame that prints the answer, letters asked for where no options are shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal, NamedTuple

from surefoot.errors import BadInput, nearest
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.text.options import Block, label_space, option_values
from surefoot.text.template import Segment, fields_of, parse_template

RENDERED_ITEMS = 16
"""How many items are rendered to look for leaks and twins; the rules on fields and labels look at all items."""

FUSED_WORDS = 4
"""Shorter texts are often part of longer ones without any mistake."""


class Finding(NamedTuple):
    """One defect: an `error` makes results wrong, a `warning` may be meant. `wording` / `item` say where it is."""

    level: Literal["error", "warning"]
    rule: str
    sentence: str
    wording: str = ""
    item: str = ""


def lint(task: Task, *, scorer: str = "sum") -> list[Finding]:
    """All findings, errors first. `scorer="paper"` (the released step product) also refuses a label that begins
    another one, because that scorer cannot tell them apart. No model is needed; cost: a few renderings a wording.
    """
    findings = [*_same_ids(task), *_bad_items(task), *_fused_pairs(task.wordings)]
    sound = not any(finding.level == "error" and finding.item for finding in findings)
    answers = _fields_with_the_answer(task) if sound else frozenset()
    always = _always_there(task)
    labels: dict[str, tuple[Defect, ...]] = {}
    readable = []
    for wording in task.wordings:
        own = list(_template_findings(task, wording, always))
        findings += [*own, *_fused_text(wording, task.wordings)]
        if not sound or any(finding.level == "error" for finding in own):
            continue
        key = _label_key(wording)
        if key not in labels:
            labels[key] = tuple(_label_defects(task, wording, scorer))
        findings += [_of_labels(wording, defect) for defect in labels[key]]
        if not any(defect.rule == "no-label" for defect in labels[key]):
            readable.append(wording)
            findings += [*_shown_answer(task, wording, answers), *_gold_changes_prompt(task, wording)]
    findings += _twins(task, readable)
    return sorted(findings, key=lambda finding: finding.level != "error")


def errors_of(task: Task, *, scorer: str = "sum") -> list[Finding]:
    """The errors alone."""
    return [finding for finding in lint(task, scorer=scorer) if finding.level == "error"]


def check(task: Task, *, scorer: str = "sum") -> None:
    """Raises `BadInput` with the first error as a sentence."""
    errors = errors_of(task, scorer=scorer)
    if errors:
        more = f" ({len(errors) - 1} more; surefoot.tasks.lint lists them)" if len(errors) > 1 else ""
        raise BadInput(f'Task "{task.name}": {errors[0].sentence}{more}')


# Ids and items


def _same_ids(task: Task) -> Iterator[Finding]:
    for id in _repeated(wording.id for wording in task.wordings):
        yield Finding("error", "duplicate-wording-id", f'Two wordings have the id "{id}"; rename one.', id)
    for id in _repeated(example.id for example in (*task.examples, *task.shots)):
        yield Finding("error", "duplicate-item-id", f'Two items have the id "{id}"; rename one.', item=id)


def _bad_items(task: Task) -> Iterator[Finding]:
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
        for option in _repeated(options):
            sentence = f'The item "{id}" has the option "{option}" twice.'
            yield Finding("warning", "duplicate-option", sentence, item=id)


# Templates


def _template_findings(task: Task, wording: Instruction, always: frozenset[str]) -> Iterator[Finding]:
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


def _always_there(task: Task) -> frozenset[str]:
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
    twice = [name for name in _repeated(named) if name in {*inputs, "input", "options"}]
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


# Two wordings fused into one


_OPENERS = frozenset(
    {
        *("a", "an", "and", "answer", "based", "below", "choose", "classify", "complete", "consider", "decide"),
        *("determine", "find", "for", "from", "given", "here", "how", "i", "if", "in", "indicate", "is", "it", "now"),
        *("only", "output", "pick", "please", "provide", "read", "reply", "respond", "select", "solve", "the", "there"),
        *("these", "this", "what", "when", "which", "who", "why", "with", "write", "you", "your"),
    }
)
_JOINED = re.compile(
    r"(?<![\w.])[a-z]{2,}(?:(?P<stop>[.?!])|[\"')\]])?(?P<next>[A-Z][a-z]*)\b(?!:)(?P<rest>(?:\s+\S+){0,3})"
)


def _fused_text(wording: Instruction, bank: Sequence[Instruction]) -> Iterator[Finding]:
    """A sentence that begins right behind the last one without a space (`belowPlease`, `answer.You are`)."""
    for text in _literals(wording):
        for match in _JOINED.finditer(text):
            opener = match["next"].lower() in _OPENERS | {_first_word(other) for other in bank}
            if opener and (match["stop"] or len(match["rest"].split()) == 3):
                quoted = match.group().splitlines()[0]
                sentence = f'The wording "{wording.id}" runs two sentences together at "{quoted}"; is a comma missing?'
                yield Finding("error", "fused", sentence, wording.id)
                return


def _fused_pairs(wordings: Sequence[Instruction]) -> Iterator[Finding]:
    """A text that begins with one other wording's whole text and ends with another's, or continues one unspaced."""
    texts = {wording.id: _squeezed(wording.text) for wording in wordings}
    distinct = {text for text in texts.values() if len(text.split()) >= FUSED_WORDS}
    for wording in wordings:
        text = texts[wording.id]
        begins = [other for other in distinct if other != text and text.startswith(other)]
        ends = [other for other in distinct if other != text and text.endswith(other)]
        both = any(len(b) + len(e) <= len(text) for b in begins for e in ends)
        # Only before a capital: "the answers" is no "the answer" with something fused to it.
        unspaced = any(text[len(b)].isupper() for b in begins) or any(
            e[0].isupper() and text[-len(e) - 1].isalpha() for e in ends
        )
        if both or unspaced:
            sentence = f'The wording "{wording.id}" is made of the whole text of another one and more; split them.'
            yield Finding("error", "fused", sentence, wording.id)


def _literals(wording: Instruction) -> tuple[str, ...]:
    try:
        segments: tuple[Segment, ...] = (*parse_template(wording.text), *parse_template(wording.frame_template))
    except BadInput:
        return ()
    return tuple(segment.text for segment in segments if segment.text)


def _first_word(wording: Instruction) -> str:
    return (wording.text.split() or [""])[0].strip(",.:").lower()


def _squeezed(text: str) -> str:
    return " ".join(text.split())


# Leaks


def _fields_with_the_answer(task: Task) -> frozenset[str]:
    """The item fields whose value is the right answer in every item (its text, or one of its accepted answers)."""
    names = set(task.examples[0].fields)
    for example in task.examples:
        right = set(example.answers) if not example.options else {example.options[example.gold or 0]}
        answers = {_plain(answer) for answer in right}
        names = {name for name in names if _plain(example.fields.get(name, "")) in answers}
    return frozenset(names)


def _shown_answer(task: Task, wording: Instruction, answers: frozenset[str]) -> Iterator[Finding]:
    shown = sorted(answers & task.used_fields(wording))
    # Copying its input is a task of its own, so there the field may well be the answer.
    copies = task.kind == "generation" and set(shown) <= set(fields_of(task.input_template))
    if shown:
        sentence = (
            f'The wording "{wording.id}" prints the right answer: the field "{shown[0]}" equals it in every item.'
        )
        yield Finding("warning" if copies else "error", "gold-leak", sentence, wording.id)


def _gold_changes_prompt(task: Task, wording: Instruction) -> Iterator[Finding]:
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


# Labels


class Defect(NamedTuple):
    """What is wrong with the labels of one item."""

    rule: str
    item: str
    sentence: str


def _label_key(wording: Instruction) -> str:
    return f"{wording.layout == 'letters-lower'}/{wording.labels!r}"


def _of_labels(wording: Instruction, defect: Defect) -> Finding:
    sentence = f'The wording "{wording.id}", item "{defect.item}": {defect.sentence}'
    return Finding("error", defect.rule, sentence, wording.id)


def _label_defects(task: Task, wording: Instruction, scorer: str) -> Iterator[Defect]:
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
    collisions = _repeated(label for _, label in distinct)
    if collisions:
        yield "colliding-labels", f'two options have the label "{collisions[0]}"; give each its own.'
    # In sorted order a label that begins others stands right before one of them.
    for short, long in pairwise(sorted({label for _, label in distinct})) if scorer == "paper" else ():
        if long.startswith(short):
            yield "label-prefix", f'the label "{short}" begins "{long}", and the step product ties them.'


# Twins


def _twins(task: Task, wordings: Sequence[Instruction]) -> Iterator[Finding]:
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


def _repeated(values: Iterable[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).strip(".")
