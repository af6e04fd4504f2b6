"""The context-preference probe on copiers of known loyalty, and its parts against brute force and hand counts."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import product
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import surefoot as sf
import tiny
from surefoot.calibration import calibrate
from surefoot.errors import BadInput
from surefoot.probes.context_preference.calibrations import by_side, copier, first, world
from surefoot.probes.context_preference.filters import AIG, AIR, FILTERS, is_unknown, occurs, sift
from surefoot.probes.context_preference.matching import greedy_match, token_matching
from surefoot.probes.context_preference.null import exchanged, null
from surefoot.probes.context_preference.preference import NONE, diff_gr, preference, source_of
from surefoot.probes.context_preference.probe import ContextPreference
from surefoot.probes.context_preference.reading import short_answer
from surefoot.probes.context_preference.similarity import curve, jaccard, semantic, sentence_jaccard, slice_by
from surefoot.probes.context_preference.splitting import sentence_truncated, sentences_of, truncated, word_count
from surefoot.probes.context_preference.units import Answer, Texts, Unit, order_of, units_of
from surefoot.probes.stored import read_reading
from surefoot.report.context_preference import bar
from surefoot.runs.source import Rows
from surefoot.stats.intervals import Interval
from surefoot.tasks.contexts import CONDITIONS, ContextPair, context_tasks, read_contexts
from surefoot.tasks.lint import lint
from surefoot.tasks.loading import load_tasks
from surefoot.worlds.contexts import mirrored

TEXTS = Texts("Who made it?", "Anna made it, they say.", "It was made by Bert.")


def unit(
    retrieved: str | None = "Anna",
    generated: str | None = "Bert",
    gold: str = "Bert",
    closed: str | None = "Carl",
    hybrid: tuple[str | None, ...] = ("Bert",),
    item: str = "1",
) -> Unit:
    def answer(text: str | None) -> Answer:
        return Answer(text, text == gold)

    names = ("generated-first", "retrieved-first")
    both = {name: answer(text) for name, text in zip(names, hybrid, strict=False)}
    texts = TEXTS._replace(question=f"Who made {item}?")
    return Unit(item, "w", texts, answer(retrieved), answer(generated), answer(closed), both)


# The instrument as a whole


def test_the_readings_of_the_copiers_are_right() -> None:
    assert [line for line in calibrate("context-preference") if not line.ok] == []


def test_a_world_that_always_shows_one_order_is_seen_through_the_first_copier() -> None:
    """Were `retrieved-first` to show the generated context first, the two orders would not cancel."""
    pairs, tasks = world()
    small = [task.sample(30) for task in tasks]
    fixed = [replace(t, examples=small[-1].examples) if t.name == "retrieved-first" else t for t in small]
    readings = [ContextPreference().measure(copier(first, pairs), own).summary for own in (small, fixed)]
    assert [one.preference("all").diff_gr.value for one in readings] == [0, 1]


def test_every_unit_is_counted_once_and_what_is_kept_obeys_the_filters() -> None:
    """By a model that reads three times of four, so that all but two filters have something to drop."""
    reading = ContextPreference().measure(sf.ScriptedModel(scatter, "scatter"), world()[1])
    units = units_of(Rows.of(reading.rows), world()[1], "scatter")
    sifted = sift(units)
    assert sum(one.units for one in reading.summary.counts) == reading.summary.units == len(units) == 128
    assert {one.name: one.units for one in reading.summary.counts} == dict(sifted.counts)
    assert all(count for name, count in sifted.counts.items() if name not in ("unanswered", "both right", "both wrong"))
    for name, own in sifted.kept.items():
        for one in own:
            assert one.generated.is_right == (name == AIG)
            assert one.retrieved.is_right == (name == AIR)
            assert not any(drops(one) for drops in FILTERS.values())


def test_accuracy_lengths_and_similarities_are_means_over_questions_by_loops() -> None:
    """Some questions stand behind two pairs of contexts, others behind one: each counts once in the accuracy."""
    whole = world()[0][:40]
    pairs = {pair.id: pair for pair in (*whole, *(replace(mirrored(one), id=f"{one.id}/turned") for one in whole[:15]))}
    tasks = context_tasks([*pairs.values()])
    reading = ContextPreference(least=1, recheck=0).measure(sf.ScriptedModel(scatter, "scatter"), tasks)
    summary, rows = reading.summary, reading.rows.to_pylist()
    for one in summary.accuracy:
        by_question: dict[str, list[bool]] = {}
        for row in (row for row in rows if row["task"] == one.condition):
            by_question.setdefault(pairs[row["item"]].question, []).append(row["outcome"] == "right")
        assert len({len(own) for own in by_question.values()}) == 2
        assert one.questions == len(by_question)
        assert one.right.value == pytest.approx(
            sum(sum(own) / len(own) for own in by_question.values()) / one.questions
        )
    shown = [*pairs.values()]
    retrieved, generated = ([word_count(getattr(pair, side)) for pair in shown] for side in ("retrieved", "generated"))
    assert summary.lengths.retrieved == pytest.approx(sum(retrieved) / len(shown))
    assert summary.lengths.generated == pytest.approx(sum(generated) / len(shown))
    assert summary.lengths.difference == pytest.approx((sum(generated) - sum(retrieved)) / sum(retrieved))
    sifted = sift(units_of(Rows.of(reading.rows), tasks, "scatter")).kept
    kept = {unit.item for own in sifted.values() for unit in own}
    for found, similar in zip(summary.curves, (jaccard, sentence_jaccard), strict=False):
        for side in ("retrieved", "generated"):
            each = [similar(pairs[id].question, getattr(pairs[id], side)) for id in kept]
            assert getattr(found, side) == pytest.approx(sum(each) / len(each))
        assert sum(one.preference.units for one in found.slices) == sum(map(len, sifted.values()))
        gaps = [similar(pairs[id].question, pairs[id].generated) for id in kept]
        gaps = [g - similar(pairs[id].question, pairs[id].retrieved) for g, id in zip(gaps, kept, strict=True)]
        assert (found.slices[0].low, found.slices[-1].high) == pytest.approx((min(gaps), max(gaps)))


def test_the_order_of_rows_and_tasks_changes_nothing() -> None:
    tasks = [task.sample(20) for task in world()[1]]
    probe = ContextPreference(least=1)
    reading = probe.measure(copier(by_side("generated"), world()[0]), tasks)
    rows = reading.rows.take(np.random.default_rng(0).permutation(reading.rows.num_rows))
    assert probe.summarise(rows, tasks[::-1], "copier").to_dict() == reading.summary.to_dict()


def scatter(prompt: sf.Prompt, options: Sequence[str]) -> str:
    """Reads three times of four, and says anything else."""
    toss = hashlib.sha256(prompt.text.encode()).digest()[0]
    named = sorted(option for option in options if option in prompt.only("context").text)
    return named[toss % len(named)] if named and toss % 4 else sorted(options)[toss % len(options)]


def test_the_bundled_questions_have_one_right_side_each_and_any_reader_prefers_neither() -> None:
    tasks = {task.name: task for task in load_tasks("contexts")}
    assert tuple(tasks) == CONDITIONS
    assert [finding for task in tasks.values() for finding in lint(task)] == []
    for example, other in zip(tasks["generated"].examples, tasks["retrieved"].examples, strict=True):
        gold = example.options[example.gold or 0]
        assert [occurs(gold, e.fields["background"]) for e in (example, other)].count(True) == 1
    summary = sf.probe("context-preference", sf.ScriptedModel(scatter, "scatter"), least=3, recheck=0).summary
    found = {one.name: one.diff_gr.value for one in summary.sets}
    assert found["all"] == pytest.approx(0, abs=1e-12)
    both = summary.preference("all")
    assert (both.diff_gr.low, both.diff_gr.high) == pytest.approx((0, 0), abs=1e-12)  # no draw of facts can prefer
    assert both.p == 1
    assert {one.questions for one in summary.accuracy} == {60}
    assert found[AIG] == pytest.approx(-found[AIR])
    assert min(one.units for one in summary.counts if one.name in (AIG, AIR)) >= 5


def test_without_its_context_a_prompt_is_the_closed_book_one() -> None:
    tasks = {task.name: task for task in load_tasks("contexts", limit=3)}
    for name in CONDITIONS[1:]:
        for place, wording in enumerate(tasks[name].wordings):
            for example, bare in zip(tasks[name].examples, tasks["closed"].examples, strict=True):
                prompt = tasks[name].query(example, wording).prompt
                closed = tasks["closed"].query(bare, tasks["closed"].wordings[place]).prompt
                assert prompt.without("context").text == closed.text != prompt.text


@pytest.mark.parametrize("order", ["both", "random", "generated-first", "retrieved-first"])
def test_each_order_asks_what_it_should_and_is_complete(order: Any, tmp_path: Path) -> None:
    pairs, tasks = world()
    tasks = tuple(task.sample(16) for task in tasks)
    out = str(tmp_path / "run")
    reading = sf.probe(
        "context-preference", copier(first, pairs), tasks, order=order, seed=3, recheck=0, least=1, out=out
    )
    asked: dict[str, set[str]] = {name: set() for name in CONDITIONS}
    for row in reading.rows.to_pylist():
        asked[row["task"]].add(row["item"])
    ids = {example.id for example in tasks[0].examples}
    coin = {name: {id for id in ids if order_of(id, 3) == name} for name in CONDITIONS[3:]}
    expected = {"both": [ids, ids], "random": [coin["retrieved-first"], coin["generated-first"]]}
    expected |= {"retrieved-first": [ids, set()], "generated-first": [set(), ids]}
    assert [asked[name] for name in CONDITIONS] == [ids, ids, ids, *expected[order]]
    assert min(map(len, coin.values())) >= 4
    assert reading.summary.complete
    short = reading.rows.slice(1)
    assert not ContextPreference(order=order, seed=3, recheck=0).summarise(short, tasks, "copier").complete


def test_a_run_is_read_again_and_reported(tmp_path: Path) -> None:
    pairs = [replace(pair, answers=pair.answers[:1]) for pair in world()[0][:30]]
    path = wrote(tmp_path / "q.jsonl", *(asdict(pair) for pair in pairs))
    model, out = copier(by_side("generated"), pairs), str(tmp_path / "run")
    reading = sf.probe("context-preference", model, f"contexts:{path}", out=out, least=3)
    again = read_reading(out)
    assert again.to_dict() == reading.to_dict()
    text = again.save(tmp_path / "report.html").read_text()
    assert again.summary.sentence() in text
    assert "DiffGR +1.00" in again.summary.sentence()
    assert '<figure class="forest"' in text
    (note,) = [table.note for table in again.summary.tables() if table.title == "Filters"]
    assert all(name in note.lower() for name in FILTERS)
    few = sf.probe("context-preference", model, f"contexts:{path}", least=1000)
    assert few.summary.sentence().startswith("Behind both contexts 100.0 % of the answers come from the generated one")
    without = few.save(tmp_path / "few.html").read_text()
    assert "Too few questions for a figure" in without
    assert '<figure class="forest"' not in without
    for one in (*again.summary.sets, *again.summary.orders):
        said = f"{one.name.removesuffix('-first')}, {one.questions} questions: +1.00 (+1.00 to +1.00)"
        assert f'aria-label="{said}"' in text


@pytest.mark.parametrize(("value", "at"), [(-1.0, "0%"), (0.0, "50%"), (0.5, "75%"), (1.0, "100%")])
def test_the_figure_runs_from_the_retrieved_context_to_the_generated_one(value: float, at: str) -> None:
    found = bar("AIG", 12, Interval(value, -1, 1))
    assert (found.at, found.low, found.high) == (at, "0%", "100%")
    assert found.label == f"AIG, 12 questions: {value:+.2f} (-1.00 to +1.00)"
    assert bar("AIG", 3, NONE).at == ""


# Filters


@pytest.mark.parametrize(
    ("own", "name"),
    [
        ({"retrieved": None}, "unanswered"),
        ({"generated": "It is unknown."}, "untraceable"),
        ({"generated": "unknown"}, "unanswered"),
        ({"generated": "It is not mentioned in the passage"}, "unanswered"),
        ({"retrieved": "Dora"}, "untraceable"),
        ({"generated": "made"}, "both wrong"),
        ({"generated": "Bert was"}, "untraceable"),
        ({"closed": "bert."}, "parametric"),
        ({"closed": "the ANNA"}, "parametric"),
        ({"gold": "Dora"}, "both wrong"),
        ({"retrieved": "it", "generated": "it", "gold": "it"}, "both right"),
        ({}, AIG),
        ({"gold": "Anna"}, AIR),
        ({"closed": None}, AIG),
    ],
)
def test_a_unit_is_dropped_for_its_first_defect(own: dict[str, str | None], name: str) -> None:
    counts = sift([unit(**own)]).counts  # type: ignore[arg-type]
    assert {key: count for key, count in counts.items() if count} == {name: 1}


def test_without_the_parametric_filter_what_memory_says_is_kept() -> None:
    assert sift([unit(closed="Bert")], parametric=False).counts == {
        "unanswered": 0,
        "untraceable": 0,
        "both right": 0,
        "both wrong": 0,
        AIG: 1,
        AIR: 0,
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, True), ("", True), ("None", True), ("None Such", False), ("I do not know that.", True), ("Anna", False)],
)
def test_answers_that_name_nothing_are_known(text: str | None, expected: bool) -> None:
    assert is_unknown(Answer(text, False)) is expected


WORDS = st.lists(st.sampled_from("abcd"), max_size=6).map(" ".join)


@given(WORDS, WORDS)
def test_occurrence_is_that_of_padded_strings(part: str, text: str) -> None:
    """`a` is an English article and goes from both; padding makes a word sequence a substring."""
    clean = [" ".join(word for word in one.split() if word != "a") or one for one in (part, text)]
    assert occurs(part, text) == (bool(part) and f" {clean[0]} " in f" {clean[1]} ")


# Attribution and DiffGR


def test_an_answer_is_attributed_by_equality_with_context_answers_before_memory() -> None:
    one = unit(closed="Carl")
    said = {"the Bert.": "generated", "ANNA": "retrieved", "Carl": "memory", "Bertha": "other", "": "other"}
    assert {text: source_of(Answer(text, False), one) for text in said} == said
    assert source_of(Answer(None, False), one) == "other"


def test_diff_gr_is_that_of_hand_counts() -> None:
    hybrid = [("Bert", "Bert")] * 3 + [("Anna", "Bert")] * 2 + [("Carl", "Dora")] + [("Anna", "Carl")]
    found = preference("x", [unit(hybrid=own, item=str(i)) for i, own in enumerate(hybrid)], least=1)
    assert (found.questions, found.units, found.decided) == (7, 7, 6)
    shares = (found.generated, found.retrieved, found.memory, found.other)
    assert shares == pytest.approx((4 / 7, 1.5 / 7, 1 / 7, 0.5 / 7))
    assert found.diff_gr.value == pytest.approx((4 - 1.5) / (4 + 1.5))
    assert found.right.value == pytest.approx(4 / 7)
    assert -1 <= found.diff_gr.low < found.diff_gr.value < found.diff_gr.high <= 1


def test_the_interval_is_that_of_an_exact_enumeration_of_resamples() -> None:
    """Four questions for and one against: all 5^5 ways to draw five questions."""
    hybrid = [("Bert",)] * 4 + [("Anna",)]
    found = preference("x", [unit(hybrid=own, item=str(i)) for i, own in enumerate(hybrid)], least=1)
    draws = [sum(drawn) / 5 for drawn in product([1, 1, 1, 1, -1], repeat=5)]
    expected = np.quantile(draws, [0.025, 0.975], method="inverted_cdf").tolist()
    assert (found.diff_gr.low, found.diff_gr.high) == pytest.approx(expected)
    assert expected == pytest.approx([-0.2, 1])


def test_the_interval_leaves_out_of_each_resample_who_took_neither_context() -> None:
    """Two questions for, one against, one undecided: all 4^4 resamples, those without a decided question left out."""
    hybrid = [("Bert",), ("Bert",), ("Anna",), ("Dora",)]
    found = preference("x", [unit(hybrid=own, item=str(i)) for i, own in enumerate(hybrid)], least=1)
    draws = [(d.count(1), d.count(-1)) for d in product([1, 1, -1, 0], repeat=4)]
    expected = np.quantile([(g - r) / (g + r) for g, r in draws if g + r], [0.025, 0.975], method="inverted_cdf")
    assert (found.diff_gr.low, found.diff_gr.high) == pytest.approx(expected.tolist())
    assert found.diff_gr.value == pytest.approx(1 / 3)
    assert expected.tolist() == [-1, 1]
    narrow = [("Bert", "Bert")] * 40 + [("Anna",)] * 4 + [("Dora",)] * 400
    much = preference("x", [unit(hybrid=own, item=str(i)) for i, own in enumerate(narrow)], least=1).diff_gr
    assert much.value == pytest.approx(36 / 44)
    assert much.low < much.value < much.high
    spread = (4 * (40 / 44) * (4 / 44) / 44) ** 0.5  # of 2 p - 1, by the share p of 44 decided ones
    assert much.high - much.low == pytest.approx(2 * 1.96 * spread, rel=0.2)


def test_units_of_a_question_that_differ_count_with_their_mean() -> None:
    units = [unit(item="0"), replace(unit(item="0", hybrid=("Anna",)), item="0/again"), unit(item="1")]
    found = preference("x", units, least=1)
    assert (found.questions, found.generated, found.retrieved) == (2, 0.75, 0.25)
    assert found.right.value == 0.75
    assert found.diff_gr.value == 0.5


def test_diff_gr_is_nan_where_it_is_undefined_or_stands_on_too_little() -> None:
    assert isnan(diff_gr(0, 0))
    undecided = preference("x", [unit(hybrid=("Dora",))], least=1)
    assert isnan(undecided.diff_gr.value)
    assert undecided.other == 1
    few = [unit(item=str(i)) for i in range(9)]
    assert isnan(preference("x", few, least=10).diff_gr.value)
    assert preference("x", [*few, unit(item="9")], least=10).diff_gr.value == 1
    assert isnan(preference("x", [*few, unit(item="9", hybrid=("Dora",))], least=10).p)  # nine are decided
    assert isnan(preference("x", [unit(hybrid=())], least=1).generated)


def test_a_question_behind_several_pairs_of_contexts_is_one_question() -> None:
    """Copies under other ids are no further evidence: only the number of units changes."""
    hybrid = [("Bert",)] * 7 + [("Anna",)] * 4
    units = [unit(hybrid=own, item=str(i)) for i, own in enumerate(hybrid)]
    copies = [replace(one, item=f"{one.item}/again") for one in units]
    once, twice = preference("x", units, least=1), preference("x", [*units, *copies], least=1)
    assert (once.units, twice.units) == (11, 22)
    assert replace(twice, units=11) == once


@pytest.mark.parametrize("hybrid", [[("Bert",)] * 5 + [("Anna",)] * 2, [("Bert", "Anna"), ("Bert",), ("Anna", "Anna")]])
def test_the_p_value_is_that_of_all_ways_to_exchange_the_sides(hybrid: list[tuple[str, ...]]) -> None:
    found = preference("x", [unit(hybrid=own, item=str(i)) for i, own in enumerate(hybrid)], least=1)
    each = [(own.count("Bert") - own.count("Anna")) / len(own) for own in hybrid]
    sums = [
        abs(sum(sign * one for sign, one in zip(signs, each, strict=True)))
        for signs in product((1, -1), repeat=len(each))
    ]
    assert found.p == pytest.approx(sum(one >= abs(sum(each)) for one in sums) / len(sums))


# Where there is no preference


def test_an_exchanged_unit_is_what_the_exchanged_pair_is_read_as() -> None:
    """The pair with its contexts on the other side each is asked the same prompts in the other order."""
    pairs = world()[0][:20]
    read = {}
    for name, own in (("as they are", pairs), ("exchanged", tuple(replace(mirrored(p), id=p.id) for p in pairs))):
        tasks = context_tasks(own)
        rows = ContextPreference(recheck=0).measure(sf.ScriptedModel(scatter, "scatter"), tasks).rows
        read[name] = units_of(Rows.of(rows), tasks, "scatter")
    assert tuple(map(exchanged, read["as they are"])) == read["exchanged"] != read["as they are"]
    assert tuple(map(exchanged, read["exchanged"])) == read["as they are"]


def test_exchanged_data_have_the_spread_of_their_signs() -> None:
    """By hand: n decided questions of one sign each give a mean of n signs, whose deviation is 1 / sqrt(n)."""
    units = [unit(item=str(i), hybrid=("Bert", "Bert")) for i in range(25)]
    found = null(units, tosses=400)
    assert (found.questions, found.tosses) == (25, 400)
    assert found.sd == pytest.approx(1 / 5, rel=0.1)
    assert found.outside.value <= 0.1


def test_what_asks_the_same_is_exchanged_by_one_coin_whatever_blanks_stand_around_it() -> None:
    units = [unit(item=str(i), hybrid=("Bert", "Bert" if i % 3 else "Anna")) for i in range(12)]
    copies = [replace(one, texts=one.texts._replace(question=f" {one.texts.question}\n")) for one in units]
    assert null([*units, *copies], tosses=60) == null(units, tosses=60)


def test_sides_are_not_exchanged_where_one_order_was_asked() -> None:
    with pytest.raises(BadInput, match='"3" was not asked in both orders; measure with order=both'):
        null([unit(item="3")])
    with pytest.raises(BadInput, match="there is no unit"):
        null([])


# Similarity


@given(st.lists(st.sampled_from("bcde"), max_size=6), st.lists(st.sampled_from("bcde"), max_size=6))
def test_jaccard_is_that_of_brute_force(left: list[str], right: list[str]) -> None:
    found = jaccard(" ".join(left).upper() + ".", " ".join(right))
    union = [word for word in "bcde" if word in left or word in right]
    if union and right:
        assert found == sum(word in left and word in right for word in union) / len(union)
    assert found == jaccard(" ".join(right), " ".join(left).upper() + ".")


def test_the_best_sentence_is_the_best_of_all_sentences() -> None:
    context = "Rain fell. Bert made it himself, who else? Who made it is known! Nobody."
    every = [jaccard("Who made it?", sentence) for sentence in sentences_of(context)]
    assert len(every) == 4
    assert sentence_jaccard("Who made it?", context) == max(every) == every[2]
    assert sentence_jaccard("Who made it?", "") == 0


class Letters:
    """Encodes a text as the unit vector of its counts of letters."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        counts = np.array([[text.lower().count(chr(97 + i)) for i in range(26)] for text in texts], dtype=np.float64)
        return np.asarray(counts / np.linalg.norm(counts, axis=1, keepdims=True))


