"""The unanswerable probe's numbers from cells, against loops over the cells: rates, AUC, operating point, shift."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import inf, isnan, nan
from statistics import fmean, variance

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import surefoot as sf
from surefoot.probes.unanswerable.baselines import baseline_lines
from surefoot.probes.unanswerable.calibrations import world
from surefoot.probes.unanswerable.cells import Cell, line
from surefoot.probes.unanswerable.curve import operating_curve
from surefoot.probes.unanswerable.scores import Asked, chance
from surefoot.probes.unanswerable.shift import shifts
from surefoot.stats.auc import Area, auc, mean_area
from surefoot.tasks.nomiracl import ABSENT, PRESENT

SIZES = {("answerable", "en"): 7, ("answerable", "th"): 3, ("unanswerable", "en"): 4, ("unanswerable", "th"): 11}
WORDINGS = ("plain", "role")


def cells(seed: int, margin: Callable[[random.Random], float]) -> list[Cell]:
    """Random answers to questions of two languages, as many as `SIZES` says, under two wordings; one scale each."""
    rng = random.Random(seed)
    return [
        Cell(subset, wording, language, f"{subset}/{language}/{i}", rng.choice((0, 1, -1)), margin(rng) + 100 * place)
        for (subset, language), n in SIZES.items()
        for i in range(n)
        for place, wording in enumerate(WORDINGS)
    ]


def share(found: Sequence[Cell], subset: str, said: int) -> float:
    """The mean over languages of the mean over items of the share of an item's answers that say this."""
    shares = []
    for language in ("en", "th"):
        own = [c for c in found if (c.subset, c.language) == (subset, language)]
        shares.append(fmean(fmean(c.said == said for c in own if c.item == item) for item in {c.item for c in own}))
    return fmean(shares)


@pytest.mark.parametrize("seed", range(5))
def test_every_rate_of_a_line_is_that_of_counting_by_hand(seed: int) -> None:
    found = cells(seed, lambda rng: float(rng.randint(-3, 3)))
    found += [c._replace(wording=f"{c.wording}/again", margin=nan) for c in found[: 3 * seed]]  # asked more often
    one = line("all", found, 0)
    assert (one.unanswerable, one.answerable) == (15, 10)
    rates = (one.hallucination, one.invalid_unanswerable, one.error, one.invalid_answerable)
    wanted = (("unanswerable", 0), ("unanswerable", -1), ("answerable", 1), ("answerable", -1))
    for rate, (subset, said) in zip(rates, wanted, strict=True):
        assert rate.value == pytest.approx(share(found, subset, said))
        assert rate.low <= rate.value <= rate.high
    rng = random.Random(seed)
    assert line("all", rng.sample(found, len(found)), 0).hallucination.value == pytest.approx(one.hallucination.value)


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_of_each_language_and_wording_and_the_operating_point_of_each_wording(seed: int) -> None:
    """Languages and wordings that lie on other scales are never compared with each other."""
    found = [
        c._replace(margin=c.margin + 50 * (c.language == "th")) for c in cells(seed, lambda rng: rng.randint(-3, 3))
    ]
    one = line("all", found, 0)

    def margins(subset: str, wording: str, language: str = "") -> list[float]:
        own = (c for c in found if (c.subset, c.wording) == (subset, wording))
        return [c.margin for c in own if not language or c.language == language]

    areas = [
        fmean(
            (p > n) + (p == n) / 2
            for p in margins("answerable", wording, language)
            for n in margins("unanswerable", wording, language)
        )
        for language in ("en", "th")
        for wording in WORDINGS
    ]
    assert one.auc.value == pytest.approx(fmean(areas))
    least = []
    for wording in WORDINGS:
        no, yes = margins("unanswerable", wording), margins("answerable", wording)
        allowed = [t for t in (*no, *yes, inf) if fmean(m > t for m in no) <= 0.1]
        least.append(min(fmean(m <= t for m in yes) for t in allowed))
    assert one.error_at_tenth == pytest.approx(fmean(least))


def test_the_operating_point_may_hallucinate_exactly_as_often_as_is_allowed() -> None:
    """Ten unanswerable margins 0 to 9, an answerable one at 8.5: above 8 there is a tenth, and the answerable one."""
    found = [Cell("unanswerable", "w", "en", f"u{m}", 1, float(m)) for m in range(10)]
    found += [Cell("answerable", "w", "en", "a", 0, 8.5)]
    assert line("all", found, 0).error_at_tenth == 0
    assert line("all", [*found, Cell("unanswerable", "w", "en", "u10", 1, 10.0)], 0).error_at_tenth == 1
    written = [c._replace(margin=nan) for c in found]
    assert isnan(line("all", written, 0).error_at_tenth)


def test_infinite_margins_stand_between_the_ends_of_the_curve() -> None:
    curve = operating_curve(np.array([-inf, 0.0]), np.array([inf, -inf]))
    assert (curve.hallucination[0], curve.error[0], curve.hallucination[-1], curve.error[-1]) == (1, 0, 0, 1)
    assert curve.area == pytest.approx(fmean((1 / 2, 0, 1, 0)))  # ties of -inf, 0 and inf count by rank


