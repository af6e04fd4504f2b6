"""Which document of a question world states what: a function of its place, with no table.

Documents are numbered in blocks of 20. In each block the first state facts, one a document; then come distractors and
contradictions of facts of the same block. The numbers are spread over the corpus by a permutation. Every 21st fact has
no document: it is withheld, so that a question about it has no answer in the corpus.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from surefoot.worlds.names import scattered, unscattered

BLOCK = 20
WITHHELD = 21
Role = Literal["fact", "distractor", "contradiction"]


class Cast(NamedTuple):
    """What a document does, and the fact that it states, resembles or contradicts."""

    role: Role
    fact: int


@dataclass(frozen=True)
class Layout:
    """`size` documents, of every 20 of which some are distractors and some contradictions."""

    size: int
    distractors: int
    contradictions: int
    key: str

    @property
    def stating(self) -> int:
        """How many documents of a block state facts."""
        return BLOCK - self.distractors - self.contradictions

    @property
    def facts(self) -> int:
        """How many facts there are: the stated ones and those withheld between them."""
        blocks, rest = divmod(self.size, BLOCK)
        return fact_of_slot(blocks * self.stating + min(rest, self.stating) - 1) + 1

    def cast(self, place: int) -> Cast:
        """What the document at a place does."""
        block, turn = divmod(scattered(place, self.size, self.key), BLOCK)
        if turn < self.stating:
            return Cast("fact", fact_of_slot(block * self.stating + turn))
        turn -= self.stating
        role: Role = "distractor" if turn < self.distractors else "contradiction"
        return Cast(role, fact_of_slot(block * self.stating + self._chosen(block)[turn]))

    def place(self, fact: int) -> int | None:
        """Where the document stands that states a fact; None where the fact is withheld."""
        if fact % WITHHELD == WITHHELD - 1:
            return None
        block, turn = divmod(fact - fact // WITHHELD, self.stating)
        return unscattered(block * BLOCK + turn, self.size, self.key)

    def contradicting(self, fact: int) -> int | None:
        """Where the document stands that contradicts a stated fact; None where there is none."""
        if fact % WITHHELD == WITHHELD - 1:
            return None
        block, turn = divmod(fact - fact // WITHHELD, self.stating)
        against = self._chosen(block)[self.distractors :]
        if turn not in against:
            return None
        number = block * BLOCK + self.stating + self.distractors + against.index(turn)
        return unscattered(number, self.size, self.key) if number < self.size else None

    def _chosen(self, block: int) -> tuple[int, ...]:
        """The facts of a block that its distractors and then its contradictions are about."""
        return _drawn(f"{self.key}/{block}", self.stating, self.distractors + self.contradictions)


def fact_of_slot(slot: int) -> int:
    """The number of the fact that the slot-th stating document states."""
    return slot + slot // (WITHHELD - 1)


@lru_cache(maxsize=4096)
def _drawn(key: str, among: int, count: int) -> tuple[int, ...]:
    return tuple(random.Random(key).sample(range(among), count))