def test_the_semantic_measure_is_the_largest_cosine_over_sentences() -> None:
    texts = {"1": Texts("abc", "Aab. Ccb!", "Zzz. Abc.")}
    found = semantic(texts, Letters())
    vectors = Letters().encode(["abc", "Aab.", "Ccb!", "Abc."])
    expected = (max(float(vectors[0] @ vectors[1]), float(vectors[0] @ vectors[2])), float(vectors[0] @ vectors[3]))
    assert found == {"1": pytest.approx(expected)}


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.lists(st.integers(0, 5), min_size=1, max_size=5))
def test_matched_orthogonal_tokens_give_the_harmonic_mean_of_the_shares_found(
    left: list[int], right: list[int]
) -> None:
    """Closed form: with orthogonal vectors a token's best match is 1 if it is in the other text, else 0."""
    precision, recall = (np.mean([t in b for t in a]) for a, b in ((right, left), (left, right)))
    expected = 2 * precision * recall / (precision + recall) if precision + recall else 0
    assert greedy_match(np.eye(6)[left], np.eye(6)[right]) == pytest.approx(expected)


def test_matched_tokens_are_those_of_brute_force_and_nothing_matches_no_token() -> None:
    rng = np.random.default_rng(0)
    one, other = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (rng.normal(size=(n, 3)) for n in (4, 7)))
    recall = sum(max(sum(x * y for x, y in zip(a, b, strict=True)) for b in other) for a in one) / 4
    precision = sum(max(sum(x * y for x, y in zip(a, b, strict=True)) for a in one) for b in other) / 7
    assert greedy_match(one, other) == pytest.approx(2 * precision * recall / (precision + recall))
    assert greedy_match(one, one) == pytest.approx(1)
    assert greedy_match(one, other[:0]) == 0


