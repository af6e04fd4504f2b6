"""Where the sentences of a text begin and end, in characters of that very text and in tokens.

The rules are those of pysbd (Sadvilkar and Neumann 2020, arXiv:2010.09657): abbreviations, decimals, initials,
quotations and lists, in 23 languages. It gives texts and no places, so each is looked for behind the one before;
what it has changed beyond recognition is left together with the sentence behind it. A line break always ends a
sentence. Limits: an abbreviation that closes a sentence (`in Washington, D.C. He left.`) is read as one that does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from surefoot.errors import BadInput, nearest, needs_package

_OWN_SIGNS = "∯ᓰᓱᓳᓴᓷᓸ⎋♨☝✂⌬ȸȹ☉☈☇☄∮♬♭☏ƪ♟♝"  # what pysbd writes into a text while it works on it
_UNSIGNED = str.maketrans(_OWN_SIGNS, "o" * len(_OWN_SIGNS))

FRAGMENT = 5  # characters; a shorter piece goes with the sentence behind it (the released code of FLARE)


class Span(NamedTuple):
    """A sentence without the white space around it: `text` is what stands at `start` to `end` (exclusive)."""

    start: int
    end: int
    text: str


def sentences(text: str, language: str = "en") -> list[Span]:
    """The sentences of a text in order, with only white space between them; the last one may have no final stop.

    `language` is a code of two letters. Raises `BadInput` for one that is not known, `NotAvailable` without pysbd.
    """
    spans: list[Span] = []
    start = 0
    for line in text.splitlines(keepends=True):
        ends = _ends(line, language) if line.strip() else []
        for begin, end in zip([0, *ends], ends, strict=False):
            spans.append(_trimmed(text, start + begin, start + end))
        start += len(line)
    return spans


def first_sentence(text: str, language: str = "en") -> int:
    """Where the first sentence ends: behind its stop, before the white space; the text's end where there is no second.

    A piece shorter than 5 characters (`1.`, `"A."`) is no sentence of its own: the next one is part of it.
    """
    begin = len(text) - len(text.lstrip())
    ends = (span.end for span in sentences(text, language) if span.end - begin >= FRAGMENT)
    return next(ends, len(text.rstrip()))


def token_offsets(pieces: Sequence[str]) -> list[tuple[int, int]]:
    """Start and end of each token's text in the text that they make up together."""
    ends = list(accumulate(map(len, pieces)))
    return list(zip([0, *ends], ends, strict=False))


def tokens_within(start: int, end: int, offsets: Sequence[tuple[int, int]]) -> range:
    """The tokens that share at least one character with `start` to `end`; an empty range where none does."""
    inside = [i for i, (first, last) in enumerate(offsets) if first < end and last > start]
    return range(inside[0], inside[-1] + 1) if inside else range(0)


def _ends(line: str, language: str) -> list[int]:
    """Where the sentences of a line end, the last at the line's end."""
    line = line.translate(_UNSIGNED)
    ends: list[int] = []
    at = 0
    for piece in _split(line.strip(), language):
        found = line.find(piece, at) if piece else -1
        if found >= 0:  # what the splitter changed is not found, and goes with the sentence behind it
            at = found + len(piece)
            ends.append(at)
    if line[at:].strip() or not ends:
        ends.append(len(line))
    return ends


def _split(line: str, language: str) -> list[str]:
    pieces: list[str] = _segmenter(language).processor(line).process()
    return [piece.strip() for piece in pieces]


def _trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return Span(start, start + len(piece.strip()), piece.strip())


@lru_cache(maxsize=32)
def _segmenter(language: str) -> Any:
    needs_package("pysbd", extra="retrieval", by="Splitting a text into sentences")
    from pysbd import Segmenter
    from pysbd.languages import LANGUAGE_CODES

    if language not in LANGUAGE_CODES:
        raise BadInput(
            f'Sentences of the language "{language}" cannot be told apart.{nearest(language, LANGUAGE_CODES)}'
        )
    return Segmenter(language=language, clean=False)
