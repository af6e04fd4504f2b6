"""The context-conflict probe's calibrations: models that read, remember or are silent, on a world nobody can know.

Their prompts are the tasks' own. A *reader* finds its answer in the text of the prompt's context, so it is right only
if the passages say what they should; a *memory* holds the true answers of the facts that it knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from surefoot.calibration import Calibration, Truth
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.asking import Answering
from surefoot.tasks.task import Task
from surefoot.text.prompt import Prompt
from surefoot.worlds.conflicts import CLOSED, ENDINGS, SAYINGS, conflict_tasks, endings_task, read_sayings
from surefoot.worlds.facts import FactWorld

FACTS = 40
SILENCE = "I would rather not say."
Answer = Callable[["Asked"], str]


def calibrations() -> tuple[Calibration, ...]:
    """Reader, memory, silent, torn and forgetful model."""
    return (
        Calibration(
            "reader",
            "answers with what the context says, and knows all facts without it",
            lambda: read(lambda asked: asked.stated or asked.remembered, "generate"),
            {**_truths(1, 1, 0), "agreeing": Truth(1, 0), "endings obeyed": Truth(1, 0), "memorisation": Truth(0, 0)},
        ),
        Calibration(
            "memory",
            "answers from memory, whatever the context says",
            lambda: read(lambda asked: asked.remembered, "generate"),
            {**_truths(1, 0, 1), "agreeing": Truth(1, 0), "endings obeyed": Truth(0, 0), "memorisation": Truth(1, 0)},
        ),
        Calibration(
            "silent",
            "knows all facts, and says nothing where there is a context",
            lambda: read(lambda asked: SILENCE if asked.context else asked.remembered, "generate"),
            {**_truths(1, 0, 0), "other": Truth(1, 0), "agreeing": Truth(0, 0)},
        ),
        Calibration(
            "torn",
            "ranks options; reads a sentence and trusts its memory against a paragraph",
            lambda: read(lambda asked: asked.remembered if asked.is_long else asked.stated or asked.remembered, "sum"),
            {**_truths(1, 0.5, 0.5), "agreeing": Truth(1, 0), "memorisation": Truth(0.5, 0)},
        ),
        Calibration(
            "forgetful",
            "ranks options; knows three facts of four, and reads where it knows, remembers nothing else",
            lambda: read(lambda asked: (asked.stated or asked.remembered) if asked.is_known else asked.wrong, "sum"),
            {**_truths(0.75, 1, 0), "facts asked": Truth(0.75 * FACTS, 0)},
        ),
    )


def _truths(known: float, swapped: float, original: float) -> dict[str, Truth]:
    return {"known": Truth(known, 0), "swapped": Truth(swapped, 0), "original": Truth(original, 0)}


@cache
def world() -> tuple[Task, ...]:
    """The three tasks of 40 invented facts, and that of the bundled sayings."""
    return (*(task.shuffled() for task in conflict_tasks(FactWorld(size=FACTS))), endings_task(read_sayings(SAYINGS)))


class Asked:
    """One prompt as a script sees it: what its context states, what memory holds, and another value."""

    def __init__(self, prompt: Prompt, memory: Mapping[str, str], values: Sequence[str]) -> None:
        self.context = prompt.only("context").text
        self.question = prompt.only("input").text
        self.instructed = bool(prompt.only("instruction").text.strip())
        self.remembered = next((answer for asked, answer in memory.items() if asked in self.question), "")
        self.wrong = next(value for value in values if value != self.remembered)
        self.place = [*memory].index(next(asked for asked in memory if asked in self.question))
        self._values = values

    @property
    def stated(self) -> str:
        """The value that the context states: of a saying the whole with the word that is demanded."""
        demanded = re.search(r'"(\w+)"', self.context)
        if demanded:
            return f"{self.remembered.rsplit(' ', 1)[0]} {demanded[1]}"
        there = (value for value in self._values if value in self.context and value not in self.question)
        return max(there, key=len, default="")

    @property
    def is_long(self) -> bool:
        return self.context.count(".") > 1

    @property
    def is_known(self) -> bool:
        """Three of four."""
        return self.place % 4 > 0


def read(answer: Answer, answering: Answering) -> Mapping[str, float]:
    """The probe's readings of a scripted model."""
    from surefoot.probes.context_conflict.probe import ContextConflict

    summary = ContextConflict(answering).measure(scripted(answer, world()), world()).summary
    conflict, agree, endings = (summary.condition(name) for name in ("conflict", "agree", "endings"))
    return {
        "known": summary.selection.known / summary.selection.facts,
        "facts asked": summary.selection.asked,
        "swapped": conflict.right.value,
        "original": conflict.wrong.value,
        "other": conflict.other.value,
        "agreeing": agree.right.value,
        "endings obeyed": endings.right.value,
        "memorisation": summary.memorisation.value,
    }


def scripted(answer: Answer, tasks: Sequence[Task], name: str = "scripted") -> ScriptedModel:
    """A model that answers by what it is asked; its memory holds the true answers of the tasks."""
    memory: dict[str, str] = {}
    for task in tasks:
        if task.name == CLOSED:
            memory |= {example.fields["question"]: example.options[example.gold or 0] for example in task.examples}
        if task.name == ENDINGS:
            memory |= {example.fields["start"]: example.options[1 - (example.gold or 0)] for example in task.examples}
    values = sorted({option for task in tasks if task.name != ENDINGS for e in task.examples for option in e.options})

    def script(prompt: Prompt, options: Sequence[str]) -> Any:
        asked = Asked(prompt, memory, values)
        said = answer(asked)
        return said if not options or said in options else next(o for o in options if o != asked.remembered)

    return ScriptedModel(script, name)
