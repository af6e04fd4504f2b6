"""The suffix automaton: the smallest automaton that reads every run of a sequence, built in linear time."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray


class SuffixAutomaton:
    """All runs (contiguous pieces) of a sequence of n symbols, in at most 2n - 1 states.

    Source: Blumer et al. 1985. Cost: O(n) to build, O(m) to read a sequence of m symbols.
    """

    def __init__(self, sequence: Sequence[Hashable]) -> None:
        self._next: list[dict[Hashable, int]] = [{}]
        self._link = [-1]
        self._length = [0]
        last = 0
        for symbol in sequence:
            last = self._extend(last, symbol)

    def matching(self, sequence: Sequence[Hashable]) -> NDArray[np.int32]:
        """Matching statistics: at each place of `sequence`, the length of the longest run that ends there and stands
        in the automaton's own sequence. Shape (len(sequence),)."""
        states, link, length = self._next, self._link, self._length
        found = np.zeros(len(sequence), dtype=np.int32)
        state = run = 0
        for place, symbol in enumerate(sequence):
            while state and symbol not in states[state]:
                state = link[state]
                run = length[state]
            if symbol in states[state]:
                state = states[state][symbol]
                run += 1
            found[place] = run
        return found

    def _extend(self, last: int, symbol: Hashable) -> int:
        new = self._state(self._length[last] + 1, {})
        place = last
        while place >= 0 and symbol not in self._next[place]:
            self._next[place][symbol] = new
            place = self._link[place]
        if place < 0:
            self._link[new] = 0
            return new
        target = self._next[place][symbol]
        self._link[new] = target if self._length[target] == self._length[place] + 1 else self._split(place, symbol)
        return new

    def _split(self, place: int, symbol: Hashable) -> int:
        """A copy of the state behind `symbol` for the shorter runs that lead there."""
        target = self._next[place][symbol]
        copy = self._state(self._length[place] + 1, dict(self._next[target]))
        self._link[copy] = self._link[target]
        self._link[target] = copy
        while place >= 0 and self._next[place].get(symbol) == target:
            self._next[place][symbol] = copy
            place = self._link[place]
        return copy

    def _state(self, length: int, following: dict[Hashable, int]) -> int:
        self._next.append(following)
        self._link.append(0)
        self._length.append(length)
        return len(self._next) - 1
