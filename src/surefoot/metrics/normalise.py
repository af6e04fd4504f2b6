"""Normalisation of free answers before they are compared."""

from __future__ import annotations

import re
import unicodedata

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_SIGN_OR_POINT = re.compile(r"(?<=\d)\.(?=\d)|(?<![^\W_])[-−](?=\d)")
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def normalise(text: str) -> str:
    """The text folded as in SQuAD's evaluation: no case, punctuation or English articles, single blanks.

    Source: Rajpurkar et al. 2016 and its published script. Three differences: letters are folded by Unicode (NFKC,
    case folding) and all Unicode punctuation goes, not only ASCII's; the sign and the decimal point of a number stay,
    so that -5 is not 5 and 3.5 is not 35; and a text of nothing but articles or punctuation stands for itself (folded
    and stripped), so that the answer letter "A" does not become empty and equal to "The".
    """
    folded = unicodedata.normalize("NFKC", text).casefold().strip()
    kept = {match.start() for match in _SIGN_OR_POINT.finditer(folded)}
    bare = "".join(
        char.replace("−", "-") if i in kept else "" if _is_punctuation(char) else char for i, char in enumerate(folded)
    )
    return " ".join(_ARTICLES.sub(" ", bare).split()) or folded


def words(text: str) -> list[str]:
    """The words of the normalised text."""
    return normalise(text).split()


def _is_punctuation(char: str) -> bool:
    return char in _PUNCTUATION or unicodedata.category(char).startswith("P")
