"""Which of the labels does a generated text name? One, or none: a guess is never made for the model."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

_LETTER = r"[^\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"  # a word character of a script that writes blanks
_NUMBER = re.compile(r"(?:(?<![\w.,)])[-−+])?(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w])(?!,\d{3}\b)")
_NOT_BEFORE = re.compile(
    r"(?:\b(?:not|never|neither|nor|except|cannot)|n['’]t)\b(?:\s+[\w'’]+){0,3}[\s(\[\"'“*:]{0,4}$", re.IGNORECASE
)
_BE = "is|are|was|were|can|could|would|do|does|did|seems"
_NOT_AFTER = re.compile(
    rf"^[\s)\]*\"'’”]{{0,4}}(?:(?:{_BE})n['’]t\b|(?:(?:{_BE})\s+)?(?:be\s+)?(?:not|never|cannot|incorrect|wrong)\b)",
    re.IGNORECASE,
)
_NOUN = r"(?:option|choice|letter|label)"
_CUE = rf"\b(?:answers?|{_NOUN})(?:\s+(?:is|was|would\s+be|should\s+be))?\s*:?\s*"
_LIST = r"\s*(?:,|/|&|\bor\b|\band\b)\s*"


class _Match(NamedTuple):
    label: int
    start: int
    end: int


def parse_answer(text: str, labels: Sequence[str]) -> int | None:
    """The index of the one label that the text names, or None (unparsed).

    Single letters are found as the whole answer (`B`, `b`, `**B**`), marked (`(B)`, `B.`, `B)` at the start of a
    line), behind a cue (`Answer: B`, `the answer is B`, `option B`), or standing alone as a capital. `A` and `I` are
    English words too: they need one of the first three, a list (`A or B`), or for `A` the end of a phrase.
    Numbers are compared by value. Other labels are looked for without regard to case, as whole words, longer labels
    first (`not valid` is not `valid`).
    None where no label, several different labels, or a negated one (`not B`, `B is wrong`) is named, and where two
    labels read the same.
    """
    text, labels = _fold(text).strip(), tuple(_fold(label).strip() for label in labels)
    exact = [i for i, label in enumerate(labels) if label == text]
    if len(exact) == 1:
        return exact[0]
    matches = list(_find(text, labels))
    if len({match.label for match in matches}) != 1 or any(_negated(text, match) for match in matches):
        return None
    return matches[0].label


def _find(text: str, labels: tuple[str, ...]) -> Iterator[_Match]:
    if all(len(label) == 1 and label.isalpha() for label in labels):
        return _letters(text, labels)
    if all(_NUMBER.fullmatch(label) for label in labels):
        return _numbers(text, labels)
    return _words(text, labels)


def _letters(text: str, labels: tuple[str, ...]) -> Iterator[_Match]:
    for match in _letter_pattern("".join(labels)).finditer(text):
        letter = match.group(match.lastgroup or 0)
        for i, label in enumerate(labels):
            if label.casefold() == letter.casefold():
                yield _Match(i, match.start(match.lastgroup or 0), match.end(match.lastgroup or 0))


@lru_cache(maxsize=256)
def _letter_pattern(letters: str) -> re.Pattern[str]:
    small, capital = ("".join(dict.fromkeys(re.escape(letter) for letter in case)) for case in _cases(letters))
    free = "".join(letter for letter in capital if letter not in "AI")
    not_a = small.replace("a", "")
    patterns = (
        rf"^\W*(?P<whole>[{small}{capital}])\W*$",
        rf"(?<!\w)\((?P<paren>[{small}{capital}])\)",
        rf"(?m:^)[\s*_\"'“]*(?P<mark>[{small}{capital}])(?:[).:*,\]]+(?=\s|$|[*_])|[ \t]*(?=\n))",
        # "the answer is A dog" is an article, "answer is a" may be one cut off: neither is a letter
        rf"(?i:{_CUE})[\W_]*(?P<cue>[{capital}])(?![\w'’])(?!\s+(?!because|since|as\b|and\b|or\b)[a-z])",
        rf"(?i:{_CUE})[\W_]*(?P<cue_small>[{not_a}])\W*$" if not_a else "(?!)",
        rf"(?i:\banswer\s*:|\b{_NOUN})[\W_]*(?P<cue_a>[{small}])\W*$",
        rf"(?<![\w'’])(?P<alone>[{free}])(?![\w'’])" if free else "(?!)",
        rf"(?<![\w'’])(?P<listed>[{capital}])(?={_LIST}\(?[{capital}](?![\w'’]))",
        rf"(?<=[a-z,;/&]\s)(?P<final>[{capital.replace('I', '')}])(?![\w'’])(?!\s+\w)" if capital != "I" else "(?!)",
    )
    return re.compile("|".join(patterns))


def _cases(letters: str) -> tuple[str, str]:
    return letters.lower(), letters.upper()


def _numbers(text: str, labels: tuple[str, ...]) -> Iterator[_Match]:
    values = [_value(label) for label in labels]
    for match in _NUMBER.finditer(text):
        found = _value(match.group())
        yield from (_Match(i, match.start(), match.end()) for i, value in enumerate(values) if value == found)


def _value(number: str) -> Decimal:
    return Decimal(number.replace("−", "-").replace(",", ""))


def _words(text: str, labels: tuple[str, ...]) -> Iterator[_Match]:
    """Alternatives are tried longest first, so a match hides the shorter labels inside it."""
    for match in _word_pattern(labels).finditer(text):
        found = " ".join(match.group().casefold().split())
        for i, label in enumerate(labels):
            if " ".join(label.casefold().split()) == found:
                yield _Match(i, match.start(), match.end())


@lru_cache(maxsize=256)
def _word_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    ordered = sorted((label for label in labels if label), key=len, reverse=True)
    return re.compile("|".join(_whole(label) for label in ordered) or r"(?!)", re.IGNORECASE)


def _whole(label: str) -> str:
    before = rf"(?<!{_LETTER})" if re.match(_LETTER, label[0]) else ""
    after = rf"(?!{_LETTER})" if re.match(_LETTER, label[-1]) else ""
    return before + r"\s+".join(re.escape(word) for word in label.split()) + after


def _negated(text: str, match: _Match) -> bool:
    return bool(_NOT_BEFORE.search(text[: match.start]) or _NOT_AFTER.search(text[match.end :]))


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
