"""The implicit-reasoning probe's calibrations: models that guess, read, or only take the last step.

The questions are those of a made-up world; a *memory* of the world's steps answers whatever it is shown in full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from surefoot.calibration import Calibration, Truth
from surefoot.models.scripted import ScriptedModel
from surefoot.questions.question import Question
from surefoot.tasks.implicit import implicit_task
from surefoot.tasks.implicit_items import filled_steps
from surefoot.tasks.task import Task
from surefoot.text.prompt import Prompt
from surefoot.worlds.corpora import QuestionWorld

READ = ("question", "gold", "other", "filled", "raw", "steps")
Decide = Callable[[Prompt], str | None]


@cache
def questions() -> tuple[Question, ...]:
    """Twenty implicit questions."""
    return QuestionWorld(size=200, kinds=("implicit",), count=20).questions


@cache
def world() -> Task:
    """The questions with their gold documents, without a retriever."""
    made = QuestionWorld(size=200, kinds=("implicit",), count=20)
    documents = {document.id: document for document in made.documents}
    return implicit_task(made.questions, documents=documents, conditions=READ)


def steps() -> Mapping[str, str]:
    """Every step's text with references filled, and its answer."""
    return {t: s.answer for q in questions() for t, s in zip(filled_steps(q), q.steps, strict=True)}


def scripted(decide: Decide, answer: Callable[[str], str], name: str) -> ScriptedModel:
    """A model that says yes or no by `decide` (no where that gives None) and answers steps by `answer`."""

    def script(prompt: Prompt, options: object) -> str:
        return (decide(prompt) or "no") if options else answer(prompt.only("input").text)

    return ScriptedModel(script, name)


def by_step(prompt: Prompt) -> str | None:
    """The answer to a step that is shown in full; None where no such step is shown."""
    asked = prompt.only("input").text
    return next((answer for text, answer in steps().items() if text in asked and answer in ("yes", "no")), None)


def by_reading(prompt: Prompt) -> str | None:
    """The answer to a question whose gold documents all stand in the context."""
    asked, context = prompt.only("input").text, prompt.only("context").text
    found = next((e for e in world().examples if e.fields["question"] in asked), None)
    if found is None or not all(line in context for line in found.fields["gold_passages"].splitlines()):
        return None
    return found.options[found.gold or 0]


def known(text: str) -> str:
    """The right answer to a step."""
    return next((answer for step, answer in steps().items() if step in text), "unknown")


def calibrations() -> tuple[Calibration, ...]:
    """Always yes; reads; takes the last step; takes it and knows all others; takes it and knows none."""
    no = sum(question.answers[0] == "no" for question in questions()) / len(questions())
    guessed = {name: Truth(no, 0) for name in READ}
    yes = {name: Truth(1 - no, 1e-9) for name in guessed}
    right = Truth(1, 0)
    nothing = scripted(by_step, lambda _: "unknown", "last step")
    return (
        _case("yes", "always says yes", scripted(lambda _: "yes", known, "yes"), yes),
        _case(
            "reader",
            "right where the gold documents are shown",
            scripted(by_reading, known, "reader"),
            {**guessed, "gold": right},
        ),
        _case("last-step", "right where the last step is filled", nothing, {**guessed, "filled": right}),
        _case(
            "stepwise",
            "answers all steps rightly",
            scripted(by_step, known, "stepwise"),
            {**guessed, "filled": right, "steps": right},
        ),
    )


def _case(name: str, behaviour: str, model: ScriptedModel, truths: Mapping[str, Truth]) -> Calibration:
    return Calibration(name, behaviour, lambda: readings(model), truths)


def readings(model: ScriptedModel) -> dict[str, float]:
    """Accuracy under every condition."""
    from surefoot.probes.implicit_reasoning.probe import ImplicitReasoning

    summary = ImplicitReasoning().measure(model, [world()]).summary
    return {one.condition: one.accuracy.value for one in summary.findings}
