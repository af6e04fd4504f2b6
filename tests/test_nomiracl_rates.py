"""Reading judgements, rates of known models, and the published rates from the stored texts."""

from __future__ import annotations

import csv
import gzip
import json
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from surefoot.errors import BadInput
from surefoot.probes.unanswerable.judgement import JUDGEMENTS, judgement
from surefoot.probes.unanswerable.rates import (
    HIGH_RESOURCE,
    PASSAGES,
    Counts,
    counts,
    macro,
    macro_interval,
    with_resources,
)
from surefoot.reproductions import reproduce
from surefoot.reproductions.nomiracl import LANGUAGES, cells, expected, read_outputs
from surefoot.tasks.nomiracl import ABSENT, PRESENT

DATA = Path(__file__).parents[2] / "shared" / "data" / "nomiracl"
needs_data = pytest.mark.skipif(
    not (DATA / "outputs.jsonl.gz").is_file(), reason="the reference data (nomiracl) is not beside the checkout"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Yes, answer is present", "present"),
        ("YES, ANSWER IS PRESENT.", "present"),
        ("\nYes, answer\nis present in [2].", "present"),
        ("I don't know", "absent"),
        ("I DON'T KNOW. The contexts do not say.", "absent"),
        ("i don't\nknow", "absent"),
        ("I don\u2019t know.", "absent"),
        ("Yes, answer is present. I don't know", "invalid"),
        ("I don't know. Yes, answer is present. Yes, answer is present.", "present"),
        ("I don't know, I don't know; yes, answer is present", "invalid"),
        ("The answer is present in the third context.", "present"),
        ("The answer is not present.", "absent"),
        ("The answer is present, no: answer is not present", "present"),
        ("[3]", "present"),
        ("[3]\n", "present"),
        ("[10]", "present"),
        ("[1], [2]", "present"),
        ("[1], [12]", "present"),  # nine characters
        ("[10], [12]", "invalid"),  # ten
        ("[1], [2], [3]", "invalid"),
        ("[three]", "invalid"),
        ("3", "invalid"),
        ("[ 3 ]", "invalid"),
        ("", "invalid"),
        ("Yes", "invalid"),
        ("No", "invalid"),
        ("Yes answer is present", "present"),
        ("I do not know", "invalid"),
        ("\u6211\u4e0d\u77e5\u9053", "invalid"),
        ("\u0623\u0646\u0627 \u0644\u0627 \u0623\u0639\u0631\u0641 I don't know", "absent"),
        ("\u7b54\u6848\uff1aYes, answer is present\u3002", "present"),
    ],
)
def test_the_table_of_readings(text: str, said: str) -> None:
    assert judgement(text) == said


def test_the_released_rule_never_counts_and_reads_plain_apostrophes_only() -> None:
    assert judgement(f"{PRESENT}. {PRESENT}. {ABSENT}", "released") == "invalid"
    assert judgement("I don\u2019t know", "released") == "invalid"
    assert judgement(ABSENT, "released") == "absent"
    assert judgement("YES, ANSWER\nIS PRESENT", "released") == "present"
    with pytest.raises(BadInput, match=r'"relesed" is not a rule .*"released"'):
        judgement("", "relesed")  # type: ignore[arg-type]


@given(st.text(alphabet="abc \n[]0123456789", max_size=30), st.text(alphabet="xyz \n", max_size=30))
def test_one_string_decides_whatever_stands_around_it(before: str, after: str) -> None:
    assert judgement(f"{before}{PRESENT.upper()}{after}") == "present"
    assert judgement(f"{before}{ABSENT}{after}") == "absent"


@given(st.lists(st.sampled_from(JUDGEMENTS), max_size=40))
def test_shares_of_a_subset_sum_to_one_and_an_empty_one_has_none(said: list[str]) -> None:
    found = counts(said)  # type: ignore[arg-type]
    shares = [found.share(one) for one in JUDGEMENTS]
    assert all(map(isnan, shares)) if not said else sum(shares) == pytest.approx(1)
    assert list(found) == [said.count(one) for one in JUDGEMENTS]


def test_a_model_that_always_says_present_hallucinates_always() -> None:
    assert Counts(present=50).share("present") == 1
    assert Counts(present=50).share("absent") == 0


def test_the_two_naming_schemes_name_the_same_shares() -> None:
    """By subset, 60 unanswerable: FP 24, FN 36; 40 answerable: TP 30, TN 10. Usually TN and FN change places."""
    unanswerable, answerable = Counts(24, 36), Counts(30, 10)
    assert unanswerable.share("present") == 24 / (24 + 36)
    assert answerable.share("absent") == 10 / (10 + 30)


