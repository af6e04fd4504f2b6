"""Agreement of annotators: tables by hand, scikit-learn, brute force over pairs of labels, known limits."""

from __future__ import annotations

from itertools import permutations
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from surefoot.errors import BadInput
from surefoot.stats.agreement import alpha_interval, cohen_kappa, fleiss_kappa, krippendorff_alpha

LABELS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=30)
COUNTS = st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=8)


def test_cohens_kappa_of_a_table_by_hand() -> None:
    """20 yes/yes, 5 yes/no, 10 no/yes, 15 no/no: p_o = 0.7, p_e = 0.5 x 0.6 + 0.5 x 0.4 = 0.5, kappa = 0.4."""
    left = [1] * 25 + [0] * 25
    right = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    assert cohen_kappa(left, right) == pytest.approx(0.4)


@given(LABELS)
def test_cohens_kappa_is_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    left, right = zip(*pairs, strict=True)
    if len({*left, *right}) == 1:
        assert isnan(cohen_kappa(left, right))
    else:
        assert cohen_kappa(left, right) == pytest.approx(cohen_kappa_score(left, right))


def test_fleiss_kappa_of_a_table_by_hand() -> None:
    """Units yyy, yyn, nnn, ynn: p_o = (1 + 1/3 + 1 + 1/3) / 4 = 2/3, p(y) = p(n) = 1/2, kappa = (2/3 - 1/2) / (1/2)."""
    assert fleiss_kappa(np.array([[0, 3], [1, 2], [3, 0], [2, 1]])) == pytest.approx(1 / 3)


def test_fleiss_kappa_takes_two_labels_a_unit_and_not_one() -> None:
    """Units nn, ny, yy, yy: p_o = 3/4, p(n) = 3/8: kappa = (3/4 - 34/64) / (1 - 34/64) = 7/15."""
    assert fleiss_kappa(np.array([[2, 0], [1, 1], [0, 2], [0, 2]])) == pytest.approx(7 / 15)
    with pytest.raises(BadInput, match="two or more"):
        fleiss_kappa(np.array([[1, 0], [0, 1]]))


def test_alpha_of_the_example_that_its_author_worked() -> None:
    """Krippendorff 2011, part A: two observers, ten units, binary; alpha = 0.095."""
    one = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    two = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]
    counts = np.array([[2 - a - b, a + b] for a, b in zip(one, two, strict=True)])
    assert krippendorff_alpha(counts) == pytest.approx(0.095, abs=5e-4)


def brute_alpha(counts: list[list[int]]) -> float:
    """Disagreement within units over that of all pairable labels, pair by pair."""
    units = [[label for label, n in enumerate(unit) for _ in range(n)] for unit in counts]
    units = [unit for unit in units if len(unit) > 1]
    labels = [label for unit in units for label in unit]
    apart = sum(sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units)
    chance = sum(a != b for a, b in permutations(labels, 2))
    return 1 - (apart / len(labels)) / (chance / (len(labels) * (len(labels) - 1))) if chance else np.nan


@given(COUNTS)
def test_alpha_is_the_ratio_of_pairs_that_differ_also_where_labels_are_missing(counts: list[list[int]]) -> None:
    assert krippendorff_alpha(np.array(counts, dtype=float)) == pytest.approx(brute_alpha(counts), nan_ok=True)


@given(st.lists(st.integers(0, 3), min_size=2, max_size=20))
def test_alpha_and_fleiss_differ_by_the_small_sample_factor(yes: list[int]) -> None:
    """Where every unit has m labels: (1 - alpha) n = (1 - kappa) (n - 1)."""
    counts = np.array([[3 - y, y] for y in yes], dtype=float)
    n = counts.sum()
    kappa, alpha = fleiss_kappa(counts), krippendorff_alpha(counts)
    assert (1 - alpha) * n == pytest.approx((1 - kappa) * (n - 1), nan_ok=True)


def test_random_labels_agree_at_zero_and_copies_at_one() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.integers(0, 2, (2, 4000))
    assert abs(cohen_kappa(one.tolist(), two.tolist())) < 0.05
    assert abs(krippendorff_alpha(np.stack([2 - one - two, one + two], axis=1).astype(float))) < 0.05
    assert krippendorff_alpha(np.stack([2 - 2 * one, 2 * one], axis=1).astype(float)) == 1


def test_the_interval_draws_groups_and_not_their_units() -> None:
    """Ten copies of every unit in a group say no more than one: the interval stays as wide."""
    rng = np.random.default_rng(1)
    yes = rng.integers(0, 3, 60)
    counts = np.stack([2 - yes, yes], axis=1).astype(float)
    once = alpha_interval(counts, range(60), 2000, np.random.default_rng(2))
    copies = alpha_interval(np.repeat(counts, 10, axis=0), np.repeat(np.arange(60), 10).tolist(), 2000, rng)
    alone = alpha_interval(np.repeat(counts, 10, axis=0), range(600), 2000, rng)
    assert once.low < once.value < once.high
    assert (copies.high - copies.low) / (once.high - once.low) == pytest.approx(1, abs=0.1)
    assert (alone.high - alone.low) / (once.high - once.low) == pytest.approx(10**-0.5, abs=0.05)


def test_nothing_judged_twice_is_no_number_and_uneven_units_are_refused_by_fleiss() -> None:
    assert isnan(krippendorff_alpha(np.array([[1.0, 0], [0, 1]])))
    assert isnan(krippendorff_alpha(np.zeros((0, 2))))
    assert isnan(cohen_kappa([], []))
    with pytest.raises(BadInput, match="same number of labels"):
        fleiss_kappa(np.array([[1.0, 1], [0, 3]]))
    with pytest.raises(BadInput, match="1 and 2 labels"):
        cohen_kappa([1], [1, 0])
