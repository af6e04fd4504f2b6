"""What the paper proves about the watermark, as formulas: expected green tokens, their spread, power, quality.

Symbols as in `scheme.py`; p a next-token distribution, T scored tokens. Source: Kirchenbauer et al. 2023
(arXiv:2301.10226), theorems 4.2 and 4.3 and section 4; the variance bound is the paper's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from surefoot.errors import BadInput

LEVEL = 1 - NormalDist().cdf(4)
"""The level of the published threshold z > 4: about 3.2e-5."""
POWER = 0.8
SPIKE = 0.8
"""Spike entropy that a required length assumes where none is known: about that of news text in the paper (0.807)."""


def modulus(gamma: float, delta: float) -> float:
    """The modulus at which the theorem takes the spike entropy: (1-gamma)(alpha-1) / (1 + (alpha-1) gamma)."""
    if math.isinf(delta):
        return (1 - gamma) / gamma
    return (1 - gamma) * math.expm1(delta) / (1 + math.expm1(delta) * gamma)


def spike_entropy(p: ArrayLike, modulus: float) -> Any:
    """S(p, z) = sum_k p_k / (1 + z p_k) over the last axis: 1/(1+z) for one certain token, N/(N+z) if uniform."""
    p = np.asarray(p, dtype=np.float64)
    return (p / (1 + modulus * p)).sum(-1)


def coefficient(gamma: float, delta: float) -> float:
    """gamma alpha / (1 + (alpha-1) gamma): the green share of a uniform distribution, and the theorem's factor."""
    if math.isinf(delta):
        return 1.0
    return gamma * math.exp(delta) / (1 + math.expm1(delta) * gamma)


def expected_green(tokens: int, gamma: float, delta: float, spike: float) -> float:
    """Lower bound on the expected number of green tokens among T whose average spike entropy is at least `spike`."""
    return coefficient(gamma, delta) * tokens * spike


def spread_of_green(tokens: int, gamma: float, delta: float, spike: float) -> float:
    """Upper bound on the standard deviation of that number: sqrt(T q (1-q)), q the bound's share (if at least 1/2)."""
    share = coefficient(gamma, delta) * spike
    return math.sqrt(tokens * share * (1 - share))


def threshold(tokens: int, gamma: float, z: float = 4.0) -> float:
    """The number of green tokens at which z is reached: gamma T + z sqrt(T gamma (1-gamma))."""
    return gamma * tokens + z * math.sqrt(tokens * gamma * (1 - gamma))


def missed(tokens: int, gamma: float, delta: float, spike: float, z: float = 4.0) -> float:
    """Probability of staying below the threshold if the bounds are met exactly, by the normal approximation."""
    mean, sd = expected_green(tokens, gamma, delta, spike), spread_of_green(tokens, gamma, delta, spike)
    return NormalDist(mean, sd).cdf(threshold(tokens, gamma, z)) if sd else float(mean < threshold(tokens, gamma, z))


def entropy_bound(p: ArrayLike, gamma: float, delta: float) -> float:
    """Upper bound on E[-sum p^_k ln p_k], the expected surprise of marked tokens: (1 + (alpha-1) gamma) H(p), nats."""
    p = np.asarray(p, dtype=np.float64)
    entropy = -(p * np.log(p, where=p > 0, out=np.zeros_like(p))).sum()
    return float((1 + math.expm1(delta) * gamma) * entropy)


def biased(p: ArrayLike, green: ArrayLike, delta: float) -> Any:
    """The soft rule: probabilities with green ones times alpha, normalised; the hard rule for an infinite delta."""
    p, green = np.asarray(p, dtype=np.float64), np.asarray(green, dtype=bool)
    raised = np.where(green, p, 0.0) if math.isinf(delta) else np.where(green, math.exp(delta) * p, p)
    return raised / raised.sum(-1, keepdims=True)


def least_tokens(gamma: float, level: float = LEVEL) -> int:
    """The shortest text that could be found at all: all of its T tokens green, gamma^T <= level."""
    return math.ceil(math.log(level) / math.log(gamma) - 1e-9)


def tokens_needed(gamma: float, share: float, level: float = LEVEL, power: float = POWER, most: int = 1_000_000) -> int:
    """The smallest T that an exact binomial test at `level` finds with at least `power` if a share `share` is green.

    Power is a saw tooth in T; the smallest T is taken from which the next 16 lengths reach it too.
    """
    from scipy.stats import binom

    if not gamma < share <= 1:
        raise BadInput(f"A green share of {share} is not above chance ({gamma}); no text is long enough to show it.")
    low, high = least_tokens(gamma, level), least_tokens(gamma, level)

    def enough(start: int) -> bool:
        lengths = np.arange(start, start + 17)
        needed = binom.isf(level, lengths, gamma) + 1
        return bool((binom.sf(needed - 1, lengths, share) >= power).all())

    while not enough(high):
        low, high = high, 2 * high
        if high > most:
            raise BadInput(f"A green share of {share} needs more than {most} tokens; use a larger delta.")
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def z_of(green: int, tokens: int, gamma: float) -> float:
    """z = (|s|_G - gamma T) / sqrt(T gamma (1-gamma)); NaN for no tokens."""
    return (green - gamma * tokens) / math.sqrt(tokens * gamma * (1 - gamma)) if tokens else math.nan


def running_z(green: Sequence[bool] | np.ndarray, gamma: float) -> np.ndarray:
    """z after each token, shape (T,)."""
    seen = np.arange(1, len(green) + 1)
    found: np.ndarray = (np.cumsum(green) - gamma * seen) / np.sqrt(seen * gamma * (1 - gamma))
    return found
