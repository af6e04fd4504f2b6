"""How much of a text its context supports, word for word, without a model.

A summary or an answer that says what no part of its context says shows in words, in pairs of words, and above all in
names and numbers that the context does not hold. A paraphrase shows too: the score is of wording, not of truth, and it
means something beside the same score against other contexts. Source: coverage of extractive fragments, Grusky et al.
2018 (arXiv:1804.11283), here by longest runs; precision of names, Nan et al. 2021 (arXiv:2102.09130), here by a rule.
"""

from __future__ import annotations

import re
from math import nan
from typing import NamedTuple

from surefoot.metrics.overlap import common_runs
from surefoot.text.words import words_of

_BEGINS = re.compile(r"(?:\A|[.!?:;\n][\"'”’)]*\s*|[\"“‘(]\s*)\W*(\w)")  # the first letter of a sentence or quotation
_TERM = re.compile(r"\b(?:[^\W\d_]*\d[\w.,:]*\w|\d|[A-Z][\w’'-]*)")


class Support(NamedTuple):
    """Shares of a text, 0 to 1, NaN where it has nothing to count.

    words: its words that stand in the context. pairs: its words that stand in a run of two or more words of the
    context. terms: its names and numbers (words with a digit, and capitalised ones that do not begin a sentence) whose
    words all stand in the context.
    """

    words: float
    pairs: float
    terms: float


def support(text: str, context: str) -> Support:
    """What of the text stands in its context. Cost: O(words of both)."""
    own, shown = words_of(text), words_of(context)
    known = set(shown)
    terms = [set(words_of(term)) <= known for term in terms_of(text)]
    return Support(
        common_runs(shown, own, 1).words / len(own) if own else nan,
        common_runs(shown, own, 2).words / len(own) if own else nan,
        sum(terms) / len(terms) if terms else nan,
    )


def terms_of(text: str) -> list[str]:
    """Names and numbers of an English text, by the rule of `Support`; `I` is none."""
    first = {match.start(1) for match in _BEGINS.finditer(text)}
    found = [match for match in _TERM.finditer(text) if match.group() != "I"]
    return [match.group() for match in found if match.start() not in first or any(map(str.isdigit, match.group()))]
