"""The unanswerable probe's calibrations: models whose judgements are planted, on questions in three languages."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from surefoot.calibration import Calibration, Truth
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.asking import Answering
from surefoot.tasks.nomiracl import ABSENT, PRESENT, JudgedQuestion, Passage, nomiracl_tasks
from surefoot.tasks.task import Task
from surefoot.text.prompt import Prompt

QUESTIONS = 120
COIN = 0.3
GOLD = "It is told here."
Script = Callable[[Prompt], str]


def calibrations() -> tuple[Calibration, ...]:
    """Always-yes, always-no, coin, invalid-only, oracle, and the oracle after one judgement was flipped."""
    within = 3 * (COIN * (1 - COIN) / (QUESTIONS / 2)) ** 0.5
    return (
        Calibration("always-yes", "says that the answer is present", lambda: read(lambda _: PRESENT), _truths(1, 0)),
        Calibration("always-no", "says that it does not know", lambda: read(lambda _: ABSENT), _truths(0, 1)),
        Calibration(
            "coin",
            f"says present with probability {COIN}, by a hash of the prompt",
            lambda: read(_coin),
            {"hallucination": Truth(COIN, within), "error": Truth(1 - COIN, within), "invalid": Truth(0, 0)},
        ),
        Calibration("invalid-only", "says neither", lambda: read(lambda _: "Perhaps."), _truths(0, 0, 1)),
        Calibration("oracle", "reads the relevant passage", lambda: read(_oracle), _truths(0, 0)),
        Calibration(
            "oracle, forced choice",
            "ranks the two strings",
            lambda: read(_oracle, "sum"),
            {**_truths(0, 0), "auc": Truth(1, 0)},
        ),
        Calibration(
            "flipped judgement",
            "the oracle, where one relevant passage was judged not relevant",
            lambda: read(_oracle, flip=True),
            {**_truths(1 / 21 / 3, 0), "unanswerable": Truth(QUESTIONS / 2 + 1, 0)},
        ),
    )


def _truths(hallucination: float, error: float, invalid: float = 0) -> dict[str, Truth]:
    return {"hallucination": Truth(hallucination, 0), "error": Truth(error, 0), "invalid": Truth(invalid, 0)}


def _coin(prompt: Prompt) -> str:
    drawn = int(hashlib.sha256(prompt.only("context").text.encode()).hexdigest()[:8], 16) / 16**8
    return PRESENT if drawn < COIN else ABSENT


def _oracle(prompt: Prompt) -> str:
    return PRESENT if GOLD in prompt.only("context").text else ABSENT


def questions(flip: bool = False) -> tuple[JudgedQuestion, ...]:
    """Every other question is answerable, by its second passage; `flip` judges that of the first question anew."""
    made = []
    for number in range(QUESTIONS):
        id, answerable = f"q{number}", number % 2 == 0
        language = ("en", "sw", "th")[number // 2 % 3]
        made.append(JudgedQuestion(id, f"What of {id}?", _passages(id, answerable), language))
    if flip:
        judged = tuple(passage._replace(relevant=False) for passage in made[0].passages)
        made[0] = replace(made[0], passages=judged)
    return tuple(made)


def _passages(id: str, answerable: bool) -> tuple[Passage, ...]:
    second = f"{GOLD} {id}" if answerable else f"Nor is it here, {id}."
    return (Passage(f"{id}/a", f"Nothing is told of {id}.", relevant=False), Passage(f"{id}/b", second, answerable))


@cache
def world(flip: bool = False) -> tuple[Task, ...]:
    """The two tasks of these questions under one wording."""
    tasks = nomiracl_tasks(questions(flip))
    return tuple(replace(task, wordings=task.wordings[:1]) for task in tasks)


def read(script: Script, answering: Answering = "generate", *, flip: bool = False) -> Mapping[str, float]:
    """The probe's readings of a scripted model."""
    from surefoot.probes.unanswerable.probe import Unanswerable

    def answer(prompt: Prompt, _: Sequence[str]) -> str:
        return script(prompt)

    found = Unanswerable(answering).measure(ScriptedModel(answer), world(flip)).summary.overall
    return {
        "hallucination": found.hallucination.value,
        "error": found.error.value,
        "invalid": found.invalid_unanswerable.value,
        "unanswerable": found.unanswerable,
        "auc": found.auc.value,
    }
