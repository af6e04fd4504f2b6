"""What an item of an implicit question tells: its steps, its gold passages, and what is found for it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.errors import BadInput
from surefoot.questions.decomposition import filled, run
from surefoot.questions.question import Question, Step
from surefoot.questions.searching import Searched
from surefoot.retrieval.retriever import Document
from surefoot.tasks.questions import example_of
from surefoot.tasks.task import Example

Predicted = Mapping[str, Sequence[str]]
"""The steps that a decomposer wrote, by the question's id."""
Documents = Mapping[str, Document]


def item_fields(
    question: Question, documents: Documents, searched: Searched | None, predicted: Sequence[str]
) -> dict[str, str]:
    """The fields of an item but for `other_passages`; `known` holds, as JSON, what no wording shows."""
    run(question, lambda _, step: step.answer or "?")  # refuses steps that wait for each other
    own = example_of(question).fields
    each = [_shown(step.documents, documents) for step in question.steps]
    texts = filled_steps(question)
    hidden: dict[str, Any] = {**json.loads(own["known"]), "passages": each}
    if searched:
        hidden["found"] = _found(question, searched, predicted)
    return {
        **own,
        "known": json.dumps(hidden, ensure_ascii=False, sort_keys=True),
        "facts": "".join(f"{fact}\n" for fact in question.reasoning if not fact.startswith("So the answer is")),
        "gold_passages": _shown(question.gold, documents),
        "searched_passages": passages(searched.best(question.text)) if searched else "",
        "predicted_passages": passages(searched.pooled(predicted)) if searched else "",
        "found_passages": passages(searched.pooled(texts)) if searched else "",
        "last_passages": f"Passages:\n{each[-1]}\n" if each[-1] else "",
        "filled_step": texts[-1] if all(step.answer for step in question.steps[:-1]) else "",
        "raw_step": question.steps[-1].text,
        "step_list": "".join(f"{n}. {step.text}\n" for n, step in enumerate(question.steps, 1)),
    }


def queries_of(questions: Sequence[Question], predicted: Predicted) -> list[str]:
    """Every text that is searched: the questions, their steps as they are written and filled, and predicted steps."""
    return [
        text
        for question in questions
        for text in (
            question.text,
            *(step.text for step in question.steps),
            *filled_steps(question),
            *predicted.get(question.id, ()),
        )
    ]


def passages(documents: Sequence[Document]) -> str:
    """The documents as they stand before the model, one a line."""
    return "".join(f"{d.title.rstrip('.')}. {d.text}\n" if d.title else f"{d.text}\n" for d in documents)


def filled_steps(question: Question) -> tuple[str, ...]:
    """The text of every step with gold answers in the place of references; of one that lacks them, as written."""
    answers = [step.answer or None for step in question.steps]
    return tuple(_filled(step, answers) for step in question.steps)


def step_passages(example: Example) -> list[str]:
    """For each step of an item, the gold passages that answer it; empty for an operation and where there are none."""
    told: list[str] = json.loads(example.fields["known"])["passages"]
    return told


def strangers(questions: Sequence[Question]) -> list[int | None]:
    """For each question the place of another one that shares no gold document with it, the next by a hash of ids;
    None where there is none. It depends on the ids alone, not on the order."""
    ranked = sorted(range(len(questions)), key=lambda k: hashlib.sha256(questions[k].id.encode()).digest())
    turn = {k: n for n, k in enumerate(ranked)}

    def stranger(place: int) -> int | None:
        mine, after = set(questions[place].gold), turn[place] + 1
        others = (*ranked[after:], *ranked[: turn[place]])
        return next((k for k in others if mine.isdisjoint(questions[k].gold)), None)

    return [stranger(place) for place in range(len(questions))]


def _shown(ids: Sequence[str], documents: Documents) -> str:
    return passages([documents[id] for id in ids if id in documents])


def _filled(step: Step, answers: Sequence[str | None]) -> str:
    try:
        return filled(step.text, answers)
    except BadInput:
        return step.text


def _found(question: Question, searched: Searched, predicted: Sequence[str]) -> dict[str, Any]:
    """Ids that are found by the question and by each filled step, and those of steps together: the gold ones filled
    (`pooled`) and as they are written (`written`), and the predicted ones where there are any."""

    def pooled(texts: Sequence[str]) -> list[str]:
        return [document.id for document in searched.pooled(texts)]

    texts = filled_steps(question)
    return {
        "question": [document.id for document in searched.best(question.text)],
        "steps": [[document.id for document in searched.best(text)] for text in texts],
        "pooled": pooled(texts),
        "written": pooled([step.text for step in question.steps]),
        **({"predicted": pooled(predicted)} if predicted else {}),
    }
