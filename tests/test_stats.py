"""Intervals, exact tests, the bootstrap over items, the spread's null and gaps, each against an oracle."""

from __future__ import annotations

from itertools import permutations, product
from math import comb, sqrt

import numpy as np
import pytest

from surefoot.errors import BadInput
from surefoot.stats.bootstrap import (
    bootstrap_mean,
    column_draws,
    column_means,
    generator,
    item_weights,
    paired_bootstrap,
    sd_interval,
    sd_over,
)
from surefoot.stats.exact import binomial_p, mcnemar, sign_test
from surefoot.stats.gaps import leave_one_out, mean_gap, task_gap, task_gaps
from surefoot.stats.intervals import basic_interval, percentile_interval, wilson
from surefoot.stats.permutation import spread_null

NAN = float("nan")


@pytest.mark.parametrize(("right", "n"), [(0, 10), (1, 10), (7, 10), (10, 10), (431, 1000)])
def test_wilson_ends_are_where_the_score_test_just_rejects(right: int, n: int) -> None:
    interval, z = wilson(right, n), 1.959963984540054
    for end in (interval.low, interval.high):
        if 0 < end < 1:
            assert abs(right / n - end) / sqrt(end * (1 - end) / n) == pytest.approx(z, abs=1e-9)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.low < interval.high


def test_wilson_of_nothing_is_nan_and_of_an_impossible_count_is_refused() -> None:
    assert np.isnan([wilson(0, 0).value, wilson(0, 0).low, wilson(0, 0).high]).all()
    with pytest.raises(BadInput, match="11 right of 10"):
        wilson(11, 10)


def test_percentile_interval_reads_the_quantiles_and_basic_reflects_them() -> None:
    draws = np.append(np.linspace(0, 1, 1001), NAN)
    plain, reflected = percentile_interval(0.4, draws), basic_interval(0.4, draws)
    assert (plain.low, plain.high) == pytest.approx((0.025, 0.975))
    assert (reflected.low, reflected.high) == pytest.approx((2 * 0.4 - 0.975, 2 * 0.4 - 0.025))
    assert np.isnan(percentile_interval(0.4, np.array([NAN])).low)


def _binomial(k: int, n: int) -> float:
    return comb(n, k) / 2**n


@pytest.mark.parametrize("n", [1, 5, 12])
def test_sign_test_equals_the_enumeration_of_all_signs(n: int) -> None:
    for negative in range(n + 1):
        seen = sign_test([-1.0] * negative + [1.0] * (n - negative) + [0.0])
        counts = [sum(signs) for signs in product((0, 1), repeat=n)]
        assert seen.one_sided == pytest.approx(np.mean([count >= negative for count in counts]))
        far = abs(negative - n / 2)
        assert seen.two_sided == pytest.approx(np.mean([abs(count - n / 2) >= far for count in counts]))
        assert (seen.negative, seen.positive, seen.ties) == (negative, n - negative, 1)


def test_sign_test_without_differences_is_one_and_a_nan_is_refused() -> None:
    assert sign_test([0.0, 0.0])[3:] == (1.0, 1.0)
    with pytest.raises(BadInput, match="NaN"):
        sign_test([0.1, NAN])


def test_binomial_p_with_uneven_odds_equals_its_sum() -> None:
    tail = sum(comb(9, k) * 0.25**k * 0.75 ** (9 - k) for k in range(5, 10))
    assert binomial_p(5, 9, 0.25, "greater") == pytest.approx(tail)
    assert binomial_p(5, 9, 0.25, "less") == pytest.approx(1 - tail + comb(9, 5) * 0.25**5 * 0.75**4)


def test_mcnemar_doubles_the_tail_of_the_discordant_pairs() -> None:
    assert mcnemar(2, 9) == pytest.approx(2 * sum(_binomial(k, 11) for k in range(3)))
    assert mcnemar(9, 2) == mcnemar(2, 9)
    assert mcnemar(0, 0) == 1.0
    with pytest.raises(BadInput, match="-1"):
        mcnemar(-1, 2)


def test_column_draws_equal_means_over_literally_drawn_items() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.random((6, 4))
    matrix[2, 1] = matrix[5, 1] = matrix[0, 3] = NAN
    weights = item_weights(6, 50, rng)
    assert (weights.sum(axis=1) == 6).all()
    for weight, draw in zip(weights, column_draws(matrix, weights), strict=True):
        drawn = np.repeat(matrix, weight.astype(int), axis=0)
        expected = [np.mean(column[~np.isnan(column)]) if not np.isnan(column).all() else NAN for column in drawn.T]
        np.testing.assert_allclose(draw, expected)


def test_column_means_leave_missing_cells_out_and_an_empty_wording_is_nan() -> None:
    means = column_means(np.array([[1, NAN, NAN], [0, 1, NAN]]))
    np.testing.assert_array_equal(means, [0.5, 1.0, NAN])


def test_sd_over_divides_by_n_minus_one_of_what_is_there() -> None:
    assert sd_over(np.array([1.0, 3.0, NAN])) == pytest.approx(sqrt(2))
    assert sd_over(np.array([1.0, 3.0]), ddof=0) == pytest.approx(1)
    assert np.isnan(sd_over(np.array([1.0, NAN])))


def test_bootstrap_mean_has_the_closed_form_standard_error() -> None:
    values = np.random.default_rng(2).normal(size=400)
    interval = bootstrap_mean(values.tolist(), resamples=4000)
    assert (interval.high - interval.low) / (2 * 1.96) == pytest.approx(values.std() / 20, rel=0.06)
    assert interval == bootstrap_mean(values.tolist(), resamples=4000)
    assert interval != bootstrap_mean(values.tolist(), resamples=4000, seed=1)


