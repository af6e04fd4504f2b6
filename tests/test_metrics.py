"""Answer metrics against independent implementations and hand-made cases."""

from __future__ import annotations

import re
import string
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.errors import BadInput
from surefoot.metrics import METRICS, metric
from surefoot.metrics.answers import exact_match, rouge_l, token_f1
from surefoot.metrics.normalise import normalise

WORDS = ["the", "a", "an", "cat", "sat", "on", "mat", "Mat,", "(on)", "re-run"]
SOME_WORDS = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)


def plain_fold(text: str) -> str:
    """The usual folding of SQuAD answers, written independently for ASCII."""
    bare = text.lower().translate(str.maketrans("", "", string.punctuation))
    return " ".join(word for word in re.split(r"\s+", bare) if word not in ("a", "an", "the", ""))


def lcs(a: list[str], b: list[str]) -> int:
    if not a or not b:
        return 0
    return lcs(a[:-1], b[:-1]) + 1 if a[-1] == b[-1] else max(lcs(a[:-1], b), lcs(a, b[:-1]))


@given(st.text(alphabet=string.ascii_letters + " .,'!-()", max_size=30))
def test_normalising_ascii_without_numbers_is_squads_folding(text: str) -> None:
    folded = plain_fold(text)
    assert normalise(text) == (folded or text.lower().strip())


@given(st.text(max_size=30))
def test_normalising_leaves_no_case_and_no_outer_or_double_blank(text: str) -> None:
    once = normalise(text)
    assert once == once.strip()
    assert once == once.casefold() or text != text.casefold()
    assert exact_match(text, f"  {text} ") == 1.0


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("The  Cat!", "cat"),
        ("A", "a"),
        ("the", "the"),
        ("-5", "-5"),
        ("\u22125 °C", "-5 °c"),
        ("3.5.", "3.5"),
        ("1,000", "1000"),
        ("re-run", "rerun"),
        ("«Straße»", "strasse"),
        ("ｆｕｌｌ ｗｉｄｔｈ。", "full width"),
        ("Ångström", "ångström"),
        ("theatre an", "theatre"),
        ("+", "+"),
        ("", ""),
    ],
)
def test_normalise_folds_by_unicode_and_keeps_numbers_whole(text: str, folded: str) -> None:
    assert normalise(text) == folded


@pytest.mark.parametrize(("a", "b"), [("-5", "5"), ("3.5", "35"), ("A", "The"), ("+", "-"), ("", "a cat")])
def test_exact_match_does_not_join_different_answers(a: str, b: str) -> None:
    assert exact_match(a, b) == 0.0


@given(SOME_WORDS, SOME_WORDS)
def test_token_f1_is_the_harmonic_mean_of_precision_and_recall(a: str, b: str) -> None:
    p, r = normalise(a).split(), normalise(b).split()
    rest, common = list(r), 0
    for word in p:
        if word in rest:
            rest.remove(word)
            common += 1
    expected = 1.0 if p == r else 0.0 if not common else 2 / (len(p) / common + len(r) / common)
    assert token_f1(a, b) == pytest.approx(expected)
    assert token_f1(a, b) == token_f1(b, a)


@settings(max_examples=40)
@given(SOME_WORDS, SOME_WORDS)
def test_rouge_l_is_the_f_measure_of_the_longest_common_subsequence(a: str, b: str) -> None:
    p, r = (re.findall("[a-z]+", text.lower()) for text in (a, b))
    common = lcs(p, r)
    assert rouge_l(a, b) == pytest.approx(2 * common / (len(p) + len(r)) if common else 0.0)


def test_rouge_l_equals_the_library_on_ascii_and_sees_other_scripts() -> None:
    from rouge_score.rouge_scorer import RougeScorer

    a, b = "The cat sat, re-running on 2 mats", "a cat was running on 2 mats"
    assert rouge_l(a, b) == RougeScorer(["rougeL"]).score(b, a)["rougeL"].fmeasure
    assert rouge_l("мама мыла раму", "мама мыла окно") == pytest.approx(2 / 3)


def test_the_best_accepted_answer_counts_and_none_at_all_is_refused() -> None:
    f1 = METRICS["token_f1"]
    assert f1.score("red car", ["blue bus", "red car park"]) == pytest.approx(0.8)
    assert METRICS["accuracy"].score("B", ["A"]) == 0.0
    assert METRICS["accuracy"].score(" B\n", ["B"]) == 1.0
    for each in METRICS.values():
        with pytest.raises(BadInput, match=each.name):
            each.score("x", [])


def test_every_metric_gives_one_to_the_answer_itself_and_says_what_it_is() -> None:
    for name, each in METRICS.items():
        assert each.score("Paris is big", ["Paris is big"]) == pytest.approx(1.0)
        assert each.score("zebra", ["Paris is big"]) == 0.0
        assert (each.name, each.direction) == (name, "higher")
        assert each.citation
        assert each.graded == (0 < each.score("Paris is", ["Paris is big"]) < 1)


def test_an_unknown_metric_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(BadInput, match='Did you mean "rouge_l"'):
        metric("rougel")


def test_listing_metrics_does_not_load_rouge() -> None:
    import subprocess

    code = "import sys, surefoot.metrics; sys.exit('rouge_score' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
