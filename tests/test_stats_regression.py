"""Lines through grouped points: against scipy, against dummy variables, by enumeration and by simulation."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import binom, linregress

from surefoot.stats.regression import fit_line, most_influential, permutation_p


def points(seed: int, n: int = 24, groups: int = 3, slope: float = 0.4) -> tuple[np.ndarray, np.ndarray, list[int]]:
    rng = np.random.default_rng(seed)
    own = [k % groups for k in range(n)]
    x = rng.normal(size=n) + 2 * np.asarray(own)
    return x, slope * x - 3 * np.asarray(own) + rng.normal(size=n), own


@pytest.mark.parametrize("seed", range(4))
def test_one_intercept_is_scipys_regression(seed: int) -> None:
    x, y, _ = points(seed)
    found, expected = fit_line(x, y), linregress(x, y)
    assert found is not None
    assert found.slope.value == pytest.approx(expected.slope)
    assert found.intercept == pytest.approx(expected.intercept)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.r2 == pytest.approx(expected.rvalue**2)
    assert (found.slope.high - found.slope.low) / 2 == pytest.approx(2.0739 * expected.stderr, rel=1e-4)  # t(0.975, 22)


@pytest.mark.parametrize("seed", range(4))
def test_an_intercept_a_group_is_least_squares_with_dummy_variables(seed: int) -> None:
    x, y, own = points(seed)
    design = np.column_stack([x, np.eye(3)[own]])
    coefficients, residual, *_ = np.linalg.lstsq(design, y, rcond=None)
    covariance = residual[0] / (24 - 4) * np.linalg.inv(design.T @ design)
    found = fit_line(x, y, own)
    assert found is not None
    assert found.slope.value == pytest.approx(coefficients[0])
    assert (found.slope.high - found.slope.low) / 2 == pytest.approx(2.08596 * covariance[0, 0] ** 0.5, rel=1e-5)
    assert (found.n, found.groups) == (24, 3)
    assert found.slope.value > 0 > fit_line(x, y).slope.value  # type: ignore[union-attr] - what groups are for


def test_the_interval_covers_a_planted_slope_as_often_as_it_says() -> None:
    covered = 0
    for seed in range(600):
        x, y, own = points(seed)
        line = fit_line(x, y, own)
        assert line is not None
        covered += line.slope.low <= 0.4 <= line.slope.high
    low, high = binom.interval(0.999, 600, 0.95)
    assert low <= covered <= high


def test_a_planted_line_without_noise_is_read_exactly() -> None:
    x = np.arange(6.0)
    line = fit_line(x, 2 - 0.5 * x)
    assert line is not None
    assert (line.slope.value, line.intercept, line.r2) == pytest.approx((-0.5, 2, 1))
    assert line.p_value < 1e-6
    flat = fit_line(x, np.full(6, 3.0))
    assert flat is not None
    assert (flat.slope.value, flat.p_value, flat.intercept) == (0, 1, 3)


def test_without_enough_points_or_spread_there_is_no_line() -> None:
    assert fit_line(np.arange(2.0), np.arange(2.0)) is None
    assert fit_line(np.full(9, 0.1 + 0.2), np.arange(9.0)) is None
    assert fit_line(np.asarray([1.0, 1, 2, 2]), np.arange(4.0), ["a", "a", "b", "b"]) is None
    assert fit_line(np.zeros(0), np.zeros(0)) is None


def test_the_permutation_p_is_that_of_all_permutations_within_groups() -> None:
    rng = np.random.default_rng(5)
    x, y, own = rng.normal(size=8), rng.normal(size=8), [0, 0, 0, 0, 1, 1, 1, 1]
    dx, dy = (v - np.repeat([v[:4].mean(), v[4:].mean()], 4) for v in (x, y))
    halves = [list(permutations(range(4)))] * 2
    sums = [abs(dx[[*a, *(4 + k for k in b)]] @ dy) for a in halves[0] for b in halves[1]]
    exact = np.mean(np.asarray(sums) >= abs(dx @ dy) - 1e-12)
    assert 0.02 < exact < 0.98
    assert permutation_p(x, y, own, 4000, rng) == pytest.approx(exact, abs=4 * (exact * (1 - exact) / 4000) ** 0.5)


def test_differences_between_groups_alone_are_no_relation_within_them() -> None:
    own = [k // 10 for k in range(60)]
    rng = np.random.default_rng(1)
    x, y = 5.0 * np.asarray(own) + rng.normal(size=60), 5.0 * np.asarray(own) + rng.normal(size=60)
    assert fit_line(x, y).p_value < 1e-9  # type: ignore[union-attr]
    assert permutation_p(x, y, own, 500, rng) > 0.05


@pytest.mark.parametrize("own", [None, [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]])
def test_cooks_distance_is_how_far_all_fitted_values_move_without_the_point(own: list[int] | None) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=10), rng.normal(size=10)
    x[9], y[9] = 6.0, 8.0
    codes = np.asarray(own or [0] * 10)
    design = np.column_stack([x, np.eye(codes.max() + 1)[codes]])

    def fitted(kept: np.ndarray) -> np.ndarray:
        return np.asarray(design @ np.linalg.lstsq(design[kept], y[kept], rcond=None)[0])

    whole = fitted(np.ones(10, dtype=bool))
    spread = ((y - whole) ** 2).sum() / (10 - design.shape[1])
    moved = [((whole - fitted(np.arange(10) != k)) ** 2).sum() / design.shape[1] / spread for k in range(10)]
    found = most_influential(x, y, own)
    assert found is not None
    assert found.place == int(np.argmax(moved)) == 9
    assert found.cook == pytest.approx(max(moved))
    rest = np.arange(10) != 9
    expected = fit_line(x[rest], y[rest], None if own is None else own[:9])
    assert expected is not None
    assert found.slope_without == pytest.approx(expected.slope.value)
