"""The formulas: the paper's printed numbers, closed forms, and Monte Carlo over random lists."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from surefoot.errors import BadInput
from surefoot.watermark import theory

RNG = np.random.default_rng(1)


def test_the_printed_numbers_of_the_paper_are_recomputed() -> None:
    assert theory.expected_green(200, 0.5, 2, 0.807) == pytest.approx(142.16, abs=0.01)
    assert theory.spread_of_green(200, 0.5, 2, 0.807) == pytest.approx(6.41, abs=0.01)
    assert theory.threshold(200, 0.5) == pytest.approx(128.28, abs=0.01)
    assert theory.missed(200, 0.5, 2, 0.807) == pytest.approx(0.0152, abs=1e-4)
    assert theory.z_of(16, 16, 0.5) == 4
    assert theory.z_of(600, 1000, 0.5) == pytest.approx(6.3246, abs=1e-4)
    assert theory.least_tokens(0.5, 2.0**-16) == 16
    assert pytest.approx(3.167e-5, rel=1e-3) == theory.LEVEL


def test_spike_entropy_lies_between_its_closed_forms() -> None:
    z = theory.modulus(0.5, 2)
    assert theory.spike_entropy([1, 0, 0], z) == pytest.approx(1 / (1 + z)) == pytest.approx(0.568, abs=1e-3)
    assert theory.spike_entropy(np.full(40, 1 / 40), z) == pytest.approx(40 / (40 + z))
    drawn = theory.spike_entropy(RNG.dirichlet(np.full(40, 0.2), 50), z)
    assert ((drawn > 1 / (1 + z)) & (drawn < 40 / (40 + z))).all()


@pytest.mark.parametrize("delta", [0.5, 2.0, 5.0, math.inf])
def test_a_uniform_distribution_is_green_with_the_closed_form(delta: float) -> None:
    green = np.arange(1000) < 250
    found = theory.biased(np.full(1000, 1e-3), green, delta)[green].sum()
    assert found == pytest.approx(theory.coefficient(0.25, delta), rel=1e-12)


def test_the_bound_on_green_mass_and_the_bound_on_surprise_hold_over_random_lists() -> None:
    """60 random settings; the bounds are tight for uniform distributions, so that Monte Carlo error is allowed for."""
    slacks = []
    for _ in range(60):
        gamma, delta, size = RNG.uniform(0.1, 0.6), RNG.uniform(0.2, 4), int(RNG.integers(20, 200))
        p = RNG.dirichlet(np.full(size, RNG.choice([0.05, 0.3, 5])))
        count = int(gamma * size)
        green = np.argsort(RNG.random((3000, size)), axis=1) < count
        marked = theory.biased(np.broadcast_to(p, green.shape), green, delta)
        share = count / size
        mass = (marked * green).sum(1)
        bound = theory.coefficient(share, delta) * theory.spike_entropy(p, theory.modulus(share, delta))
        surprise = -(marked * np.log(p, where=p > 0, out=np.zeros_like(p))).sum(1)
        for values, sign, limit in ((mass, 1, bound), (surprise, -1, theory.entropy_bound(p, share, delta))):
            assert sign * (values.mean() - limit) > -4 * values.std() / np.sqrt(len(values)) - 1e-9
        slacks.append(mass.mean() - bound)
    assert min(slacks) < 0.01
    assert max(slacks) < 0.3


@pytest.mark.parametrize(("gamma", "share"), [(0.25, 0.57), (0.5, 0.7), (0.1, 0.3), (0.25, 1.0)])
def test_the_needed_length_has_the_power_and_a_shorter_one_has_not_all_of_it(gamma: float, share: float) -> None:
    def power(tokens: int) -> float:
        needed = next(k for k in range(tokens + 2) if binom.sf(k - 1, tokens, gamma) <= theory.LEVEL)
        return float(binom.sf(needed - 1, tokens, share))

    needed = theory.tokens_needed(gamma, share)
    assert all(power(needed + more) >= 0.8 for more in range(17))
    assert needed == theory.least_tokens(gamma) or any(power(needed - 1 + more) < 0.8 for more in range(17))


def test_no_length_shows_a_share_at_chance() -> None:
    with pytest.raises(BadInput, match=r"A green share of 0.25 is not above chance"):
        theory.tokens_needed(0.25, 0.25)
    with pytest.raises(BadInput, match="needs more than 1000 tokens"):
        theory.tokens_needed(0.25, 0.26, most=1000)


def test_running_z_ends_at_z_and_starts_at_its_first_token() -> None:
    green = RNG.random(50) < 0.5
    running = theory.running_z(green, 0.25)
    assert running[-1] == pytest.approx(theory.z_of(int(green.sum()), 50, 0.25))
    assert running[0] == pytest.approx((green[0] - 0.25) / math.sqrt(0.1875))
    assert math.isnan(theory.z_of(0, 0, 0.25))
