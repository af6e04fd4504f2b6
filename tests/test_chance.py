"""Chance levels, rank correlation, and the difference of groups, against brute force and known truth."""

from __future__ import annotations

import random

import numpy as np
import pytest
from scipy import stats

from surefoot.errors import BadInput
from surefoot.memorisation.chance import Null, draws
from surefoot.metrics.overlap import Overlap, overlap
from surefoot.stats.rank import greater_mean, spearman, spearman_interval


def test_every_draw_is_the_overlap_with_its_window() -> None:
    draw = random.Random(3)
    text = draw.choices("abcdef", k=30)
    null = Null((tuple(draw.choices("abcdefg", k=23)), tuple(draw.choices("abcdefg", k=9))), count=1000)
    ring = null.ring * 4
    assert null.starts.tolist() == list(range(32))
    for length in (1, 7, 31, 60):
        found = draws(text, null, length, least=2)
        for place, start in enumerate(null.starts):
            expected = overlap(text, ring[start : start + length], least=2)
            assert Overlap(*(column[place] for column in found)) == pytest.approx(expected)


def test_fewer_windows_are_spread_over_the_ring() -> None:
    assert Null((tuple("abcdefgh"),), count=4).starts.tolist() == [0, 2, 4, 6]


def test_nothing_to_compare_with_is_refused() -> None:
    with pytest.raises(BadInput, match="no unrelated text"):
        Null(((),))
    with pytest.raises(BadInput, match="0 words"):
        draws(("a",), Null((("a",),)), 0, least=1)


def test_the_rank_of_unrelated_words_is_a_uniform_p_value() -> None:
    """Works and answers from one vocabulary: small p-values come up as often as they say."""
    draw, p = random.Random(0), []
    for _ in range(300):
        null = Null(tuple(tuple(draw.choices(range(40), k=40)) for _ in range(8)), count=60)
        text, work = draw.choices(range(40), k=40), draw.choices(range(40), k=40)
        drawn = draws(text, null, 40, least=4).subsequence
        p.append((1 + np.sum(drawn >= overlap(text, work).subsequence)) / (1 + len(drawn)))
    for level in (0.05, 0.1, 0.25):
        assert np.mean(np.asarray(p) <= level) <= level + 3 * np.sqrt(level * (1 - level) / 300)


@pytest.mark.parametrize("r", [0.0, 0.6, 0.9])
def test_the_interval_of_a_rank_correlation_holds_its_truth_as_often_as_it_says(r: float) -> None:
    """Normal pairs, whose rho is known: 6 / pi asin(r / 2)."""
    rng, truth, inside = np.random.default_rng(0), 6 / np.pi * np.arcsin(r / 2), 0
    for _ in range(1000):
        x, other = rng.normal(size=(2, 25))
        rho = stats.spearmanr(x, r * x + np.sqrt(1 - r * r) * other).statistic
        found = spearman_interval(rho, 25)
        assert -1 < found.low < rho == found.value < found.high < 1
        inside += found.low <= truth <= found.high
    assert 0.92 < inside / 1000 < 0.98


def test_an_interval_of_a_rank_correlation_says_nothing_where_nothing_can_be_said() -> None:
    for rho, pairs, ends in ((0.5, 3, (-1.0, 1.0)), (1.0, 8, (1.0, 1.0)), (-1.0, 8, (-1.0, -1.0))):
        found = spearman_interval(rho, pairs)
        assert (found.low, found.high) == ends
    assert np.isnan([spearman_interval(np.nan, 8).low, spearman_interval(np.nan, 3).high]).all()


def test_rho_is_scipys_and_its_p_value_near_the_exact_one() -> None:
    x, y = [1.0, 2, 3, 4, 5, 5, 7], [2.0, 1, 4, 3, 7, 7, 6]
    found = spearman(x, y, 9999, np.random.default_rng(0))
    assert found.rho == pytest.approx(stats.spearmanr(x, y).statistic)
    exact = stats.permutation_test((y,), lambda z: stats.spearmanr(x, z).statistic, permutation_type="pairings").pvalue
    assert found.p == pytest.approx(exact, abs=0.01)


def test_a_constant_side_has_no_correlation() -> None:
    assert all(np.isnan(spearman([1.0, 1, 1], [1.0, 2, 3], 9, np.random.default_rng(0))))
    with pytest.raises(BadInput, match="make no pairs"):
        spearman([1.0], [1.0, 2], 9, np.random.default_rng(0))


def test_the_p_value_of_a_greater_mean_is_the_exact_one() -> None:
    p = greater_mean([5.0, 6, 7], [1.0, 2, 3], 20_000, np.random.default_rng(0))
    assert p == pytest.approx(1 / 20, abs=0.005)  # one of C(6, 3) ways
    assert greater_mean([1.0, 2, 3], [1.0, 2, 3], 999, np.random.default_rng(0)) > 0.4
    assert np.isnan(greater_mean([], [1.0], 9, np.random.default_rng(0)))
