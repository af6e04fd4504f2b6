"""Exact tests on counts: binomial, sign test, McNemar."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Literal, NamedTuple

from surefoot.errors import BadInput

Side = Literal["two-sided", "greater", "less"]


class SignTest(NamedTuple):
    """Counts of the signs, and p-values under even odds. `one_sided` is for more negative signs than positive."""

    negative: int
    positive: int
    ties: int
    one_sided: float
    two_sided: float


def binomial_p(successes: int, n: int, p: float = 0.5, side: Side = "two-sided") -> float:
    """The exact binomial p-value; two-sided sums all outcomes that are no more likely than the one seen."""
    from scipy.stats import binomtest

    return 1.0 if n == 0 else float(binomtest(successes, n, p, alternative=side).pvalue)


def sign_test(differences: Sequence[float]) -> SignTest:
    """The sign test of paired differences; differences of exactly 0 are ties and left out, as is usual.

    With no difference left both p-values are 1. NaN is refused: a missing pair has no sign.
    """
    if any(isnan(difference) for difference in differences):
        raise BadInput("A sign test got a NaN difference; leave missing pairs out and say so.")
    negative = sum(difference < 0 for difference in differences)
    positive = sum(difference > 0 for difference in differences)
    n = negative + positive
    one, two = binomial_p(negative, n, side="greater"), binomial_p(negative, n)
    return SignTest(negative, positive, len(differences) - n, one, two)


def mcnemar(left_only: int, right_only: int) -> float:
    """The exact two-sided p-value that two paired proportions are equal, from the two discordant counts.

    Formula: binomial test of `left_only` among left_only + right_only at 1/2. Source: McNemar 1947, exact form.
    """
    if left_only < 0 or right_only < 0:
        raise BadInput(f"{left_only} and {right_only} are not counts of discordant pairs; both must be at least 0.")
    return binomial_p(left_only, left_only + right_only)
