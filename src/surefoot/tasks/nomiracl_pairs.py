"""Answerable questions whose relevant passages are taken away, beside the same questions with others taken away.

`removed` shows an answerable question without its relevant passages; `thinned` shows it without as many others, so that
both have the same number of passages and differ in what they say. A reader that looks for the answer says "present"
with lower log-odds on `removed`; one that ignores passages, or goes by their number, says the same of both. Only
questions with at least as many other passages as relevant ones, and one other left, are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from surefoot.errors import BadInput
from surefoot.tasks.nomiracl import (
    ANSWERABLE,
    REMOVED,
    THINNED,
    JudgedQuestion,
    mixed,
    nomiracl_tasks,
    without_relevant,
)
from surefoot.tasks.task import Task
from surefoot.text.instruction import Instruction


def thinned(question: JudgedQuestion) -> JudgedQuestion:
    """The question without as many of its other passages as it has relevant ones; which ones depends on ids alone."""
    taken = sum(one.relevant for one in question.passages)
    others = [one.id for one in mixed(question).passages if not one.relevant][:taken]
    return replace(question, passages=tuple(one for one in question.passages if one.id not in others))


def paired_tasks(
    questions: Iterable[JudgedQuestion], wordings: Sequence[Instruction] | None = None
) -> tuple[Task, ...]:
    """The tasks `answerable` and `unanswerable` of these questions, and `removed` and `thinned` of those with both.

    Raises `BadInput` where no question has both.
    """
    asked = tuple(questions)
    own = [one for one in asked if one.subset == ANSWERABLE and _has_both(one)]
    if not own:
        raise BadInput(
            "No answerable question has as many other passages as relevant ones and one more, so that none can be "
            "taken away; show more passages."
        )
    (removed,) = nomiracl_tasks((without_relevant(one) for one in own), wordings=wordings)
    (kept,) = nomiracl_tasks((thinned(one) for one in own), wordings=wordings)
    described = "An answerable question without its relevant passages, or without as many others."
    pairs = (replace(removed, name=REMOVED), replace(kept, name=THINNED))
    return (
        *nomiracl_tasks(asked, wordings=wordings),
        *(replace(one, description=described) for one in pairs),
    )


@cache
def bundled_pairs() -> tuple[Task, ...]:
    """The tasks of the bundled suite `unanswerable-pairs`."""
    from surefoot.tasks.nomiracl_world import judged_questions

    return paired_tasks(judged_questions())


def _has_both(question: JudgedQuestion) -> bool:
    relevant = sum(one.relevant for one in question.passages)
    others = len(question.passages) - relevant
    return others >= max(relevant, 1)