def test_the_best_sentence_is_the_best_match_of_tokens() -> None:
    class Words:
        def token_vectors(self, texts: Sequence[str]) -> list[np.ndarray]:
            known = ["who", "made", "it", "rain", "fell", "bert"]
            return [np.eye(6)[[known.index(w) for w in re.findall("[a-z]+", text.lower())]] for text in texts]

    found = token_matching({"1": Texts("Who made it?", "Rain fell. It made rain.", "Bert fell.")}, Words())
    assert found["1"] == pytest.approx((2 / 3, 0))


def test_slices_have_equal_counts_and_hold_every_question_once_in_order() -> None:
    units = [unit(item=str(i)) for i in range(10)] * 2
    gaps = {str(i): (i * 7 % 10) / 10 for i in range(10)}
    slices = slice_by(gaps, units, 4, least=1)
    assert [one.preference.questions for one in slices] == [3, 3, 2, 2]
    assert [one.preference.units for one in slices] == [6, 6, 4, 4]
    assert [(one.low, one.high) for one in slices] == [(0, 0.2), (0.3, 0.5), (0.6, 0.7), (0.8, 0.9)]
    random.Random(0).shuffle(units)
    assert slice_by(gaps, units, 4, least=1) == slices


def test_a_gap_is_how_much_nearer_the_generated_context_is() -> None:
    found = curve("m", {"0": (0.1, 0.6), "1": (0.5, 0.2)}, [unit(item=str(i)) for i in range(2)], 2, least=1)
    assert [one.low for one in found.slices] == pytest.approx([0.2 - 0.5, 0.6 - 0.1])
    assert (found.retrieved, found.generated) == pytest.approx((0.3, 0.4))


