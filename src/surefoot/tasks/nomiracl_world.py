"""Judged questions of invented facts in several scripts, of which every judgement is known.

The passages of a question are the documents of its language that share most with it, a term counting by its idf, in an
order that tells nothing. The document that states the answer is relevant and no other is; an unanswerable question
asks for a fact that no document states, of an entity that the corpus knows otherwise, or does not know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cache
from math import log

from surefoot.errors import BadInput
from surefoot.questions.question import Question
from surefoot.retrieval.retriever import Document
from surefoot.retrieval.terms import terms
from surefoot.tasks.nomiracl import JudgedQuestion, Passage, mixed, nomiracl_tasks
from surefoot.tasks.task import Task
from surefoot.worlds.corpora import QuestionWorld

LANGUAGES = ("en", "ru", "hi", "th")
EACH = 25  # questions of each subset in each language
PASSAGES = 5


class Overlap:
    """Ranks documents by the summed idf of the terms that they share with a query; idf = ln(N / documents with it).

    Not `surefoot.retrieval.BM25`, because a bundled suite loads without the extra `retrieval`, and has the same items
    with it and without.
    """

    def __init__(self, documents: Sequence[Document]) -> None:
        self.documents = tuple(documents)
        self._terms = [frozenset(terms(f"{one.title} {one.text}")) for one in self.documents]
        self._with = Counter(term for own in self._terms for term in own)

    def scores(self, query: str) -> list[float]:
        """The score of each document, 0 for one that shares nothing."""
        asked = frozenset(terms(query))
        return [sum(log(len(self.documents) / self._with[term]) for term in asked & own) for own in self._terms]

    def best(self, query: str, k: int) -> list[Document]:
        """The `k` documents with the highest scores, ties in their order."""
        scores = self.scores(query)
        ranked = sorted(range(len(scores)), key=lambda place: -scores[place])
        return [self.documents[place] for place in ranked[:k]]


def judged_questions(
    seed: int = 0,
    languages: Sequence[str] = LANGUAGES,
    each: int = EACH,
    passages: int = PASSAGES,
    size: int | None = None,
) -> tuple[JudgedQuestion, ...]:
    """`each` answerable and as many unanswerable questions in each language, with `passages` passages each.

    `size` is the number of documents in the world, by default 300 a language. Raises `BadInput` for settings that no
    world has.
    """
    if each < 1 or passages < 1:
        raise BadInput(f"{each} questions with {passages} passages were asked for; both must be at least 1.")
    world = QuestionWorld(
        seed=seed,
        size=size or 300 * len(languages),
        kinds=("single", "unanswerable"),
        count=2 * each * len(languages),
        languages=tuple(languages),
    )
    found = {section.language: Overlap(section[:]) for section in world.sections}
    return tuple(mixed(_judged(one, found[one.language], passages), seed) for one in world.questions)


@cache
def bundled_unanswerable() -> tuple[Task, ...]:
    """The tasks of the bundled suite `unanswerable`."""
    return nomiracl_tasks(judged_questions())


def _judged(question: Question, index: Overlap, count: int) -> JudgedQuestion:
    gold = question.gold
    near = [one for one in index.best(question.text, count + len(gold)) if one.id not in gold]
    shown = [*(one for one in index.documents if one.id in gold), *near][:count]
    passages = tuple(Passage(one.id, one.text, one.id in gold, one.title) for one in shown)
    return JudgedQuestion(f"{question.language}/{question.id}", question.text, passages, question.language)
