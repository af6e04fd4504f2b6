"""Demonstrations for questions of a world: a question, its gold documents among others, and its chain of thought.

Source: Trivedi et al. 2023 (ACL, IRCoT), section 3: gold documents plus M random distractors and the whole reasoning.
Demonstrations are made from a world of another seed; one that names an entity that a question of the tested world may
name is left out, so that none gives an answer or a step of a tested question away. Ids of questions and documents start
with `shown/`, so that they are none of the tested corpus.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from surefoot.errors import BadInput
from surefoot.questions.question import Question
from surefoot.retrieval.retriever import Document
from surefoot.text.words import words_of
from surefoot.worlds.corpora import QuestionWorld
from surefoot.worlds.names import index_of, types_and_relations

APART = 7_919  # between the seeds of a tested world and of its demonstrations
SHOWN = "shown/"
SPARE = 4  # times as many candidates as wanted


class Demonstration(NamedTuple):
    """A question, the documents that are shown with it (gold ones among distractors), and its reasoning."""

    question: Question
    documents: tuple[Document, ...]

    @property
    def reasoning(self) -> str:
        """The chain of thought as one text, ending in `So the answer is: X.`"""
        return " ".join(self.question.reasoning)

    @property
    def has_distractors(self) -> bool:
        """Whether it shows a document that is not gold."""
        gold = {id for annotator in self.question.evidence for hop in annotator for id in hop}
        return any(document.id not in gold for document in self.documents)

    @classmethod
    def of(cls, question: Question, documents: Mapping[str, Document]) -> Demonstration:
        """A question with the gold documents of its first annotator, by id, and no distractors."""
        if not question.reasoning or not question.answers:
            raise BadInput(f'The question "{question.id}" has no reasoning to show; choose one that has.')
        ids = dict.fromkeys(id for hop in (question.evidence or ((),))[0] for id in hop)
        return cls(question, tuple(documents[id] for id in ids))


def demonstrations(
    world: QuestionWorld, count: int = 4, distractors: int = 2, kinds: tuple[str, ...] | None = None, seed: int = 0
) -> tuple[Demonstration, ...]:
    """`count` demonstrations in English with `distractors` random documents each (M), of the world's kinds unless said.

    The documents of each are in a random order. Raises `BadInput` for a count or a number of distractors below 1 or 0.
    """
    if count < 1 or distractors < 0:
        raise BadInput(
            f"{count} demonstrations with {distractors} distractors were asked for; ask for 1 and 0 at least."
        )
    asked = kinds or world.kinds
    source = QuestionWorld(world.seed + APART * (seed + 1), 1000, asked, SPARE * count + len(asked))
    found = [question for question in source.questions if not names_known(question, world)]
    if len(found) < count:
        raise BadInput(f"Only {len(found)} of {count} demonstrations name no entity of the world; ask for fewer.")
    return tuple(_shown(question, source, distractors) for question in found[:count])


def names_known(question: Question, world: QuestionWorld) -> bool:
    """Whether a question, its answers, steps or reasoning name an entity that a question of the world may name."""
    told = (question.text, *question.answers, *question.reasoning, *(step.answer for step in question.steps))
    words = [word.capitalize() for text in told for word in words_of(text)]
    names = {*words, *(" ".join(pair) for pair in pairwise(words))}
    section = world.sections[0]
    types = [name for name, made in types_and_relations()["types"].items() if "syllables" in made]
    inside = 3 * section.subjects + 1  # entities of the corpus, and those that unanswerable questions ask for
    places = (index_of(type, name, section.key) for type in types for name in names)
    return any(k is not None and k < inside for k in places)


def _shown(question: Question, source: QuestionWorld, distractors: int) -> Demonstration:
    rng = random.Random(f"demonstration/{source.seed}/{question.id}")
    ids = list(question.gold)
    while len(ids) < len(question.gold) + distractors:
        other = source.documents[rng.randrange(len(source.documents))].id
        if other not in ids:
            ids.append(other)
    rng.shuffle(ids)
    documents = tuple(source.documents.find(id)._replace(id=SHOWN + id) for id in ids)
    evidence = tuple(tuple(tuple(SHOWN + id for id in hop) for hop in annotator) for annotator in question.evidence)
    steps = tuple(replace(step, documents=tuple(SHOWN + id for id in step.documents)) for step in question.steps)
    return Demonstration(replace(question, id=SHOWN + question.id, evidence=evidence, steps=steps), documents)
