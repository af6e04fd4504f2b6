"""Questions as a task: an item is a question, and its evidence and steps travel with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot.errors import BadInput
from surefoot.questions.question import Question, Step
from surefoot.tasks.bank import read_wordings
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.worlds.corpora import QuestionWorld

WORDINGS = Path(__file__).with_name("question_wordings.jsonl")
NEW_TOKENS = 96
ANSWERED = ("single", "bridge", "comparison", "counterfactual", "implicit")


def question_task(
    questions: Sequence[Question],
    *,
    name: str = "questions",
    wordings: Sequence[Instruction] | None = None,
    new_tokens: int = NEW_TOKENS,
    source: str = "",
) -> Task:
    """The task that asks these questions for a written answer, scored by word F1.

    `wordings` are templates over `question`; by default one that asks for steps and one for the bare answer. Questions
    without an accepted answer are left out: whether a model abstains is what the probe `unanswerable` measures. Raises
    `BadInput` where none is left.
    """
    asked = tuple(question for question in questions if question.answers)
    if not asked:
        raise BadInput(f'"{name}" has {len(questions)} questions and none with an accepted answer; give some with one.')
    return Task(
        name=name,
        kind="generation",
        examples=tuple(example_of(question) for question in asked),
        wordings=tuple(read_wordings(WORDINGS) if wordings is None else wordings),
        input_template="{{ question }}",
        metric="token_f1",
        max_new_tokens=new_tokens,
        source=source,
    )


def world_task(options: Mapping[str, str]) -> Task:
    """The questions of a world as a task; `options` are those of `world:facts?...`, as texts.

    `kinds` is separated by commas (by default all that have answers), `seed`, `size` and `count` are those of
    `QuestionWorld`, `tokens` is the budget of an answer. Its documents are those of the same seed and size.
    """
    wrong = next((name for name, v in options.items() if name != "kinds" and not v.isdecimal()), None)
    if wrong is not None:
        raise BadInput(f'{wrong} of the world is "{options[wrong]}"; give a number.')
    numbers: dict[str, Any] = {name: int(value) for name, value in options.items() if name in ("seed", "size", "count")}
    kinds = tuple(kind.strip() for kind in options.get("kinds", ",".join(ANSWERED)).split(","))
    world = QuestionWorld(kinds=kinds, **numbers)
    tokens = int(options.get("tokens", NEW_TOKENS))
    return question_task(world.questions, name="facts", new_tokens=tokens, source="a made-up world")


def example_of(question: Question) -> Example:
    """The item; what is known about the question stands in the field `known` as JSON, which no wording shows."""
    known = {"evidence": question.evidence, "reasoning": question.reasoning, "language": question.language}
    steps = [{"text": s.text, "answer": s.answer, "documents": s.documents} for s in question.steps]
    fields = {"question": question.text, "kind": question.kind}
    told = json.dumps({**known, "steps": steps}, ensure_ascii=False, sort_keys=True)
    return Example(question.id, {**fields, "known": told}, answers=question.answers)


def question_of(example: Example) -> Question:
    """What `example_of` made an item of. Raises `BadInput` for an item of another task."""
    if "known" not in example.fields:
        raise BadInput(f'The item "{example.id}" is no question with evidence; make the task by question_task(...).')
    known: dict[str, Any] = json.loads(example.fields["known"])
    return Question(
        id=example.id,
        text=example.fields["question"],
        answers=example.answers or tuple(example.options[i] for i in [example.gold] if i is not None),
        kind=example.fields["kind"],
        evidence=tuple(tuple(tuple(hop) for hop in annotator) for annotator in known["evidence"]),
        steps=tuple(Step(s["text"], s["answer"], tuple(s["documents"])) for s in known["steps"]),
        reasoning=tuple(known["reasoning"]),
        language=known["language"],
    )
