"""The words of an instruction that decide what is answered: its labels, and the name of what stands for them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from surefoot.tasks.task import Task
from surefoot.text.instruction import Instruction
from surefoot.text.options import label_space

MARKS = {"letter": "letter", "{l}": "letter", "{L}": "letter", "number": "number", "{n}": "number"}


def label_words(task: Task, wording: Instruction) -> tuple[str, ...]:
    """The labels that every item of the task has under this wording, in the first item's order; none for generation.

    Options that differ from item to item are no words of the instruction.
    """
    spaces = [label_space(wording.labels, wording.layout, e.options) for e in task.examples if e.options]
    common = set(spaces[0]).intersection(*spaces) if spaces else set()
    return tuple(label for label in dict.fromkeys(spaces[0] if spaces else ()) if label in common)


def named_labels(text: str, labels: Sequence[str]) -> tuple[str, ...]:
    """The labels that the text names, in the order in which it first does.

    A label of one character (A, B, 1) counts in its own case, and only where the text names two of them, because
    "A" is a word too.
    """
    found = {label: match.start() for label in labels if (match := label_pattern(label).search(text))}
    short = [label for label in found if len(label) == 1]
    if len(short) == 1:
        del found[short[0]]
    return tuple(sorted(found, key=lambda label: found[label]))


def label_pattern(label: str) -> re.Pattern[str]:
    """Matches the label as a whole word."""
    return re.compile(rf"(?<!\w){re.escape(label)}(?!\w)", 0 if len(label) == 1 else re.IGNORECASE)


def mark_word(wording: Instruction) -> str | None:
    """`letter` or `number` where the answer is one and the text says so."""
    word = next((MARKS[key] for key in MARKS if isinstance(wording.labels, str) and key in wording.labels), None)
    return word if word and says(wording.text, word) else None


def says(text: str, word: str) -> bool:
    """Whether the text has the word, or its plural."""
    return bool(re.search(rf"\b{word}s?\b", text, re.IGNORECASE))


def same_answers(one: Instruction, other: Instruction) -> bool:
    """Whether two wordings show the options and are answered in the same way."""
    return (one.layout, one.labels, one.blocks) == (other.layout, other.labels, other.blocks)
