"""Yes/no questions with decompositions as a task: each wording shows another part of what is known about a question.

Source: Geva et al. 2021 (TACL, StrategyQA), section 5: no context, gold paragraphs, paragraphs retrieved by the gold
decomposition (IR-ORA-D), the last step with and without earlier answers filled in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surefoot.errors import BadInput, nearest
from surefoot.questions.decomposition import filled, run
from surefoot.questions.question import Question, Step
from surefoot.retrieval.retriever import Document, Hit, Retriever
from surefoot.tasks.bank import read_wordings
from surefoot.tasks.questions import example_of
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.worlds.corpora import QuestionWorld

WORDINGS = Path(__file__).with_name("implicit_wordings.jsonl")
OPTIONS = ("yes", "no")
FOUND = 10  # documents that are searched for a step, and kept of all steps
CONDITIONS = ("question", "gold", "retrieved", "filled", "raw", "steps")
Hits = Mapping[str, Sequence[Hit]]
"""What was found, by query."""
NEEDS = {"gold": "gold_passages", "retrieved": "found_passages", "filled": "filled_step"}


def implicit_task(
    questions: Sequence[Question],
    *,
    documents: Mapping[str, Document] | None = None,
    retriever: Retriever | None = None,
    conditions: Sequence[str] = CONDITIONS,
    name: str = "implicit",
    source: str = "",
) -> Task:
    """The task that asks these questions for yes or no, under each condition that every question has the data for.

    `documents` by id give the gold passages; `retriever` those that are found for each step, its references filled with
    gold answers. Questions without steps or without a yes or no are left out. Raises `BadInput` where none is left, and
    for steps that cannot be put in order.
    """
    unknown = next((one for one in conditions if one not in CONDITIONS), None)
    if unknown is not None:
        raise BadInput(f'"{unknown}" is no condition.{nearest(unknown, CONDITIONS)}')
    asked = [q for q in questions if q.steps and q.answers and q.answers[0] in OPTIONS]
    if not asked:
        raise BadInput(f'"{name}" has {len(questions)} questions and none with steps and a yes or no; give some.')
    hits = _searched(asked, retriever) if retriever else {}
    examples = tuple(_example(question, documents or {}, hits) for question in asked)
    wordings = tuple(w for w in read_wordings(WORDINGS) if w.id in conditions and _is_there(w, examples))
    return Task(
        name=name,
        kind="binary",
        examples=examples,
        wordings=wordings,
        input_template="",
        roles={"gold_passages": "context", "found_passages": "context"},
        fixed_options=True,
        source=source,
    )


def implicit_world(options: Mapping[str, str]) -> Task:
    """The implicit questions of a world, its documents and BM25 over them; `options` are `seed`, `size`, `count`."""
    from surefoot.retrieval.bm25 import BM25
    from surefoot.retrieval.corpus import Corpus

    wrong = next((name for name in options if name not in ("seed", "size", "count")), None)
    if wrong is not None or not all(value.isdecimal() for value in options.values()):
        raise BadInput(f"world:implicit has {dict(options)}; its options are the numbers seed, size and count.")
    numbers = {"seed": 0, "size": 1000, "count": 100} | {name: int(value) for name, value in options.items()}
    world = QuestionWorld(numbers["seed"], numbers["size"], ("implicit",), numbers["count"])
    documents = {document.id: document for document in world.documents}
    index = BM25.of(Corpus.of(list(documents.values())))
    return implicit_task(world.questions, documents=documents, retriever=index, source="a made-up world")


def passages(documents: Sequence[Document]) -> str:
    """The documents as they stand before the model, one a line."""
    return "".join(f"{d.title.rstrip('.')}. {d.text}\n" if d.title else f"{d.text}\n" for d in documents)


def filled_steps(question: Question) -> tuple[str, ...]:
    """The text of every step with gold answers in the place of references; of one that lacks them, as written."""
    answers = [step.answer or None for step in question.steps]
    return tuple(_filled(step, answers) for step in question.steps)


def _filled(step: Step, answers: Sequence[str | None]) -> str:
    try:
        return filled(step.text, answers)
    except BadInput:
        return step.text


def _searched(questions: Sequence[Question], retriever: Retriever) -> Hits:
    """What is found by every question and by every step with its references filled; each text is searched once."""
    texts = list(dict.fromkeys(text for q in questions for text in (q.text, *filled_steps(q))))
    return dict(zip(texts, retriever.search(texts, FOUND), strict=True))


def _example(question: Question, documents: Mapping[str, Document], hits: Hits) -> Example:
    run(question, lambda _, step: step.answer or "?")  # refuses steps that wait for each other
    known = example_of(question)
    gold = [documents[id] for id in question.gold if id in documents]
    texts = filled_steps(question)
    extra: dict[str, Any] = {"found": _found(question, texts, hits)} if hits else {}
    fields = {
        **known.fields,
        "known": json.dumps({**json.loads(known.fields["known"]), **extra}, ensure_ascii=False, sort_keys=True),
        "gold_passages": passages(gold),
        "found_passages": passages(_pooled(texts, hits)) if hits else "",
        "filled_step": texts[-1] if all(step.answer for step in question.steps[:-1]) else "",
        "raw_step": question.steps[-1].text,
        "step_list": "".join(f"{n}. {step.text}\n" for n, step in enumerate(question.steps, 1)),
    }
    return Example(question.id, fields, OPTIONS, OPTIONS.index(question.answers[0]))


def _found(question: Question, texts: Sequence[str], hits: Hits) -> dict[str, Any]:
    """Ids that are found by the question and by each step, and those of all steps pooled."""
    return {
        "question": _ids(hits[question.text]),
        "steps": [_ids(hits[text]) for text in texts],
        "pooled": [document.id for document in _pooled(texts, hits)],
    }


def _ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.document.id for hit in hits]


def _pooled(texts: Sequence[str], hits: Hits) -> list[Document]:
    """The hits of all steps together, best score first, each document once, the first `FOUND`."""
    ranked = sorted((hit for text in texts for hit in hits[text]), key=lambda hit: -hit.score)
    return list({hit.document.id: hit.document for hit in ranked}.values())[:FOUND]


def _is_there(wording: Instruction, examples: Sequence[Example]) -> bool:
    field = NEEDS.get(wording.id)
    return field is None or all(example.fields[field] for example in examples)
