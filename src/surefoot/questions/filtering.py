"""Adversarial filtering: a question stays only if enough solvers fail at it, and solvers learn from what stayed.

Source: Geva et al. 2021 (TACL, StrategyQA), section 3: solvers that are fixed, and solvers trained anew on the
questions gathered so far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from surefoot.errors import BadInput
from surefoot.metrics.answers import exact_match
from surefoot.questions.question import Question

Solver = Callable[[Question], str]
Retrain = Callable[[Sequence[Question]], Sequence[Solver]]


class Filtered(NamedTuple):
    """The questions that stayed and those that fell, each in their order; `solved` counts by question id."""

    kept: tuple[Question, ...]
    dropped: tuple[Question, ...]
    solved: dict[str, int]


def is_solved(question: Question, answer: str) -> bool:
    """Whether an answer is an accepted one; for a question without answers, whether it is `unknown`."""
    return any(exact_match(answer, gold) == 1 for gold in question.answers or ("unknown",))


def adversarial_filter(
    questions: Sequence[Question],
    solvers: Sequence[Solver],
    fooled: int | None = None,
    retrain: Retrain | None = None,
    every: int = 100,
) -> Filtered:
    """Keeps a question if at least `fooled` solvers (by default all of them) answer it wrongly.

    With `retrain`, after every `every` kept questions it is given all that were kept and gives solvers that stand
    beside the fixed ones. `fooled` counts over the fixed and the trained ones; None means all there are at the time.
    """
    if not solvers and retrain is None:
        raise BadInput("No solver was given, so that nothing would be filtered; give at least one.")
    if fooled is not None and not 1 <= fooled <= len(solvers):
        raise BadInput(f"fooled is {fooled}; with {len(solvers)} fixed solvers, ask for 1 to {len(solvers)}.")
    if every < 1:
        raise BadInput(f"every is {every}; train the solvers anew after at least 1 kept question.")
    kept: list[Question] = []
    dropped: list[Question] = []
    solved: dict[str, int] = {}
    trained: Sequence[Solver] = ()
    for question in questions:
        team = (*solvers, *trained)
        solved[question.id] = sum(is_solved(question, solver(question)) for solver in team)
        wanted = len(team) if fooled is None else fooled
        if len(team) - solved[question.id] < wanted:
            dropped.append(question)
            continue
        kept.append(question)
        if retrain is not None and len(kept) % every == 0:
            trained = retrain(tuple(kept))
    return Filtered(tuple(kept), tuple(dropped), solved)