def test_the_macro_average_weighs_languages_alike_and_leaves_empty_ones_out() -> None:
    assert macro({"en": 0.5, "sw": 0.1, "th": float("nan")}) == pytest.approx(0.3)
    assert macro({"en": 0.9, "sw": 0.0, "th": 0.0}) == pytest.approx(0.3)
    assert isnan(macro({"th": float("nan")}))


def test_the_interval_of_the_macro_average_has_the_width_that_its_variance_says() -> None:
    """Var of the mean of two languages' shares: (p q / n + p' q' / n') / 4."""
    items = {"en": np.repeat([1.0, 0.0], [80, 320]), "sw": np.repeat([1.0, 0.0], [50, 50]), "th": np.array([])}
    found = macro_interval(items, 4000, np.random.default_rng(0))
    se = np.sqrt(0.2 * 0.8 / 400 + 0.5 * 0.5 / 100) / 2
    assert found.value == pytest.approx(0.35)
    assert (found.high - found.low) / (2 * 1.96 * se) == pytest.approx(1, abs=0.06)
    assert isnan(macro_interval({}, 10, np.random.default_rng(0)).value)


def test_the_rank_correlation_with_resources_is_scipys() -> None:
    rates = {language: (7 * i) % 5 / 5 for i, language in enumerate(PASSAGES)}
    found = with_resources({**rates, "xx": 1.0, "yy": float("nan")}, 9999, np.random.default_rng(0))
    right = stats.spearmanr(list(PASSAGES.values()), list(rates.values()))
    assert found.rho == pytest.approx(right.statistic)
    assert found.p == pytest.approx(right.pvalue, abs=0.03)
    without = with_resources({**rates, "th": float("nan")}, 99, np.random.default_rng(0))
    known = [language for language in PASSAGES if language != "th"]
    right = stats.spearmanr([PASSAGES[one] for one in known], [rates[one] for one in known])
    assert without.rho == pytest.approx(right.statistic)
    high = {language for language, passages in PASSAGES.items() if passages >= HIGH_RESOURCE}
    assert high == {"ar", "de", "en", "es", "fa", "fr", "ja", "ru", "zh"}


# The stored outputs


@pytest.mark.data
@needs_data
def test_every_expected_rate_is_recomputed() -> None:
    result = reproduce("nomiracl", str(DATA))
    assert [line for line in result.lines if not line.within] == []
    assert len(result.lines) == 11 * 4 + 5
    assert "Spearman" in str(result)


@pytest.mark.data
@needs_data
def test_all_counts_are_those_of_the_independent_count() -> None:
    found = cells(list(read_outputs(DATA)))
    with (DATA / "rates.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for line in lines:
        own = found[line["subset"], line["lang"], line["model"]]
        assert [*own] == [int(line[name]) for name in ("yes", "dont_know", "invalid")]
    assert len(lines) == len(found) == 297


def write(folder: Path, lines: list[str]) -> Path:
    with gzip.open(folder / "outputs.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write("\n".join(lines))
    return folder


def test_made_outputs_are_counted_by_language_and_averaged_over_languages(tmp_path: Path) -> None:
    models = {name.split()[0] for name in expected()}
    lines = []
    for subset, languages in LANGUAGES.items():
        for place, language in enumerate(languages):
            for said in ([PRESENT] * 3 + [ABSENT]) if place else [ABSENT]:
                lines.append(json.dumps({"subset": subset, "lang": language, "results": dict.fromkeys(models, said)}))
    result = reproduce("nomiracl", str(write(tmp_path, lines)))
    measured = {line.name: line.measured for line in result.lines}
    assert not result.ok
    assert measured["aya-101 hallucination"] == pytest.approx(13 * 0.75 / 14)
    assert measured["aya-101 error"] == pytest.approx((1 + 12 * 0.25) / 13)
    assert measured["gpt-4-azure hallucination en"] == 0.75


def test_data_that_are_no_outputs_are_refused_with_the_line(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no outputs.jsonl.gz"):
        reproduce("nomiracl", str(tmp_path))
    good = json.dumps({"subset": "relevant", "lang": "en", "results": {"m": "I don't know"}})
    with pytest.raises(BadInput, match="line 2 is no stored output"):
        reproduce("nomiracl", str(write(tmp_path, [good, "{}"])))
    with pytest.raises(BadInput, match=r'no non_relevant texts of "m" in ar, bn'):
        reproduce("nomiracl", str(write(tmp_path, [good])))
