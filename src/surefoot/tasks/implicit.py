"""Yes/no questions with decompositions as a task: each wording shows another part of what is known about a question.

Source: Geva et al. 2021 (TACL, StrategyQA), section 5: no context, gold paragraphs (ORA-P), paragraphs retrieved by the
question (IR-Q), by a predicted decomposition (IR-D) and by the gold one (IR-ORA-D), the last step with and without
earlier answers filled in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from surefoot.errors import BadInput, nearest
from surefoot.questions.question import Question
from surefoot.questions.searching import Searched
from surefoot.retrieval.retriever import Document, Retriever
from surefoot.tasks.bank import read_wordings
from surefoot.tasks.implicit_items import Predicted, item_fields, queries_of, strangers
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.worlds.corpora import QuestionWorld

WORDINGS = Path(__file__).with_name("implicit_wordings.jsonl")
OPTIONS = ("yes", "no")
NEEDS = {
    "question": "question",
    "facts": "facts",
    "gold": "gold_passages",
    "other": "other_passages",
    "ir-q": "searched_passages",
    "ir-d": "predicted_passages",
    "retrieved": "found_passages",
    "filled": "filled_step",
    "raw": "raw_step",
    "steps": "step_list",
}
"""The field of an item that a condition shows; a condition is left out where a question lacks it."""
CONDITIONS = tuple(NEEDS)
CONTEXTS = (
    "facts",
    "gold_passages",
    "other_passages",
    "searched_passages",
    "predicted_passages",
    "found_passages",
    "last_passages",
)


def implicit_task(
    questions: Sequence[Question],
    *,
    documents: Mapping[str, Document] | None = None,
    retriever: Retriever | None = None,
    predicted: Predicted | None = None,
    content_only: bool = False,
    conditions: Sequence[str] = CONDITIONS,
    name: str = "implicit",
    source: str = "",
) -> Task:
    """The task that asks these questions for yes or no, under each condition that every question has the data for.

    `documents` by id give the gold passages; `retriever` those that are found for the question, for each step with its
    references filled with gold answers, and for the steps that a decomposer `predicted` (for the question itself where
    it wrote none); `content_only` leaves function words out of queries. Questions without steps or without a yes or no
    are left out. Raises `BadInput` where none is left, and for steps that cannot be put in order.
    """
    unknown = next((one for one in conditions if one not in CONDITIONS), None)
    if unknown is not None:
        raise BadInput(f'"{unknown}" is no condition.{nearest(unknown, CONDITIONS)}')
    asked = [q for q in questions if q.steps and q.answers and q.answers[0] in OPTIONS]
    if not asked:
        raise BadInput(f'"{name}" has {len(questions)} questions and none with steps and a yes or no; give some.')
    written = predicted or {}
    searched = Searched.of(retriever, queries_of(asked, written), content_only) if retriever else None
    steps = [written.get(q.id) or ((q.text,) if written else ()) for q in asked]
    items = [item_fields(q, documents or {}, searched, own) for q, own in zip(asked, steps, strict=True)]
    others = strangers(asked)
    examples = tuple(
        Example(
            q.id,
            {**own, "other_passages": "" if k is None else items[k]["gold_passages"]},
            OPTIONS,
            OPTIONS.index(q.answers[0]),
        )
        for q, own, k in zip(asked, items, others, strict=True)
    )
    wordings = tuple(w for w in read_wordings(WORDINGS) if w.id in conditions and _is_there(w, examples))
    return Task(
        name=name,
        kind="binary",
        examples=examples,
        wordings=wordings,
        input_template="",
        roles=dict.fromkeys(CONTEXTS, "context"),
        fixed_options=True,
        source=source,
    )


def implicit_world(options: Mapping[str, str]) -> Task:
    """The implicit questions of a world, its documents and BM25 over them.

    `options` are `seed`, `size`, `count`, and `conditions` separated by commas, by default all but `facts`, which say
    what the documents state.
    """
    from surefoot.retrieval.bm25 import BM25
    from surefoot.retrieval.corpus import Corpus

    numbers = {"seed": 0, "size": 1000, "count": 100}
    given = {name: value for name, value in options.items() if name != "conditions"}
    if not given.keys() <= numbers.keys() or not all(value.isdecimal() for value in given.values()):
        raise BadInput(
            f"world:implicit has {dict(options)}; its options are the numbers seed, size and count, and conditions."
        )
    numbers |= {name: int(value) for name, value in given.items()}
    told = options.get("conditions", ",".join(one for one in CONDITIONS if one != "facts"))
    world = QuestionWorld(numbers["seed"], numbers["size"], ("implicit",), numbers["count"])
    documents = {document.id: document for document in world.documents}
    index = BM25.of(Corpus.of(list(documents.values())))
    return implicit_task(
        world.questions,
        documents=documents,
        retriever=index,
        conditions=[one.strip() for one in told.split(",")],
        source="a made-up world",
    )


def _is_there(wording: Instruction, examples: Sequence[Example]) -> bool:
    return all(example.fields[NEEDS[wording.id]] for example in examples)