def test_paired_bootstrap_of_a_constant_shift_has_no_width() -> None:
    left = [0.1, 0.5, 0.9]
    interval = paired_bootstrap(left, [x + 0.25 for x in left])
    assert (interval.low, interval.value, interval.high) == pytest.approx((0.25, 0.25, 0.25))
    with pytest.raises(BadInput, match="3 values cannot be paired with 2"):
        paired_bootstrap(left, [0.0, 0.0])
    with pytest.raises(BadInput, match="NaN"):
        paired_bootstrap(left, [0.0, 0.0, NAN])


def test_generators_depend_on_the_names_and_not_on_other_draws() -> None:
    assert generator(0, "a").random() == generator(0, "a").random()
    assert len({generator(0, "a").random(), generator(0, "b").random(), generator(1, "a").random()}) == 3


def test_spread_null_equals_all_permutations_within_items() -> None:
    matrix = np.array([[1.0, 0, 0], [1, 1, 0], [1, 0, 0]])
    rows = [list(permutations(row)) for row in matrix]
    sds = [np.std(np.mean(choice, axis=0), ddof=1) for choice in product(*rows)]
    null = spread_null(matrix, 6000, np.random.default_rng(0))
    assert null.sd == pytest.approx(np.std([1, 1 / 3, 0], ddof=1))
    assert null.noise_sd == pytest.approx(sqrt(np.mean(np.square(sds))), rel=0.02)
    assert null.p_value == pytest.approx(np.mean(np.array(sds) >= null.sd - 1e-12), abs=0.02)


def test_spread_null_keeps_missing_cells_missing() -> None:
    matrix = np.array([[1.0, NAN, NAN], [0, 1, NAN], [1, 0, NAN]])
    null = spread_null(matrix, 4000, np.random.default_rng(0))
    first = np.array([1 / 3, 2 / 3, 2 / 3, 1.0])  # wording 0 keeps its 1; the two full rows are swapped or not
    second = np.array([1.0, 0.5, 0.5, 0.0])
    assert null.noise_sd == pytest.approx(sqrt(np.mean((first - second) ** 2 / 2)), rel=0.03)
    assert np.isnan(spread_null(matrix[:, :1], 10, np.random.default_rng(0)).p_value)


def test_spread_p_value_is_at_level_under_the_null_and_smallest_under_a_planted_spread() -> None:
    rng = np.random.default_rng(3)
    difficulty = rng.random((60, 1))
    null = [spread_null((rng.random((60, 8)) < difficulty) * 1.0, 99, rng) for _ in range(200)]
    # binomial(200, .05): 10 expected, at least 21 has probability .001
    assert sum(finding.p_value <= 0.05 for finding in null) <= 20
    assert sum(finding.p_value <= 0.5 for finding in null) >= 75
    assert np.mean([f.sd**2 for f in null]) == pytest.approx(np.mean([f.noise_sd**2 for f in null]), rel=0.1)
    planted = (rng.random((60, 8)) < np.linspace(0.1, 0.9, 8)) * 1.0
    assert spread_null(planted, 99, rng).p_value == 1 / 100


def test_sd_interval_reaches_zero_for_wordings_that_are_alike_and_covers_a_planted_spread() -> None:
    rng = np.random.default_rng(4)

    def interval(accuracy: np.ndarray) -> tuple[float, float]:
        matrix = (rng.random((100, accuracy.size)) < accuracy) * 1.0
        draws = sd_over(column_draws(matrix, item_weights(100, 400, rng)))
        found = sd_interval(float(sd_over(column_means(matrix))), draws)
        assert found.low <= found.value <= found.high
        return found.low, found.high

    alike, spread = np.full(12, 0.7), np.linspace(0.4, 0.9, 12)
    truth = float(np.std(spread, ddof=1))
    lows = [interval(alike)[0] for _ in range(60)]
    covered = [low <= truth <= high for low, high in (interval(spread) for _ in range(60))]
    assert np.mean(np.array(lows) == 0) >= 0.9
    assert np.mean(covered) >= 0.85


def test_task_gaps_are_right_minus_left_with_the_chosen_divisor() -> None:
    gap = task_gap("t", [0.5, 0.7], [0.2, 0.4, 0.9], ddof=0)
    assert gap[1:] == pytest.approx((0.6, 0.1, 0.2, 0.5, np.std([0.2, 0.4, 0.9]), 0.7, -0.1))
    both = task_gaps({"t": [0.5, 0.7], "u": [1.0, 1.0]}, {"t": [0.2, 0.4, 0.9], "u": [0.0, 1.0]})
    assert mean_gap(both).gap == pytest.approx((-0.1 - 0.5) / 2)
    assert mean_gap(both).left_sd == pytest.approx((sqrt(0.02) + 0) / 2)


def test_a_class_without_accuracy_is_refused_by_the_name_of_its_task() -> None:
    with pytest.raises(BadInput, match='"u"'):
        task_gaps({"t": [0.5], "u": [0.5]}, {"t": [0.5]})
    with pytest.raises(BadInput, match='"t"'):
        task_gap("t", [0.5, NAN], [0.5])
    with pytest.raises(BadInput, match="no task"):
        mean_gap([])


def test_leaving_one_out_equals_the_mean_of_the_others() -> None:
    assert leave_one_out({"a": 1.0, "b": 2.0, "c": 6.0}) == pytest.approx({"a": 4.0, "b": 3.5, "c": 1.5})
    with pytest.raises(BadInput, match="Leaving one of 1"):
        leave_one_out({"a": 1.0})
