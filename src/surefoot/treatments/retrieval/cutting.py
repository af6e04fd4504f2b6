"""Texts taken apart into their tokens, cut behind one of them, and put behind one another."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import NamedTuple

from surefoot.models.base import Generation

_WORD = re.compile(r"\s*\S+")


class Tokens(NamedTuple):
    """A text whose last tokens are taken apart; the first of `ends` is where they begin, then where each ends."""

    whole: str
    ends: tuple[int, ...]

    @property
    def before(self) -> str:
        """What stands before them."""
        return self.whole[: self.ends[0]]

    @property
    def texts(self) -> tuple[str, ...]:
        """What each adds."""
        return tuple(self.whole[begin:end] for begin, end in pairwise(self.ends))


def token_texts(decode: Callable[[Sequence[int]], str], ids: Sequence[int], start: int = 0) -> Tokens:
    """What each token from `start` on adds; a character that is spread over several tokens counts with the last."""
    whole = decode(ids) if ids else ""
    ends = [len(decode(ids[:n]).rstrip("\ufffd")) if n else 0 for n in range(start, len(ids) + 1)]
    return Tokens(whole, tuple(min(end, len(whole)) for end in accumulate(ends, max)))


def word_texts(text: str, start: int = 0) -> Tokens:
    """The same where a model shows no tokens, by words with the space before them."""
    return Tokens(text, (start, *(word.end() for word in _WORD.finditer(text, start))))


def words_behind(old: Generation, new: Generation) -> Generation:
    """A text without tokens behind another one, with a space between them; words stand for tokens."""
    touching = old.text and new.text and not old.text[-1].isspace() and not new.text[0].isspace()
    words = len(new.text.split())
    return replace(
        new,
        text=old.text + " " * bool(touching) + new.text,
        token_ids=tuple(range(len(old.token_ids) + words)),
        logprobs=(*old.logprobs, *new.logprobs) if len(new.logprobs) >= words else (),
        sampled_logprobs=(),
        plain_logprobs=(),
    )


def first_tokens(written: Generation, count: int, text: str) -> Generation:
    """A text cut behind some of its tokens, to be gone on with."""
    return replace(
        written,
        text=text,
        token_ids=written.token_ids[:count],
        logprobs=written.logprobs[:count],
        sampled_logprobs=written.sampled_logprobs[:count],
        plain_logprobs=written.plain_logprobs[:count],
        finish_reason="interrupted",
    )
