"""Contexts cut into words and sentences: counted, cut to a length, compared."""

from __future__ import annotations

import re
from functools import lru_cache

from surefoot.text.sentences import sentences

_WORD = re.compile(r"[^\W_]+(?:['’.,-][^\W_]+)*")


def word_count(text: str) -> int:
    """Runs of letters and digits; blanks and punctuation count for nothing."""
    return len(_WORD.findall(text))


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, without the blanks around them (`surefoot.text.sentences`)."""
    return [text[start:end] for start, end in _spans(text)]


def truncated(text: str, limit: int) -> str:
    """The text up to the end of word `limit`; a sentence may break. A shorter text is left as it is."""
    found = list(_WORD.finditer(text))
    return text if len(found) <= limit else text[: found[limit - 1].end()] if limit > 0 else ""


def sentence_truncated(text: str, limit: int) -> str:
    """The longest beginning of whole sentences with at most `limit` words; empty where the first one is longer."""
    kept = ""
    for _, end in _spans(text):
        if word_count(text[:end]) > limit:
            break
        kept = text[:end]
    return kept


@lru_cache(maxsize=1 << 14)
def _spans(text: str) -> tuple[tuple[int, int], ...]:
    return tuple((one.start, one.end) for one in sentences(text))
