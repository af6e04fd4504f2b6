"""Paired statistics, Holm and sample sizes against brute force, closed forms and another implementation."""

from __future__ import annotations

from itertools import combinations, product
from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest

from surefoot.errors import BadInput
from surefoot.stats import paired
from surefoot.stats.bootstrap import item_weights
from surefoot.stats.holm import holm
from surefoot.stats.paired import Means, Paired, permutation_p
from surefoot.stats.power import detectable, items_needed, reach
from surefoot.stats.variance import variance_components

STATISTICS = (paired.mean, paired.spread, paired.worst, paired.beyond_noise)


def scores(items: int, wordings: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.random((items, wordings)) < rng.random((items, 1)) * np.linspace(0.5, 1, wordings)) * 1.0


def pair(items: int = 7, wordings: int = 4) -> Paired:
    return Paired(scores(items, wordings, 1), scores(items, wordings, 2))


def literally(matrix: np.ndarray) -> Means:
    """The means of one data set, without any product of matrices."""
    within = sum((y - row.mean()) ** 2 for row in matrix for y in row)
    return Means(matrix.mean(axis=0)[None], np.array([within]), len(matrix))


def test_resampled_means_are_those_of_literally_drawn_items() -> None:
    found, weights = pair(), item_weights(7, 40, np.random.default_rng(0))
    resampled = found.resampled(weights)
    for k, weight in enumerate(weights.astype(int)):
        for side, matrix in zip(resampled, (found.before, found.after), strict=True):
            want = literally(np.repeat(matrix, weight, axis=0))
            np.testing.assert_allclose(side.columns[k], want.columns[0])
            assert side.within[k] == pytest.approx(want.within[0])


def test_flipped_means_are_those_of_literally_exchanged_items() -> None:
    found = pair()
    flips = found.flips(50, np.random.default_rng(0))
    assert not flips.complete
    assert set(np.unique(flips.signs)) == {-1, 1}
    both = found.flipped(flips)
    for k, signs in enumerate(flips.signs):
        before, after = found.before.copy(), found.after.copy()
        swap = signs == -1
        before[swap], after[swap] = found.after[swap], found.before[swap]
        for side, matrix in zip(both, (before, after), strict=True):
            for statistic in STATISTICS:
                want = statistic(literally(matrix))[0]
                assert statistic(side)[k] == pytest.approx(want, abs=1e-7)


def test_flips_in_parts_are_the_flips_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = pair()
    flips = found.flips(50, np.random.default_rng(0))
    at_once = found.flipped(flips)
    monkeypatch.setattr(paired, "CHUNK", 16)
    for one, other in zip(found.flipped(flips), at_once, strict=True):
        np.testing.assert_allclose(one.columns, other.columns)
        np.testing.assert_allclose(one.within, other.within)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_exact_p_value_is_that_of_all_exchanges(statistic: paired.Statistic) -> None:
    found = pair(items=6)

    def difference(before: np.ndarray, after: np.ndarray) -> float:
        return float((statistic(literally(after)) - statistic(literally(before)))[0])

    every = []
    for signs in product((False, True), repeat=6):
        swap = np.array(signs)[:, None]
        every.append(difference(np.where(swap, found.after, found.before), np.where(swap, found.before, found.after)))
    seen = difference(found.before, found.after)
    flips = found.flips(100, np.random.default_rng(0))
    both = found.flipped(flips)
    assert flips.complete
    p = permutation_p(seen, statistic(both.after) - statistic(both.before), flips.complete)
    assert p == pytest.approx(np.mean(np.abs(every) >= abs(seen) - 1e-7))
    sampled = Paired(np.tile(found.before, (1, 1)), found.after).flips(20, np.random.default_rng(3))
    assert not sampled.complete
    assert len(sampled.signs) == 20


def test_items_that_did_not_change_are_not_flipped() -> None:
    before = scores(30, 3)
    after = before.copy()
    after[[4, 9]] = 1 - after[[4, 9]]
    flips = Paired(before, after).flips(1000, np.random.default_rng(0))
    assert flips.complete
    assert flips.signs.shape == (4, 30)
    assert {tuple(row) for row in flips.signs[:, [4, 9]].tolist()} == set(product((1, -1), repeat=2))
    assert (np.delete(flips.signs, [4, 9], axis=1) == 1).all()
    assert (flips.signs[0] == 1).all()


def test_nothing_changed_gives_p_one() -> None:
    same = scores(20, 3)
    found = Paired(same, same)
    both = found.flipped(found.flips(99, np.random.default_rng(0)))
    assert permutation_p(0.0, paired.mean(both.after) - paired.mean(both.before), True) == 1


