"""Which tokens would complete a protected run behind a text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from surefoot.decoding.pieces import pieces_of
from surefoot.memorisation.guard import RunIndex
from surefoot.text.words import QUOTES, words_of

_GOES_ON = re.compile(rf"[{QUOTES}]?\w")  # a piece that goes on with the word before it
_OPEN = re.compile(rf"\w[{QUOTES}]?\Z")  # a text whose last word can be gone on with


class _Piece(NamedTuple):
    goes_on: bool
    words: tuple[str, ...]


class TokenTable:
    """What each token of a vocabulary adds to a text, by the word that it writes.

    A token's piece is what it adds behind another token, so that white space is seen that a tokenizer only writes
    between tokens. Tokens that are a part of one character count as nothing: what they spell is seen a step later.
    Cost: each token is decoded once.
    """

    def __init__(self, decode: Callable[[Sequence[int]], str], size: int) -> None:
        self._on: dict[str, set[int]] = {}
        self._new: dict[str, set[int]] = {}
        self._many: dict[int, _Piece] = {}
        self._nearest: tuple[RunIndex, tuple[int, ...]] | None = None
        for token, piece in enumerate(pieces_of(decode, size)):
            words = words_of(piece)
            if not words:
                continue
            goes_on = _GOES_ON.match(piece) is not None
            if len(words) > 1:
                self._many[token] = _Piece(goes_on, words)
            (self._on if goes_on else self._new).setdefault(words[0], set()).add(token)

    def completing(self, text: str, index: RunIndex) -> set[int]:
        """The tokens behind which the text would end in a protected run, or hold one that it does not hold now."""
        words = words_of(text)
        is_open = _OPEN.search(text) is not None
        found = self._of(self._new, index.completing(words))
        if is_open and words:
            targets = index.completing(words[:-1])
            found |= self._of(self._on, (w[len(words[-1]) :] for w in targets if w.startswith(words[-1])))
        else:
            found |= self._of(self._on, index.completing(words))
        return found | {token for token in self._near(index) if self._holds(words, is_open, token, index)}

    def _near(self, index: RunIndex) -> tuple[int, ...]:
        """The tokens of several words that hold a protected word; found once for the last index that was asked for."""
        if self._nearest is None or self._nearest[0] is not index:
            own = (token for token, piece in self._many.items() if not index.words.isdisjoint(piece.words[1:]))
            self._nearest = index, tuple(own)
        return self._nearest[1]

    def _of(self, tokens: dict[str, set[int]], words: Iterable[str]) -> set[int]:
        return {token for word in words for token in tokens.get(word, ())}

    def _holds(self, words: Sequence[str], is_open: bool, token: int, index: RunIndex) -> bool:
        """Of a token that writes several words: whether any of them completes a run."""
        piece = self._many[token]
        before = list(words[-index.least :])
        if is_open and piece.goes_on and before:
            added = [before[-1] + piece.words[0], *piece.words[1:]]
            before = before[:-1]
        else:
            added = list(piece.words)
        return any(index.ends([*before, *added[: k + 1]]) for k in range(len(added)))
