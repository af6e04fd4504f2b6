"""Contexts cut into words and sentences: counted, cut to a length, compared."""

from __future__ import annotations

import re
from itertools import pairwise

_WORD = re.compile(r"[^\W_]+(?:['’.,-][^\W_]+)*")
_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+")


def word_count(text: str) -> int:
    """Runs of letters and digits; blanks and punctuation count for nothing."""
    return len(_WORD.findall(text))


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, stripped."""
    return [text[start:end].strip() for start, end in _spans(text)]


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
        kept = text[:end].strip()
    return kept


def _spans(text: str) -> list[tuple[int, int]]:
    ends = [match.end() for match in _END.finditer(text)]
    bounds = [0, *ends] if ends and ends[-1] == len(text) else [0, *ends, len(text)]
    return [(a, b) for a, b in pairwise(bounds) if text[a:b].strip()]