# Reading and cutting texts


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is: Bert.", "Bert"),
        ("\nAnswer: Bert\nMore", "Bert"),
        ("Bert.", "Bert"),
        ("The answer is", "The answer is"),
        ("St. Bert", "St. Bert"),
    ],
)
def test_a_written_answer_is_read_without_its_lead(text: str, answer: str) -> None:
    assert short_answer(text) == answer


SENTENCES = st.lists(st.sampled_from(["It rained.", "Who knows?", "Bert's 3.5 tons fell", "No!"]), max_size=6)


@given(SENTENCES.map(" ".join), st.integers(0, 15))
def test_a_cut_text_is_a_beginning_within_the_limit_and_the_other_kind_ends_a_sentence(text: str, limit: int) -> None:
    cut, whole = truncated(text, limit), sentence_truncated(text, limit)
    assert text.startswith(cut)
    assert text.startswith(whole)
    assert word_count(cut) == min(limit, word_count(text))
    assert word_count(whole) <= limit
    assert whole in ("", text.strip()) or whole[-1] in ".?!"
    ends = [i for i, char in enumerate(f"{text} ") if char == " " and text[i - 1 : i] in ".?!" and text[:i]]
    assert len(whole) >= max((end for end in ends if word_count(text[:end]) <= limit), default=0)  # the longest such
    assert len(whole) <= max(len(cut), len(text) if word_count(text) <= limit else 0, len(cut) + 1)


