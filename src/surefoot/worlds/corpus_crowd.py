"""A corpus in which naming an entity is not enough to find what is asked of it: many documents name it.

Every document has a heading that says what it tells, in the words of a question for it, and beside the documents of
each subject that a question needs stands a crowd of others that name the subject and tell nothing. A question that
names the subject alone finds any of them; a step that says what is asked finds the right one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from surefoot.errors import BadInput
from surefoot.questions.question import Question
from surefoot.retrieval.retriever import Document
from surefoot.worlds.corpora import Documents
from surefoot.worlds.corpus_forms import filled, forms, question_forms, read_statement


def crowded(questions: Iterable[Question], documents: Documents, each: int = 12) -> list[Document]:
    """All English documents with headings, and `each` more about every subject of a gold document.

    Texts of the world stay as they are and the added ones (ids `crowd-0`, `crowd-1` ...) state no fact of it, so that
    questions keep their answers and gold documents. Raises `BadInput` for a number below 1.
    """
    if each < 1:
        raise BadInput(f"each is {each}; crowd a subject with at least 1 document.")
    subjects = dict.fromkeys(documents.find(id).title for question in questions for id in question.gold)
    told: Sequence[str] = forms()["crowd"]
    pairs = [(subject, number) for subject in subjects for number in range(each)]
    added = [
        Document(f"crowd-{k}", subject, filled(told[number % len(told)], subject=subject, number=str(number + 1)))
        for k, (subject, number) in enumerate(pairs)
    ]
    return [*map(_headed, documents), *added]


def _headed(document: Document) -> Document:
    """The document with what it tells behind its title: `Where was Bopame Tarn born` for a place of birth."""
    stated = read_statement(document.text)
    if stated is None:
        return document
    return document._replace(title=filled(question_forms("en", stated.relation)[0], subject=stated.subject).rstrip("?"))
