"""SARI: how well a rewriting keeps, deletes and adds the n-grams that references keep, delete and add.

Formula: the mean over n = 1..4 of F1 of kept n-grams, precision of deleted and F1 of added ones, and the mean of the
three. Source: Xu et al. 2016 (TACL, "Optimizing statistical machine translation for text simplification") and their
script: with r references, n-grams of source and output count r times and those of the references are summed, precision
and recall of kept and deleted n-grams are means over distinct n-grams, added n-grams are counted as present or not, and
0/0 is 0. Inputs are texts whose tokens stand between blanks; the letters are folded to lower case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from surefoot.errors import BadInput

LONGEST = 4
Grams = Counter[tuple[str, ...]]


def sari(source: str, output: str, references: Sequence[str]) -> float:
    """SARI of one output, 0 to 1. Raises `BadInput` where there is no reference."""
    if not references:
        raise BadInput("SARI was asked for without a reference; give at least one.")
    return sum(_of_length(source, output, references, n) for n in range(1, LONGEST + 1)) / LONGEST


def _of_length(source: str, output: str, references: Sequence[str], n: int) -> float:
    times = len(references)
    s, o = (Counter({gram: times * c for gram, c in _grams(text, n).items()}) for text in (source, output))
    r: Grams = Counter()
    for reference in references:
        r += _grams(reference, n)
    return (_kept(s, o, r) + _deleted(s, o, r) + _added(s, o, r)) / 3


def _kept(s: Grams, o: Grams, r: Grams) -> float:
    kept, right, wanted = s & o, s & o & r, s & r
    return _f1(_mean_share(right, kept), _mean_share(right, wanted))


def _deleted(s: Grams, o: Grams, r: Grams) -> float:
    deleted = s - o
    return _mean_share(deleted - r, deleted)


def _added(s: Grams, o: Grams, r: Grams) -> float:
    added, wanted = o.keys() - s.keys(), r.keys() - s.keys()
    right = len(added & wanted)
    return _f1(right / len(added) if added else 0.0, right / len(wanted) if wanted else 0.0)


def _mean_share(part: Grams, whole: Grams) -> float:
    """The mean over the distinct n-grams of `whole` of how much of each is in `part`."""
    return sum(part[gram] / count for gram, count in whole.items()) / len(whole) if whole else 0.0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _grams(text: str, n: int) -> Grams:
    tokens = text.lower().split()
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
