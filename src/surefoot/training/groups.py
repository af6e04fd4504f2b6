"""What training reads: the same example under a reference wording and paraphrases of it, as token ids."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np


class Variant(NamedTuple):
    """One example under one wording: the prompt's ids and the right answer's."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


class Group(NamedTuple):
    """One example under several wordings; the first is the reference."""

    variants: tuple[Variant, ...]

    @property
    def reference(self) -> Variant:
        return self.variants[0]

    @property
    def aligned(self) -> tuple[int, ...]:
        """Places of the paraphrases whose answer has the reference's tokens, so that distributions can be compared."""
        return tuple(k for k, v in enumerate(self.variants) if k and v.answer == self.reference.answer)


def batch_at(count: int, size: int, step: int, seed: int) -> list[int]:
    """Indices of the groups of one step: each epoch is a permutation that depends on (seed, epoch) alone.

    So a run that goes on at a step reads what it would have read without the interruption.
    """
    places = (divmod(place, count) for place in range(step * size, (step + 1) * size))
    return [int(_order(count, seed, epoch)[offset]) for epoch, offset in places]


@lru_cache(maxsize=2)  # a step may reach from one epoch into the next
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng([seed, epoch]).permutation(count)


def digest(groups: Sequence[Group]) -> str:
    """A hash of all token ids, for the record of what was trained on."""
    found = hashlib.sha256()
    for group in groups:
        found.update(repr(group).encode())
    return found.hexdigest()[:16]
