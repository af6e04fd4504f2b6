"""Two contexts that disagree about an invented fact: one states its value, the other one another value of its type.

Which side is right, and which of a fact's two forms (sentence, paragraph) stands on which side, are coins of their own
drawn by the fact's id and the seed. The bundled pairs hold each fact twice, the second time with the sides exchanged:
the same prompts under other names, so that DiffGR of them all is 0 for any reader that goes by its prompt alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import replace

from surefoot.tasks.contexts import ContextPair
from surefoot.worlds.facts import Fact, FactWorld

BUNDLED = 60


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


def mirrored(pair: ContextPair) -> ContextPair:
    """The pair with its contexts on the other side each."""
    return replace(pair, id=f"{pair.id}/mirrored", retrieved=pair.generated, generated=pair.retrieved)


def bundled_pairs() -> tuple[ContextPair, ...]:
    """The pairs of the suite `contexts`: 60 invented facts, and their mirror images."""
    pairs = planted_pairs(FactWorld(size=BUNDLED))
    return (*pairs, *map(mirrored, pairs))
