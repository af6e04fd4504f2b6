"""When FLARE searches and what for, against brute force and by hand."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from surefoot.decoding.rows import Row
from surefoot.retrieval.retriever import Document
from surefoot.treatments.retrieval.flare_calls import (
    FOLLOW_UP,
    NEVER,
    SEARCH,
    SearchBias,
    next_call,
    opening_tokens,
    without_calls,
)
from surefoot.treatments.retrieval.flare_query import interleaved, masked, triggered, uncertain_spans, whole_words

shares = st.lists(st.floats(0, 1), min_size=1, max_size=12)
level = st.floats(0, 1)


def test_a_draft_is_accepted_when_every_token_has_at_least_theta() -> None:
    assert not triggered([0.8, 0.9], 0.8)
    assert triggered([0.79, 0.9], 0.8)


def test_theta_zero_never_searches_and_theta_one_always() -> None:
    assert not triggered([0.0, 0.5], 0.0)
    assert triggered([1.0, 1.0], 1.0)


def test_the_released_rule_searches_at_equality_and_always_at_zero() -> None:
    assert triggered([0.8, 0.9], 0.8, "released")
    assert not triggered([0.81, 0.9], 0.8, "released")
    assert triggered([1.0, 1.0], 0.0, "released")


@pytest.mark.parametrize("rule", ["paper", "released"])
def test_a_draft_without_tokens_needs_nothing(rule: str) -> None:
    assert not any(triggered([], theta, rule) for theta in (0.0, 0.5, 1.0))


@given(shares, level, level)
def test_what_is_searched_for_at_a_low_theta_is_at_a_higher_one(p: list[float], a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert triggered(p, low) <= triggered(p, high)


def test_an_unlikely_token_becomes_a_space() -> None:
    assert masked(["Joe", " Biden", " saw", " Penn", "."], [0.9, 0.9, 0.39, 0.4, 0.1], 0.4) == "Joe Biden  Penn"


@given(shares)
def test_with_beta_zero_the_query_is_the_draft_verbatim(p: list[float]) -> None:
    tokens = [f" w{place}." for place in range(len(p))]
    assert masked(tokens, p, 0.0) == "".join(tokens).strip()


@given(shares, level, level)
def test_what_is_masked_at_a_low_beta_is_at_a_higher_one(p: list[float], a: float, b: float) -> None:
    tokens = [f" w{place}" for place in range(len(p))]
    low, high = (set(masked(tokens, p, beta).split()) for beta in sorted((a, b)))
    assert high <= low
    assert low == {f"w{place}" for place, share in enumerate(p) if share >= min(a, b)}


@given(shares, level, st.integers(1, 7))
def test_two_unlikely_tokens_share_a_span_when_a_chain_of_short_gaps_joins_them(
    p: list[float], beta: float, gap: int
) -> None:
    low = [place for place, share in enumerate(p) if share < beta]
    group = {place: {place} for place in low}
    for _ in low:  # closure by brute force
        for a in low:
            for b in low:
                if abs(a - b) < gap:
                    group[a] |= group[b]
    expected = sorted({(min(own), max(own) + 1) for own in group.values()})
    assert [(span.start, span.stop) for span in uncertain_spans(p, beta, gap)] == expected


def test_by_default_four_positions_apart_are_one_span_and_five_are_two() -> None:
    assert uncertain_spans([0.1, 1, 1, 1, 0.1], 0.5) == [range(5)]
    assert uncertain_spans([0.1, 1, 1, 1, 1, 0.1], 0.5) == [range(1), range(5, 6)]


def test_a_span_is_made_longer_to_whole_words() -> None:
    tokens = ["In", " Penn", "syl", "vania", ",", " he"]
    assert whole_words(tokens, range(2, 3)) == "Pennsylvania"
    assert whole_words(tokens, range(3, 5)) == "Pennsylvania,"
    assert whole_words(tokens, range(5, 6)) == "he"
    assert whole_words(tokens[:4], range(1, 2)) == "Pennsylvania"  # up to the last token


def ranked(ids: str) -> list[Document]:
    return [Document(letter, "", letter) for letter in ids]


def test_rankings_take_turns() -> None:
    assert [document.id for document in interleaved([ranked("abc"), ranked("xay"), ranked("z")], 5)] == list("axzbc")


def test_interleaving_equals_a_sort_by_best_rank_then_list() -> None:
    draw = random.Random(0)
    for _ in range(200):
        rankings = ["".join(draw.sample("abcdefgh", draw.randint(0, 6))) for _ in range(draw.randint(1, 4))]
        k = draw.randint(1, 9)
        best: dict[str, tuple[int, int]] = {
            letter: min((own.index(letter), place) for place, own in enumerate(rankings) if letter in own)
            for letter in set("".join(rankings))
        }
        expected = sorted(best, key=lambda letter: best[letter])[:k]
        assert [document.id for document in interleaved([ranked(own) for own in rankings], k)] == expected


def test_a_call_is_found_however_its_text_is_cut_into_tokens() -> None:
    text = "He was born in [Search(Joe Biden (politician) birth place)] Scranton. [Search(next)]"
    for step in (1, 2, 3, 7):
        seen = ""
        for start in range(0, len(text), step):
            seen += text[start : start + step]
            call = next_call(SEARCH, seen)
            assert (call is not None) == (len(seen) >= text.index("]") + 1)
            if call:
                assert call.query == "Joe Biden (politician) birth place"
                assert seen[call.start : call.end] == text[15 : text.index("]") + 1]


def test_the_search_for_calls_goes_on_behind_the_last_one_and_an_empty_query_is_none() -> None:
    text = "a [Search(x)] b [Search( )] c [Search(y)]"
    first = next_call(SEARCH, text)
    assert first is not None
    assert first.query == "x"
    second = next_call(SEARCH, text, first.end)
    assert second is not None
    assert second.query == "y"
    assert next_call(SEARCH, text, second.end) is None


def test_a_follow_up_line_is_a_call_once_its_line_has_ended() -> None:
    line = "Are follow up questions needed here: Yes.\nFollow up: Who wrote it?"
    assert next_call(FOLLOW_UP, line) is None
    call = next_call(FOLLOW_UP, line + "\nIntermediate")
    assert call is not None
    assert call.query == "Who wrote it?"


def test_calls_are_taken_out_of_the_answer() -> None:
    assert without_calls(SEARCH, "Born in [Search(where)] Rome. [Search(x)]") == "Born in Rome."


def test_only_tokens_that_open_a_call_are_favoured() -> None:
    words = ["a", "[", " [Search", "x[", "]"]
    vocabulary = SimpleNamespace(size=5, decode=lambda ids: "".join(words[i] for i in ids))
    assert opening_tokens(vocabulary) == [1, 2]


def test_the_bias_is_two_and_turns_into_never_for_exactly_the_cool_down() -> None:
    rule = SearchBias([1], [None, 4], cool_down=3)
    logits = torch.zeros(2, 3)
    for length in range(4, 9):
        rows = [Row(0, [0], [0] * length), Row(1, [0], [0] * length)]
        changed = rule(rows, logits)
        assert changed[0].tolist() == [0, 2.0, 0]
        assert changed[1].tolist() == [0, NEVER if length < 7 else 2.0, 0]
    assert not logits.any()
