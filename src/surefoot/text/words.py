"""A text as words, for comparing what was written with what stands in a work."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

QUOTES = "'’‘ʼ‛`´′"
_APART = re.compile(rf"(?<=\w)[{QUOTES}](?=\w)")
_WORD = re.compile(r"\w+")


@lru_cache(maxsize=4096)
def words_of(text: str, normalise: bool = True) -> tuple[str, ...]:
    """The words of a text.

    Normalised: letters folded by Unicode (NFKC, case folding); an apostrophe of any shape inside a word is dropped
    (`don't` and `don’t` are `dont`), and every other run of punctuation and white space parts two words, so that
    `times—it` and `well-known` are two words each. Otherwise the pieces between white space, as they are. Relations:
    `surefoot.metrics.normalise` drops English articles too, which would join words that do not follow each other.
    """
    if not normalise:
        return tuple(text.split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return tuple(word for word in _WORD.findall(_APART.sub("", folded).replace("_", " ")))
