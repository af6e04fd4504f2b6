"""Decompositions whose steps name earlier answers as `#k`: checked, put in order, filled and executed.

Source: Geva et al. 2021 (TACL, StrategyQA), 2.2. Their code refuses circles by powers of the reference matrix, up
to ten steps, and fills `#k` by replacing from high k to low; here an order is found for any number of steps and all
references are filled in one pass, which gives the same text, and an answer that holds a `#k` is not filled again.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from surefoot.errors import BadInput
from surefoot.questions.question import Question, Step

REFERENCE = re.compile(r"#(\d+)")
Answer = Callable[[str, Step], str]
"""Answers a step: the text with its references filled, and the step as it is written."""


class Asked(NamedTuple):
    """A step that is asked in a round: the places of its question and of itself, and its text, references filled."""

    question: int
    place: int
    text: str


AnswerAll = Callable[[Sequence[Asked]], Sequence[str]]
"""Answers the steps of a round, of all questions."""


class Execution(NamedTuple):
    """What was asked and answered. `texts` and `answers` are by step; None where the last step does not need it."""

    texts: tuple[str | None, ...]
    answers: tuple[str | None, ...]
    order: tuple[int, ...]

    @property
    def answer(self) -> str:
        """The answer of the last step."""
        return self.answers[-1] or ""


def references(text: str) -> tuple[int, ...]:
    """The numbers of the steps that a step names, from 1, each once, in order of their place."""
    return tuple(dict.fromkeys(int(number) for number in REFERENCE.findall(text)))


def execution_order(steps: Sequence[Step]) -> tuple[int, ...]:
    """The steps' places (from 0) in an order in which each stands behind those it names; the earliest possible first.

    Raises `BadInput` for a step that names itself, a step that is not there, or a circle.
    """
    needs = [_needs(steps, place) for place in range(len(steps))]
    ready = [place for place, missing in enumerate(needs) if not missing]
    order: list[int] = []
    while ready:
        done = heapq.heappop(ready)
        order.append(done)
        for place, missing in enumerate(needs):
            if done in missing:
                missing.remove(done)
                if not missing:
                    heapq.heappush(ready, place)
    if len(order) < len(steps):
        circle = ", ".join(f"#{place + 1}" for place in range(len(steps)) if place not in order)
        raise BadInput(f"The steps {circle} wait for each other; let each name earlier answers only.")
    return tuple(order)


def needed(steps: Sequence[Step]) -> frozenset[int]:
    """The places of the last step and of all steps that it depends on."""
    found, waiting = set[int](), [len(steps) - 1] if steps else []
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting += _needs(steps, place)
    return frozenset(found)


def filled(text: str, answers: Sequence[str | None]) -> str:
    """The text with `#k` replaced by answer k. Raises `BadInput` where there is no such answer."""

    def answer_of(reference: re.Match[str]) -> str:
        number = int(reference[1])
        answer = answers[number - 1] if 1 <= number <= len(answers) else None
        if answer is None:
            raise BadInput(f'"{text}" names {reference[0]}, which has no answer; answer that step first.')
        return answer

    return REFERENCE.sub(answer_of, text)


def run(question: Question, answer: Answer) -> Execution:
    """Executes the decomposition: every step that the last one depends on, in order, its references filled.

    Raises `BadInput` for a question without steps and for references that cannot be resolved.
    """
    steps, order = question.steps, _order(question)
    texts: list[str | None] = [None] * len(steps)
    answers: list[str | None] = [None] * len(steps)
    for place in order:
        text = filled(steps[place].text, answers)
        texts[place], answers[place] = text, answer(text, steps[place])
    return Execution(tuple(texts), tuple(answers), order)


def rounds(steps: Sequence[Step]) -> tuple[tuple[int, ...], ...]:
    """The places of the steps that the last one depends on, by round: a step is asked in the first round before which
    all that it names have answers. Raises `BadInput` as `execution_order`."""
    wanted = needed(steps)
    turn: dict[int, int] = {}
    for place in execution_order(steps):
        turn[place] = max((turn[other] + 1 for other in _needs(steps, place)), default=0)
    last = max((turn[place] for place in wanted), default=-1)
    return tuple(tuple(place for place in sorted(wanted) if turn[place] == n) for n in range(last + 1))


def run_together(questions: Sequence[Question], answer: AnswerAll) -> list[Execution]:
    """Executes the decompositions of all questions in rounds; what `run` gives, where `answer` answers alike.

    `answer` is called once a round, with the steps of all questions that can be asked in it: as often as the longest
    chain of references has steps, however many questions there are.
    """
    orders = [_order(question) for question in questions]
    plans = [rounds(question.steps) for question in questions]
    texts: list[list[str | None]] = [[None] * len(question.steps) for question in questions]
    answers: list[list[str | None]] = [[None] * len(question.steps) for question in questions]
    for turn in range(max(map(len, plans), default=0)):
        asked = [
            Asked(q, place, filled(questions[q].steps[place].text, answers[q]))
            for q, plan in enumerate(plans)
            for place in (plan[turn] if turn < len(plan) else ())
        ]
        for one, told in zip(asked, answer(asked), strict=True):
            texts[one.question][one.place], answers[one.question][one.place] = one.text, told
    return [Execution(tuple(t), tuple(a), order) for t, a, order in zip(texts, answers, orders, strict=True)]


def _order(question: Question) -> tuple[int, ...]:
    """The steps that the last one depends on, in the order of `execution_order`."""
    if not question.steps:
        raise BadInput(f'The question "{question.id}" has no steps; give it a decomposition.')
    wanted = needed(question.steps)
    return tuple(place for place in execution_order(question.steps) if place in wanted)


def _needs(steps: Sequence[Step], place: int) -> set[int]:
    """The places of the steps that a step names."""
    found = references(steps[place].text)
    if place + 1 in found:
        raise BadInput(f'Step {place + 1}, "{steps[place].text}", names its own answer; name earlier ones.')
    unknown = next((number for number in found if not 1 <= number <= len(steps)), None)
    if unknown is not None:
        raise BadInput(f'Step {place + 1}, "{steps[place].text}", names #{unknown}; there are {len(steps)} steps.')
    return {number - 1 for number in found}
