"""The classes of wordings: their order, and what each is in a few words. Colour and shape are in the templates."""

from __future__ import annotations

from surefoot.text.instruction import KLASSES, RIGHT

ORDER = KLASSES
MEANING = {
    "right": "asks for the task as it is",
    "observed": "right, and seen when the model was tuned",
    "unobserved": "right, and new to the model",
    "default": "right, the task designer’s own",
    "incorrect": "a right wording of another task",
    "negated": "asks for a wrong answer",
    "nonsense": "asks for nothing at all",
}


def rank(klass: str) -> int:
    """Place of the class in every table and legend; unknown ones come last."""
    return ORDER.index(klass) if klass in ORDER else len(ORDER)


def is_right(klass: str) -> bool:
    """Whether wordings of this class count for the spread."""
    return klass in RIGHT


def symbol(klass: str) -> str:
    """The name of the class's mark and colour; classes that this version does not know share one."""
    return klass if klass in ORDER else "other"