def test_a_sampled_p_value_is_never_zero_and_counts_the_data_in() -> None:
    null = np.array([0.1, -0.3, 0.2, 0.0])
    assert permutation_p(0.5, null, False) == 1 / 5
    assert permutation_p(-0.2, null, False) == 3 / 5
    assert permutation_p(-0.2, null, True) == 2 / 4


def test_the_spread_beyond_noise_is_the_wording_component_of_the_variance_split() -> None:
    matrix = scores(25, 6)
    found = Paired(matrix, matrix).seen().before
    component = variance_components(matrix, [""] * 6)["wording"]
    assert paired.beyond_noise(found)[0] == pytest.approx(np.sign(component) * sqrt(abs(component)))
    assert paired.spread(found)[0] == pytest.approx(np.std(matrix.mean(axis=0), ddof=1))


def test_the_variance_beyond_noise_is_unbiased_where_the_plain_one_is_not() -> None:
    rng, accuracy = np.random.default_rng(5), np.linspace(0.5, 0.8, 8)
    draws = [(rng.random((40, 8)) < accuracy) * 1.0 for _ in range(1500)]
    seen = [Paired(draw, draw).seen().before for draw in draws]
    plain = np.mean([paired.variance(one)[0] for one in seen])
    beyond = np.mean([paired.variance(one)[0] - paired.item_noise(one)[0] for one in seen])
    truth = np.var(accuracy, ddof=1)
    assert beyond == pytest.approx(truth, rel=0.06)
    assert plain == pytest.approx(truth + np.mean(accuracy * (1 - accuracy)) / 40, rel=0.06)


def test_unlike_shapes_holes_and_single_items_are_refused() -> None:
    with pytest.raises(BadInput, match=r"\(2, 3\) and \(2, 2\)"):
        Paired(np.zeros((2, 3)), np.zeros((2, 2)))
    with pytest.raises(BadInput, match="missing score"):
        Paired(np.zeros((2, 2)), np.array([[0, np.nan], [0, 0]]))
    with pytest.raises(BadInput, match="at least two items"):
        Paired(np.zeros((1, 2)), np.zeros((1, 2)))


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_the_closed_test_of_bonferroni(seed: int) -> None:
    p = np.random.default_rng(seed).random(5) ** 3
    for i, adjusted in enumerate(holm(p.tolist())):
        groups = [g for size in range(1, 6) for g in combinations(range(5), size) if i in g]
        assert adjusted == pytest.approx(max(min(1, len(g) * min(p[j] for j in g)) for g in groups))


def test_holm_by_hand_keeps_the_order_and_refuses_what_is_no_p_value() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([]) == []
    for wrong in (1.1, -0.1, float("nan")):
        with pytest.raises(BadInput, match="no p-value"):
            holm([0.5, wrong])


def test_holm_holds_the_rate_of_any_false_alarm() -> None:
    p = np.random.default_rng(6).random((4000, 6))
    alarms = np.mean([min(holm(row.tolist())) <= 0.05 for row in p])
    assert alarms == pytest.approx(1 - (1 - 0.05 / 6) ** 6, abs=0.012)


def test_the_items_needed_give_the_power_asked_for() -> None:
    sd, difference, level = 0.4, 0.03, 0.05 / 7
    n = items_needed([sd], difference, level)
    normal = NormalDist()
    power = [1 - normal.cdf(normal.inv_cdf(1 - level / 2) - difference * sqrt(k) / sd) for k in (n - 1, n)]
    assert power[0] < 0.8 <= power[1]
    assert reach(0.05) == pytest.approx(1.959964 + 0.841621, abs=1e-5)


def test_the_items_needed_over_tasks_are_those_of_the_mean_of_tasks() -> None:
    sds, difference = [0.2, 0.5, 0.3], 0.02
    n = items_needed(sds, difference, 0.05)
    error = sqrt(sum(sd**2 / n for sd in sds)) / 3
    assert reach(0.05) * error == pytest.approx(difference, rel=0.01)
    assert detectable(sds, [n] * 3, 0.05) == pytest.approx(reach(0.05) * error)
    assert items_needed([0.3], detectable([0.3], [500], 0.05), 0.05) in (500, 501)
    assert items_needed([0.0], 0.02, 0.05) == 0
    with pytest.raises(BadInput, match="difference of 0"):
        items_needed([0.3], 0, 0.05)
    with pytest.raises(BadInput, match="level 0"):
        reach(0)
