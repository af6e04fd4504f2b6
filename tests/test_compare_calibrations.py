"""Comparisons of simulated runs: false alarms at the nominal rate, power as computed, intervals that cover."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from surefoot.calibration import calibrate, calibration_table
from surefoot.comparison.calibrations import (
    ITEMS,
    PAIRS,
    QUANTITIES,
    Model,
    Rates,
    draw,
    sd_of_differences,
    simulate,
    spaced,
)
from surefoot.stats import paired

ALIKE = Model(0.0, spaced(0.8))


@pytest.fixture(scope="module")
def alike() -> Rates:
    """600 pairs of runs of one model."""
    assert PAIRS >= 500
    return simulate(ALIKE, ALIKE)


def test_the_calibrations_of_compare_read_the_truth() -> None:
    lines = calibrate("compare")
    assert {line.model for line in lines} == {"alike", "planted mean", "planted spread", "ceiling"}
    assert all(line.ok for line in lines), calibration_table(lines)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_runs_of_one_model_differ_at_the_nominal_rate(alike: Rates, quantity: str) -> None:
    low, high = binom.interval(0.999, PAIRS, 0.05)
    low = low if quantity != "worst" else 0.1 * low  # minima tie often, and a tie counts against a difference
    assert low <= alike.shown[quantity] * PAIRS <= high


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_intervals_cover_no_difference(alike: Rates, quantity: str) -> None:
    assert alike.covered[quantity] >= 0.925


def test_intervals_cover_planted_differences() -> None:
    found = simulate(Model(0.0, spaced(1.5)), Model(0.3, spaced(0.4)), items=120, pairs=300)
    assert min(found.covered.values()) >= 0.91
    assert found.shown["spread"] > 0.95


def test_a_model_that_only_gets_better_is_not_called_steadier_and_the_plain_spread_would_be() -> None:
    before, after = Model(-0.3, spaced(0.0)), Model(3.0, spaced(0.0))
    rng, plain, beyond = np.random.default_rng(0), 0, 0
    for _ in range(200):
        scores = draw(before, after, ITEMS, rng).scores
        both, seen = scores.flipped(scores.flips(199, rng)), scores.seen()
        for statistic in (paired.spread, paired.beyond_noise):
            null = statistic(both.after) - statistic(both.before)
            p = paired.permutation_p(float((statistic(seen.after) - statistic(seen.before))[0]), null, False)
            plain += statistic is paired.spread and p <= 0.05
            beyond += statistic is paired.beyond_noise and p <= 0.05
    assert plain > 50
    assert beyond <= binom.ppf(0.999, 200, 0.05)


def test_the_true_standard_deviation_of_differences_is_that_of_many_simulated_items() -> None:
    better = Model(0.4, spaced(0.8))
    many = draw(ALIKE, better, 40_000, np.random.default_rng(1)).scores
    assert many.differences.std() == pytest.approx(sd_of_differences(ALIKE, better), rel=0.01)
    assert many.differences.mean() == pytest.approx(better.truth["mean"] - ALIKE.truth["mean"], abs=0.005)
    assert many.seen().before.columns[0].std(ddof=1) == pytest.approx(ALIKE.truth["spread"], rel=0.03)
