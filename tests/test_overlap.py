"""Overlap of word sequences, against tables and brute force; words of a text."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.errors import BadInput
from surefoot.metrics.overlap import (
    common_runs,
    edit_distance,
    longest_common_run,
    longest_common_subsequence,
    overlap,
)
from surefoot.metrics.suffix_automaton import SuffixAutomaton
from surefoot.text.words import words_of

SEQUENCES = st.lists(st.sampled_from("abcd"), max_size=24)


def tables(a: Sequence[str], b: Sequence[str]) -> tuple[int, int, int]:
    """(subsequence, run, edits) by the O(nm) tables."""
    rows, columns = len(a) + 1, len(b) + 1
    sub = [[0] * columns for _ in range(rows)]
    run = [[0] * columns for _ in range(rows)]
    edits = [[i + j if not i or not j else 0 for j in range(columns)] for i in range(rows)]
    for i in range(1, rows):
        for j in range(1, columns):
            same = a[i - 1] == b[j - 1]
            sub[i][j] = sub[i - 1][j - 1] + 1 if same else max(sub[i - 1][j], sub[i][j - 1])
            run[i][j] = run[i - 1][j - 1] + 1 if same else 0
            edits[i][j] = min(edits[i - 1][j - 1] + (not same), edits[i - 1][j] + 1, edits[i][j - 1] + 1)
    return sub[-1][-1], max(map(max, run)), edits[-1][-1]


def pieces(sequence: Sequence[str]) -> set[tuple[str, ...]]:
    n = len(sequence)
    return {tuple(sequence[i:j]) for i in range(n) for j in range(i + 1, n + 1)}


@given(SEQUENCES, SEQUENCES)
def test_all_measures_equal_the_tables_and_are_symmetric(a: list[str], b: list[str]) -> None:
    sub, run, edits = tables(a, b)
    for x, y in ((a, b), (b, a)):
        assert longest_common_subsequence(x, y) == sub
        assert longest_common_run(x, y) == run
        assert edit_distance(x, y) == pytest.approx(edits / max(len(a), len(b), 1))
    assert sub >= run


@given(SEQUENCES)
def test_a_sequence_shares_all_of_itself(a: list[str]) -> None:
    assert longest_common_subsequence(a, a) == longest_common_run(a, a) == len(a)
    assert edit_distance(a, a) == 0


@given(SEQUENCES, SEQUENCES)
def test_matching_statistics_equal_brute_force(a: list[str], b: list[str]) -> None:
    known = pieces(a)
    expected = [
        max((n for n in range(1, j + 2) if tuple(b[j + 1 - n : j + 1]) in known), default=0) for j in range(len(b))
    ]
    assert SuffixAutomaton(a).matching(b).tolist() == expected


@given(SEQUENCES, SEQUENCES, st.integers(1, 4))
def test_maximal_runs_equal_brute_force(text: list[str], reference: list[str], least: int) -> None:
    known, n = pieces(text), len(reference)
    common = {(i, j) for i in range(n) for j in range(i + 1, n + 1) if tuple(reference[i:j]) in known}
    maximal = {(i, j) for i, j in common if j - i >= least and not {(i - 1, j), (i, j + 1)} & common}
    covered = {place for i, j in maximal for place in range(i, j)}
    assert common_runs(text, reference, least) == (len(maximal), len(covered))


def test_long_sequences_of_several_machine_words_equal_the_table() -> None:
    draw = random.Random(1)
    a, b = (draw.choices("abcdefgh", k=k) for k in (333, 517))
    sub, run, _ = tables(a, b)
    assert longest_common_subsequence(a, b) == sub
    assert longest_common_run(a, b) == run


def test_overlap_puts_the_measures_together() -> None:
    found = overlap(["the", "cat", "sat", "on", "the", "old", "mat"], ["a", "cat", "sat", "on", "the", "mat"], least=3)
    assert found == (5, 4, 5 / 6, 1, 4, 2 / 7)


def test_an_empty_text_shares_nothing_and_an_empty_reference_is_refused() -> None:
    assert overlap((), ("a", "b")) == (0, 0, 0.0, 0, 0, 1.0)
    with pytest.raises(BadInput, match="no words"):
        overlap(("a",), ())
    with pytest.raises(BadInput, match="at least 0 words"):
        common_runs(("a",), ("a",), 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("It was the best of times—it was", "it was the best of times it was"),
        ("“Don’t!” she said, DON'T", "dont she said dont"),
        ("a well-known\n\n  ﬁne Straße_1", "a well known fine strasse 1"),
        ("'Tis nobler", "tis nobler"),
        (" … ", ""),
    ],
)
def test_normalised_words_know_no_case_punctuation_or_shape_of_quotes(text: str, words: str) -> None:
    assert words_of(text) == tuple(words.split())


def test_words_as_they_are_are_what_stands_between_blanks() -> None:
    assert words_of("Don’t — stop,\nnow", normalise=False) == ("Don’t", "—", "stop,", "now")