COLUMNS = st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=7)


@given(COLUMNS, COLUMNS)
def test_value_and_variance_of_auc_are_delongs_by_loops(
    positive: list[tuple[int, int]], negative: list[tuple[int, int]]
) -> None:
    """Structural components (DeLong et al. 1988) of each item, averaged over the two columns of scores."""

    def ahead(p: tuple[int, int], n: tuple[int, int]) -> float:
        return fmean((a > b) + (a == b) / 2 for a, b in zip(p, n, strict=True))

    v = [fmean(ahead(p, n) for n in negative) for p in positive]
    w = [fmean(ahead(p, n) for p in positive) for n in negative]
    found = auc(np.array(positive, dtype=float), np.array(negative, dtype=float))
    assert found.value == pytest.approx(fmean(v))
    if min(len(v), len(w)) > 1:
        assert found.variance == pytest.approx(variance(v) / len(v) + variance(w) / len(w))
    else:
        assert isnan(found.variance)


def test_the_interval_of_an_area_ends_at_zero_and_one() -> None:
    high, low = mean_area([Area(0.95, 0.01)]), mean_area([Area(0.05, 0.01)])
    assert (high.high, low.low) == (1, 0)
    assert high.low == pytest.approx(0.95 - 1.959964 * 0.1, abs=1e-6)
    assert low.high == pytest.approx(0.05 + 1.959964 * 0.1, abs=1e-6)


def test_the_shift_is_of_the_wordings_that_both_sides_have_and_p_of_all_signs() -> None:
    """Three questions; the second side of the first lacks a wording, whose huge margin must not count."""
    margins = {"a": (4.0, 1.0), "b": (2.0, 1.5), "c": (1.0, 2.0)}
    found = [Cell("answerable", "extra", "en", "a", 0, 1000.0), Cell("removed", "other", "en", "b", 1, -1000.0)]
    for item, (with_it, without) in margins.items():
        for place, wording in enumerate(WORDINGS):
            found += [
                Cell("answerable", wording, "en", item, 0, with_it + place),
                Cell("removed", wording, "en", item, -place, without - place),  # neither counts as not present
            ]
    (away,) = shifts(found, 0)
    differences = [with_it - without + 1 for with_it, without in margins.values()]
    assert (away.name, away.items) == ("answer taken away", 3)
    assert away.log_odds.value == pytest.approx(fmean(differences))
    assert away.log_odds.low >= min(differences)
    assert away.log_odds.high <= max(differences)
    assert away.present.value == pytest.approx(0.5)  # present under both wordings with it, under one without
    signs = [abs(a + b + c) for a in (-4, 4) for b in (-1.5, 1.5) for c in (0,)]
    assert away.p == pytest.approx(sum(one >= 5.5 for one in signs) / len(signs))
    assert shifts([c for c in found if c.item == "a"], 0) == ()


def test_groups_and_the_correlation_are_of_hallucination_by_resources() -> None:
    """Of the world's languages English has most passages and Swahili fewest: it hallucinates, English errs."""

    def answer(prompt: sf.Prompt, _: object) -> str:
        number = int(prompt.only("input").text.partition("of q")[2].partition("?")[0])
        language = ("en", "sw", "th")[number // 2 % 3]
        if number % 2 == 0:  # answerable
            return ABSENT if language == "en" else PRESENT
        return PRESENT if language == "sw" or (language == "th" and number % 4 == 1) else ABSENT

    found = sf.probe("unanswerable", sf.ScriptedModel(answer), list(world()), answering="generate", recheck=0).summary
    by_language = {one.name: one.hallucination.value for one in found.languages}
    assert by_language == {"en": 0, "sw": 1, "th": pytest.approx(0.5)}
    groups = {one.name: (one.hallucination.value, one.error.value) for one in found.groups}
    assert groups == {"high": (0, 1), "low": (pytest.approx(0.75), 0)}
    assert found.spearman == pytest.approx(-1)
    assert found.overall.hallucination.value == pytest.approx(0.5)


def test_the_random_score_is_spread_from_zero_to_one() -> None:
    drawn = sorted(chance(Asked(f"q{n}?", ("passage",))) for n in range(400))
    assert max(abs(x - (n + 0.5) / 400) for n, x in enumerate(drawn)) < 0.08  # Kolmogorov's bound at 1 %
    assert chance(Asked("q?", ("a", "b"))) == chance(Asked("q?", ("a", "b"))) != chance(Asked("q?", ("b", "a")))


def test_readers_of_a_base_rate_of_none_never_say_present_and_of_all_always() -> None:
    for task in world():
        lines = {one.name: one for one in baseline_lines([task], "words", 0)}
        for name in ("random", "overlap", "retrieval"):
            rate = lines[name].error if task.name == "answerable" else lines[name].hallucination
            assert rate.value == 0, (task.name, name)
