"""A text as the terms that BM25 counts, in any script.

Texts are composed (NFC) and in lower case. A term is a run of letters, digits and the marks on them. In scripts that
put no space between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese, Tibetan) a run gives its characters and, as
terms of their own, each two that stand together; a mark belongs to the letter before it. No stop words and no stemming,
so that nothing depends on knowing the language.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise

VERSION = 1  # changes with the terms that a text gives, and so with the digest of an index

_ASCII = re.compile(r"[a-z0-9]+")
_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Tibetan, Burmese, Khmer
    "\u2e80-\u2fdf\u3005-\u3007\u3041-\u3096\u309d-\u30fa\u30fc-\u30ff\u31f0-\u31ff"  # radicals, kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff\uff66-\uff9d"  # Han, half-width kana
)


def terms(text: str) -> list[str]:
    """The terms of a text in order, repeated ones included."""
    if text.isascii():
        return _ASCII.findall(text.lower())
    words, unspaced, runs, letters = _patterns()
    found: list[str] = []
    for word in words.findall(unicodedata.normalize("NFC", text.lower()).replace("_", " ")):
        if word.isascii():
            found.append(word)
            continue
        for run in runs.findall(word):
            found += _grams(letters.findall(run)) if unspaced.match(run) else [run]
    return found


def _grams(letters: list[str]) -> list[str]:
    """`ABC` as A, B, C, AB, BC."""
    return letters + [one + other for one, other in pairwise(letters)]


@lru_cache(maxsize=1)
def _patterns() -> tuple[re.Pattern[str], ...]:
    """Words; a letter of unspaced script; runs of unspaced and spaced script; a letter with its marks."""
    marks = "".join(map(chr, filter(_is_mark, range(0x300, 0x20000))))
    words = re.compile(rf"[\w{marks}]+")
    runs = re.compile(rf"[{_UNSPACED}]+|[^{_UNSPACED}]+")
    return words, re.compile(rf"[{_UNSPACED}]"), runs, re.compile(rf".[{marks}]*")


def _is_mark(point: int) -> bool:
    return unicodedata.category(chr(point)).startswith("M")
