"""Two contexts that disagree about an invented fact: one states its value, the other one another value of its type.

Which side is right, and which of a fact's two forms (sentence, paragraph) stands on which side, are coins of their own
drawn by the fact's id and the seed. So neither side is told from the other by its style, and a reader's preference for
the generated side is 0 but for chance, whatever else it goes by.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from surefoot.tasks.contexts import ContextPair
from surefoot.worlds.facts import Fact, FactWorld

BUNDLED = 120


def planted_pairs(facts: Iterable[Fact], seed: int = 0) -> tuple[ContextPair, ...]:
    """A pair of contexts for each fact, with the fact's four values as options."""
    return tuple(planted_pair(fact, seed) for fact in facts)


def planted_pair(fact: Fact, seed: int = 0) -> ContextPair:
    """The fact in two contexts; `answers` holds its true value."""
    rng = random.Random(f"contexts/{seed}/{fact.id}")
    values = [fact.answer, fact.other(seed)]
    forms = [fact.sentence, fact.paragraph]
    rng.shuffle(values)
    rng.shuffle(forms)
    retrieved, generated = (form(value) for form, value in zip(forms, values, strict=True))
    return ContextPair(fact.id, fact.question, (fact.answer,), retrieved, generated, (fact.answer, *fact.alternatives))


def bundled_pairs() -> tuple[ContextPair, ...]:
    """The pairs of the suite `contexts`: 120 invented facts."""
    return planted_pairs(FactWorld(size=BUNDLED))
