"""Facts and the passages that state them: invented ones from a seed, real ones from a list.

A `Fact` is a question with its answer, other values of the same type, and two passages with a slot for the value: what
`fact.sentence()` states is true, `fact.sentence(other)` is a counterfactual passage (Longpre et al. 2021, EMNLP,
"Entity-based knowledge conflicts in question answering": an answer replaced by an entity of its type).

`FactWorld` makes facts of invented people, towns, countries and companies. Everything about fact i is a function of i,
the seed and the size, computed when it is asked for, so a world of a million facts costs no memory, and no model can
know any of them. Values of one relation are subjects of others: a person is born in a town, the town lies in a country.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from surefoot.errors import BadInput
from surefoot.worlds.names import count_of, is_spelled, name_of, types_and_relations

OTHERS = 3  # alternatives of an invented fact
FEWEST = 10  # values of a relation


@dataclass(frozen=True)
class Fact:
    """One fact. `kind` is its relation (`capital`, `born-in`): values of facts of one kind are of one type.

    `stated` and `told` are the sentence and the short paragraph, with `{value}` where the value stands. `aliases` gives
    other accepted names of the answer and of alternatives. `subject` is what the fact is about, where that is known.
    """

    id: str
    kind: str
    question: str
    answer: str
    alternatives: tuple[str, ...]
    stated: str
    told: str
    aliases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    subject: str = ""

    def sentence(self, value: str | None = None) -> str:
        """The fact in one sentence, with another value than the true one where one is given."""
        return self.stated.replace("{value}", self.answer if value is None else value)

    def paragraph(self, value: str | None = None) -> str:
        """The fact in a short paragraph."""
        return self.told.replace("{value}", self.answer if value is None else value)

    def other(self, seed: int = 0) -> str:
        """A value that is not the answer, drawn by the fact's id and the seed."""
        return random.Random(f"other/{seed}/{self.id}").choice(self.alternatives)


class Relation(NamedTuple):
    """What holds between a subject and a value, by their types; templates have the slots `{subject}` and `{value}`."""

    name: str
    subject: str
    value: str
    question: str
    sentence: str
    paragraph: str


@dataclass(frozen=True)
class FactWorld:
    """`size` facts about invented entities. Indexing and iterating give the same facts, in the same order.

    >>> FactWorld(size=2)[0].question
    'In which town was Nafede Elver born?'
    """

    seed: int = 0
    size: int = 100

    def __post_init__(self) -> None:
        most = len(relations()) * min(count_of(relation.subject) for relation in relations())
        if not 1 <= self.size <= most:
            raise BadInput(f"size is {self.size}; a world has 1 to {most:,} facts.")

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, i: int) -> Fact:
        """Fact i: the relations take turns, each with the next subject of its type."""
        if not 0 <= i < self.size:
            raise IndexError(i)
        place, turn = divmod(i, len(relations()))
        relation = relations()[turn]
        rng = random.Random(f"fact/{self.seed}/{i}")
        drawn = rng.sample(range(self._values(relation)), 1 + OTHERS)
        answer, *others = (self.name(relation.value, k) for k in drawn)
        subject = self.name(relation.subject, place)
        return Fact(
            id=f"{relation.name}/{place}",
            kind=relation.name,
            question=relation.question.replace("{subject}", subject),
            answer=answer,
            alternatives=tuple(others),
            stated=relation.sentence.replace("{subject}", subject),
            told=relation.paragraph.replace("{subject}", subject),
            subject=subject,
        )

    def __iter__(self) -> Iterator[Fact]:
        return (self[i] for i in range(self.size))

    def name(self, type: str, k: int) -> str:
        """The name of entity k of a type; no two entities of a type share one."""
        return name_of(type, k, self.seed)

    def _values(self, relation: Relation) -> int:
        """How many values there are: of invented entities those that are subjects too, so that facts can be chained."""
        subjects = -(-self.size // len(relations()))
        most = count_of(relation.value)
        return min(most, max(FEWEST, subjects)) if is_spelled(relation.value) else most


@cache
def relations() -> tuple[Relation, ...]:
    """The relations of every world, in the order in which they take turns."""
    return tuple(Relation(**record) for record in types_and_relations()["relations"])