# Bad input

LINE = {"question": "Who?", "answers": ["Bert"], "retrieved": "Anna did.", "generated": "Bert did."}


def wrote(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def test_a_file_of_questions_is_asked_and_written_answers_are_read(tmp_path: Path) -> None:
    path = wrote(tmp_path / "q.jsonl", LINE, {**LINE, "id": "b", "retrieved": "Bert did.", "generated": "Carl did."})
    answers = {"Anna did.": "The answer is Anna.", "Bert did.": "Answer: Bert", "Carl did.": "Carl.", "": "Zoe"}

    def script(prompt: sf.Prompt, _: object) -> str:
        shown = prompt.only("context").text
        return next(said for text, said in answers.items() if text in shown)

    reading = sf.probe("context-preference", sf.ScriptedModel(script), f"contexts:{path}", least=1)
    assert [pair.id for pair in read_contexts(path)] == ["1", "b"]
    assert {one.name: one.units for one in reading.summary.counts if one.units} == {AIG: 2, AIR: 2}
    assert [one.diff_gr.value for one in reading.summary.sets] == [-1, -1, -1]
    assert [one.right.value for one in reading.summary.sets] == [0, 1, 0.5]


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"retrieved": ""}, 'line 1: a question needs "retrieved"'),
        ({"answers": []}, 'line 1: a question needs "answers"'),
        ({"answers": "Bert"}, 'line 1: "answers" is "Bert", which is not a list'),
        ({"option": ["x"]}, 'unknown key "option". Did you mean "options"?'),
        ({"options": ["Anna", "Carl"]}, 'Of the options of "1" 0 are right answers'),
        ({"options": ["Bert", "the bert"]}, 'Of the options of "1" 2 are right answers'),
        ({"generated": ["x"]}, 'line 1: "generated" is ["x"], which is not text'),
    ],
)
def test_a_bad_line_is_named(change: dict[str, object], part: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        load_tasks(f"contexts:{wrote(tmp_path / 'q.jsonl', {**LINE, **change})}")
    assert part in str(caught.value)


def test_questions_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"has no questions; write at least one line"):
        read_contexts(wrote(tmp_path / "q.jsonl"))
    pair = ContextPair("1", "Who?", ("Bert",), "Anna did.", "Bert did.")
    with pytest.raises(BadInput, match='Two questions have the id "1"'):
        context_tasks([pair, pair])
    with pytest.raises(BadInput, match='"1" has no options and others have'):
        context_tasks([pair, replace(pair, id="2", options=("Bert", "Anna"))])


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"order": "rndom"}, '"rndom" is not an order of contexts. Did you mean "random"?'),
        ({"least": 0}, "least is 0"),
        ({"slices": 0}, "slices is 0"),
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(BadInput) as caught:
        sf.probe("context-preference", tiny.causal(), "contexts", limit=2, **settings)
    assert part in str(caught.value)


def test_tasks_that_are_no_conditions_or_lack_one_are_refused() -> None:
    with pytest.raises(BadInput, match='"reviews" is no condition of the context-preference probe'):
        sf.probe("context-preference", tiny.causal(), "demo/reviews", limit=2)
    with pytest.raises(BadInput, match='"retrieved" is not among closed, generated'):
        sf.probe("context-preference", tiny.causal(), ["contexts/closed", "contexts/generated"], limit=2)


def test_the_warnings_name_what_is_too_little() -> None:
    tasks = [task.sample(8) for task in world()[1]]
    found = ContextPreference(order="generated-first").measure(copier(first, world()[0]), tasks[1:]).summary
    told = " ".join(found.warnings())
    for part in ("fewer than 10", "closed book", "generated-first alone"):
        assert part in told
