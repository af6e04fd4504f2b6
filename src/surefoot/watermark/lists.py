"""Green lists under a secret: the whole list behind a context for generation, single verdicts for detection."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from surefoot.watermark.scheme import Scheme

Ids = NDArray[np.int64]
Bools = NDArray[np.bool_]
T = TypeVar("T")
CACHE_BYTES = 192 << 20
"""Bound on what one object keeps of lists, and again of what they are made of."""


class Verdicts(NamedTuple):
    """For each token behind the first `scheme.first`: what decided about it, as a 64-bit number, and whether it is
    green.

    Tokens with equal `units` have equal verdicts under every key: they are one observation, however often they occur.
    """

    units: NDArray[np.uint64]
    green: Bools


class Lists(ABC):
    """The lists of one scheme under one secret."""

    def __init__(self, scheme: Scheme) -> None:
        self.scheme = scheme
        self._kept = remembered(self._mask, scheme.vocabulary)

    def verdicts(self, ids: Sequence[int] | Ids) -> Verdicts:
        """Every token of a text that has enough context, in order. Each distinct unit is looked up once."""
        return self.verdicts_of([ids])[0]

    def verdicts_of(self, texts: Sequence[Sequence[int] | Ids]) -> list[Verdicts]:
        """The same of many texts; a unit that several of them share is looked up once."""
        tokens = [np.asarray(ids, dtype=np.int64).reshape(-1) for ids in texts]
        own = [self.columns(ids) for ids in tokens if len(ids) > self.scheme.first]
        if not own:
            return [Verdicts(np.empty(0, np.uint64), np.empty(0, np.bool_)) for _ in tokens]
        columns = np.concatenate(own)
        units = fingerprints(columns)
        _, index, inverse = np.unique(units, return_index=True, return_inverse=True)
        green = self.green(columns[index])[inverse]
        ends = np.cumsum([max(0, len(ids) - self.scheme.first) for ids in tokens])[:-1]
        return [Verdicts(*both) for both in zip(np.split(units, ends), np.split(green, ends), strict=True)]

    def mask(self, context: Sequence[int]) -> Bools | None:
        """Which tokens are green behind `context`, shape (vocabulary,); None where the context is too short."""
        if len(context) < self.scheme.first:
            return None
        return self._kept(tuple(context[len(context) - self.scheme.first :]))

    @abstractmethod
    def columns(self, ids: Ids) -> Ids:
        """What decides about each scored token, shape (len(ids) - first, k); the last column is the token."""

    @abstractmethod
    def green(self, columns: Ids) -> Bools:
        """The verdicts on distinct rows of `columns`."""

    @abstractmethod
    def _mask(self, context: tuple[int, ...]) -> Bools:
        """The list behind the last `first` tokens."""


def remembered(make: Callable[..., T], size: int) -> Callable[..., T]:
    """`make` with a memory of the latest results, each of `size` bytes, bounded by `CACHE_BYTES`."""
    return lru_cache(maxsize=max(16, CACHE_BYTES // size))(make)


def windows(ids: Ids, width: int) -> Ids:
    """All runs of `width` tokens, shape (len(ids) - width + 1, width)."""
    return np.lib.stride_tricks.sliding_window_view(ids, width)


def fingerprints(columns: Ids) -> NDArray[np.uint64]:
    """One 64-bit number a row: the row itself where it has one or two columns, otherwise a hash (splitmix64)."""
    rows = columns.astype(np.uint64)
    if rows.shape[1] <= 2 and not (rows >> np.uint64(32)).any():
        return rows[:, 0] << np.uint64(32) | rows[:, -1]
    state = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        state = splitmix(state ^ column)
    return state


def splitmix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The output function of SplitMix64 (Steele, Lea and Flood 2014), a bijection of 64-bit numbers."""
    z = values + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
