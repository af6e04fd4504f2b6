"""Rules that score a free answer against the accepted ones: 0 to 1, the best over the accepted answers."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any

from surefoot.metrics.normalise import normalise, words

_WORD = re.compile(r"[^\W_]+")


def equal(prediction: str, answer: str) -> float:
    """1 where both are the same string apart from white space at the ends."""
    return float(prediction.strip() == answer.strip())


def exact_match(prediction: str, answer: str) -> float:
    """1 where both normalise to the same text (`normalise`)."""
    return float(normalise(prediction) == normalise(answer))


def token_f1(prediction: str, answer: str) -> float:
    """Harmonic mean of precision and recall over the words of the normalised texts, counted with multiplicity.

    Formula: 2 m / (|p| + |a|) with m = sum over words of min(count in p, count in a). Two empty texts score 1.
    """
    p, a = Counter(words(prediction)), Counter(words(answer))
    if not p and not a:
        return 1.0
    return 2 * sum((p & a).values()) / (p.total() + a.total())


def rouge_l(prediction: str, answer: str) -> float:
    """ROUGE-L: the F-measure of the longest common subsequence of words, from the library `rouge_score`.

    No stemming. Words are runs of letters and digits of any script, where the library's own tokenizer drops
    everything but a-z and 0-9; on ASCII text the two agree. A script without blanks is one word: segment it first.
    """
    return float(_rouge().score(answer, prediction)["rougeL"].fmeasure)


class _Words:
    def tokenize(self, text: str) -> list[str]:
        return _WORD.findall(text.lower())


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], use_stemmer=False, tokenizer=_Words())
