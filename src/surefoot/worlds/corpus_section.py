"""The documents of one language: facts, distractors and contradictions, each a function of its place and the seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import NamedTuple, overload

from surefoot.retrieval.retriever import Document
from surefoot.worlds.corpus_forms import Statement, document_forms, filled, in_script
from surefoot.worlds.corpus_layout import Layout, Role
from surefoot.worlds.facts import FEWEST, FactWorld, Relation, relations
from surefoot.worlds.names import (
    count_of,
    index_of,
    name_of,
    spelled_name,
    spelled_number,
    types_and_relations,
    unscattered,
)


class Hop(NamedTuple):
    """A fact that is stated by one document and contradicted by none, in Latin letters."""

    relation: str
    subject: str
    value: str
    document: str


@dataclass(frozen=True)
class Section(Sequence[Document]):
    """The documents of one language. `key` is the seed of its facts and of its layout."""

    language: str
    key: int
    layout: Layout

    def __len__(self) -> int:
        return self.layout.size

    @overload
    def __getitem__(self, place: int) -> Document: ...
    @overload
    def __getitem__(self, place: slice) -> list[Document]: ...
    def __getitem__(self, place: int | slice) -> Document | list[Document]:
        """The document at a place."""
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        relation, subject, value = self.statement(place)
        form = random.Random(f"form/{self.key}/{place}").choice(document_forms(self.language, relation))
        return Document(self.id(place), subject, filled(form, subject=subject, value=value))

    def id(self, place: int) -> str:
        """The id of the document at a place."""
        return f"{self.language}-{place}"

    @cached_property
    def facts(self) -> FactWorld:
        """All facts, the withheld ones among them, in Latin letters."""
        return FactWorld(self.key, self.layout.facts)

    @cached_property
    def subjects(self) -> int:
        """Entities of a type with a number below this one are those of the corpus."""
        return max(FEWEST, -(-self.layout.facts // len(relations())))

    def role(self, place: int) -> Role:
        """What the document at a place does."""
        return self.layout.cast(place).role

    def statement(self, place: int) -> Statement:
        """What the document at a place states, true or not."""
        role, number = self.layout.cast(place)
        fact, relation = self.facts[number], relation_of(number)
        if role == "fact":
            subject, value = fact.subject, fact.answer
        else:
            subject, value = fact.subject, fact.other(place)
            if role == "distractor":
                subject = similar(relation.subject, subject, self.key, self.subjects)
        return self._written(relation, subject, value)

    def truth(self, number: int) -> Statement:
        """Fact `number`, as it is written in this language."""
        fact = self.facts[number]
        return self._written(relation_of(number), fact.subject, fact.answer)

    def number(self, relation: str, name: str) -> int | None:
        """The number of the fact about an entity, by its name in Latin letters; None where it has none."""
        turn = next(i for i, one in enumerate(relations()) if one.name == relation)
        k = index_of(relations()[turn].subject, name, self.key)
        number = None if k is None else k * len(relations()) + turn
        return number if number is not None and number < len(self.facts) else None

    def document(self, number: int) -> str | None:
        """The id of the document that states a fact; None where it is withheld."""
        place = self.layout.place(number)
        return None if place is None else self.id(place)

    def contradiction(self, number: int) -> str | None:
        """The id of the document that contradicts a fact, if there is one."""
        place = self.layout.contradicting(number)
        return None if place is None else self.id(place)

    def is_sound(self, number: int) -> bool:
        """Whether a fact is stated and not contradicted."""
        return self.document(number) is not None and self.contradiction(number) is None

    def stranger(self, type: str, k: int) -> str:
        """The k-th name that is in no document: odd numbers past the corpus's own; distractors have even ones."""
        return name_of(type, (self.subjects | 1) + 2 * k, self.key)

    def hop(self, relation: str, name: str) -> Hop | None:
        """The fact about an entity, where a question can rest on it."""
        number = self.number(relation, name)
        if number is None or not self.is_sound(number):
            return None
        fact, document = self.facts[number], self.document(number)
        return Hop(relation, fact.subject, fact.answer, str(document))

    def _written(self, relation: Relation, subject: str, value: str) -> Statement:
        subject = in_script(relation.subject, subject, self.language)
        return Statement(relation.name, subject, in_script(relation.value, value, self.language))


def relation_of(number: int) -> Relation:
    """The relation of fact `number`."""
    return relations()[number % len(relations())]


def similar(type: str, name: str, seed: int, inside: int) -> str:
    """The invented name nearest to this one (another ending, else other syllables) that no entity of the corpus has."""
    told = types_and_relations()["types"][type]
    endings, names = len(told["endings"]), count_of(type)
    own = spelled_number(type, name)
    assert own is not None
    stem, ending = divmod(own, endings)
    for step in count():
        for turn in range(1, endings + 1):
            number = ((stem + step) * endings + (ending + turn) % endings) % names
            k = unscattered(number, names, f"{type}/{seed}")
            if number != own and k >= inside and k % 2 == 0:
                return spelled_name(type, number)
    raise AssertionError("there are always names left")
