"""The phrasing summary read off rows of models whose behaviour is known."""

# Test models share one signature, and most look at a part of it only.
# ruff: noqa: ARG001, ARG005

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from surefoot.errors import BadInput
from surefoot.probes.class_comparison import compare_classes
from surefoot.probes.phrasing.summary import PhrasingSummary, summarise
from surefoot.runs.rows import ROW_SCHEMA
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction

Answer = Callable[[Task, Instruction, Example], str | None]
OPTIONS = ("p", "q")
ITEMS = 60
KLASSES = ("right",) * 6 + ("negated",) * 4 + ("nonsense",) * 4 + ("incorrect",) * 4


def make_task(name: str = "t", klasses: Sequence[str] = KLASSES, items: int = ITEMS, **settings: Any) -> Task:
    examples = tuple(Example(f"e{i}", {"input": str(i)}, OPTIONS, i % 2) for i in range(items))
    wordings = tuple(Instruction(f"w{j}", f"do {j}", klass, frame=f"f{j % 3}") for j, klass in enumerate(klasses))
    return Task(name, settings.pop("kind", "multiple_choice"), examples, wordings, **settings)


def row(task: Task, wording: Instruction, example: Example, outcome: str | None, **more: Any) -> dict[str, Any]:
    score = None if outcome == "unparsed" else float(outcome == "right")
    cell = {"model": "m", "task": task.name, "wording": wording.id, "klass": wording.klass, "frame": wording.frame}
    rest = {"item": example.id, "recheck": False, "outcome": outcome, "score": score, "truncated": False}
    return {**cell, **rest, **more}


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=ROW_SCHEMA)


def answers(answer: Answer, *tasks: Task) -> pa.Table:
    """A table of what `answer` gives; None leaves the cell out."""
    cells = [(t, w, e, answer(t, w, e)) for t in tasks for w in t.wordings for e in t.examples]
    return table([row(t, w, e, outcome) for t, w, e, outcome in cells if outcome is not None])


def finding(answer: Answer, *tasks: Task) -> PhrasingSummary:
    return summarise(answers(answer, *tasks), tasks, "m", True, resamples=300)


def right_if(condition: bool) -> str:
    return "right" if condition else "wrong"


def random_answers(seed: int, chance: Callable[[Instruction], float]) -> Answer:
    rng = np.random.default_rng(seed)
    return lambda t, w, e: right_if(rng.random() < chance(w))


def ignorer(task: Task, wording: Instruction, example: Example) -> str:
    return right_if(int(example.id[1:]) % 10 < 8)


def oracle(task: Task, wording: Instruction, example: Example) -> str:
    return right_if(wording.is_right or (wording.klass != "negated" and int(example.id[1:]) % 2 == 0))


def test_a_model_that_answers_the_same_under_every_wording_is_flagged() -> None:
    summary = finding(ignorer, make_task("t"), make_task("u"))
    task = summary.tasks[0]
    assert summary.guard.raised
    assert task.guard.raised
    assert "may ignore" in summary.guard.sentence
    assert task.guard.drop_negated is not None
    assert (task.guard.drop_negated.value, task.guard.drop_negated.high) == pytest.approx((0.0, 0.0))
    assert task.guard.threshold == pytest.approx((0.8 - 0.5) / 2)
    assert task.spread is not None
    assert (task.spread.sd.value, task.spread.range, task.spread.noise_sd) == pytest.approx((0.0, 0.0, 0.0))
    assert task.spread.p_value == 1.0
    assert task.flip_rate == task.pair_flip_rate == 0.0


def test_an_oracle_that_obeys_negation_is_not_flagged() -> None:
    summary = finding(oracle, make_task())
    guard = summary.guard
    assert not guard.raised
    assert "depends on its instruction" in guard.sentence
    assert guard.drop_negated is not None
    assert guard.drop_nonsense is not None
    assert guard.drop_incorrect is not None
    assert guard.drop_negated.value == pytest.approx(1.0)
    assert guard.drop_nonsense.value == pytest.approx(0.5)
    assert summary.mean.value == summary.mean.low == 1.0


def test_a_drop_under_nonsense_alone_is_enough_and_one_under_incorrect_alone_is_not() -> None:
    def reads(klass: str) -> Answer:
        return lambda t, w, e: right_if(w.klass != klass)

    assert not finding(reads("nonsense"), make_task()).guard.raised
    assert finding(reads("incorrect"), make_task()).guard.raised


def test_of_a_coin_nothing_can_be_said() -> None:
    for seed in range(5):
        guard = finding(random_answers(seed, lambda w: 0.5), make_task()).guard
        assert not guard.raised
        assert "nothing can be said" in guard.sentence
        assert "chance (50.0 %)" in guard.sentence


def test_without_negated_or_nonsense_wordings_nothing_can_be_said() -> None:
    guard = finding(ignorer, make_task(klasses=["right"] * 3)).guard
    assert not guard.raised
    assert "no negated and no nonsense" in guard.sentence
    assert guard.drop_negated is None


def test_the_guard_over_tasks_averages_the_drops_of_the_tasks_that_have_the_class() -> None:
    plain = make_task("plain", ["right"] * 3)
    summary = finding(oracle, make_task("full"), plain)
    assert summary.guard.drop_negated is not None
    assert summary.guard.drop_negated.value == pytest.approx(1.0)


def test_a_model_right_under_half_of_the_wordings_has_the_known_spread() -> None:
    summary = finding(lambda t, w, e: right_if(int(w.id[1:]) % 2 == 0), make_task(klasses=["right"] * 6))
    task = summary.tasks[0]
    assert task.spread is not None
    assert task.spread.sd.value == pytest.approx(math.sqrt(6 * 0.25 / 5))
    assert (task.spread.range, task.spread.worst.accuracy.value, task.spread.best.accuracy.value) == (1.0, 0.0, 1.0)
    assert task.spread.p_value == 1 / 1000
    assert task.flip_rate == 1.0
    assert task.pair_flip_rate == pytest.approx(2 * 3 * 3 / (6 * 5))
    shares = {share.source: share.share.value for share in task.variance}
    assert shares["item"] == shares["residual"] == 0.0
    assert summary.mean_sd == task.spread.sd.value


def test_a_spread_of_item_noise_alone_is_not_taken_for_more() -> None:
    task = make_task(klasses=["right"] * 12, items=100)
    summaries = [finding(random_answers(seed, lambda w: 0.7), task).tasks[0].spread for seed in range(8)]
    found = [spread for spread in summaries if spread is not None]
    assert np.mean([spread.sd.value for spread in found]) == pytest.approx(math.sqrt(0.21 / 100), rel=0.15)
    assert np.mean([spread.noise_sd for spread in found]) == pytest.approx(math.sqrt(0.21 / 100), rel=0.05)
    assert min(spread.p_value for spread in found) > 0.01
    assert max(spread.p_value for spread in found) > 0.3


def test_flip_rates_equal_counting_all_pairs() -> None:
    task = make_task(klasses=["right"] * 4, items=12)
    rng = np.random.default_rng(0)
    drawn = rng.choice(["right", "wrong", "unparsed", "missing"], (12, 4)).tolist()
    drawn[0] = ["right", "missing", "missing", "missing"]

    def answer(t: Task, w: Instruction, e: Example) -> str | None:
        outcome: str = drawn[int(e.id[1:])][int(w.id[1:])]
        return None if outcome == "missing" else outcome

    seen = [[outcome == "right" for outcome in item if outcome != "missing"] for item in drawn]
    several = [item for item in seen if len(item) > 1]
    summary = finding(answer, task).tasks[0]
    assert summary.flip_rate == pytest.approx(np.mean([len(set(item)) == 2 for item in several]))
    assert summary.pair_flip_rate == pytest.approx(
        np.mean([np.mean([a != b for a, b in combinations(item, 2)]) for item in several])
    )
    assert [list(item.outcomes) for item in summary.flips] == [item for item in drawn if set(item) != {"missing"}]
    rates = {item.item: item.right_rate for item in summary.flips}
    assert rates["e0"] == 1.0


def test_an_unparsed_answer_is_counted_and_is_not_right_while_a_missing_cell_counts_for_nothing() -> None:
    def answer(t: Task, w: Instruction, e: Example) -> str | None:
        i = int(e.id[1:])
        return None if w.id == "w1" and i >= 30 else "unparsed" if i < 15 else "right"

    summary = finding(answer, make_task())
    first, second = summary.tasks[0].wordings[:2]
    assert (first.items, first.unparsed, first.accuracy.value) == (60, 15, 0.75)
    assert (second.items, second.unparsed, second.accuracy.value) == (30, 15, 0.5)
    assert summary.unparsed == 15 * len(KLASSES)
    assert summary.mean.value == pytest.approx((5 * 0.75 + 0.5) / 6)


def test_unparsed_only_is_zero_and_counted_and_json_has_no_nan() -> None:
    summary = finding(lambda t, w, e: "unparsed", make_task())
    assert (summary.mean.value, summary.unparsed, summary.rows) == (0.0, 60 * len(KLASSES), 60 * len(KLASSES))
    assert not summary.guard.raised
    json.dumps(summary.to_dict(), allow_nan=False)


def test_wordings_without_cells_stay_in_the_table_as_nan_and_null_in_json() -> None:
    summary = finding(lambda t, w, e: None if w.id in ("w0", "w7") else "right", make_task())
    task = summary.tasks[0]
    assert [w.id for w in task.wordings] == [w.id for w in make_task().wordings]
    assert math.isnan(task.wordings[0].accuracy.value)
    assert task.wordings[0].items == 0
    assert {score.klass: score.wordings for score in task.classes} == {
        "right": 5,
        "incorrect": 4,
        "negated": 3,
        "nonsense": 4,
    }
    plain = summary.to_dict()
    assert plain["tasks"][0]["wordings"][0]["accuracy"]["value"] is None
    json.dumps(plain, allow_nan=False)


def test_means_over_tasks_are_unweighted() -> None:
    small, large = make_task("small", items=20), make_task("large", items=60)
    summary = finding(lambda t, w, e: right_if(t.name == "small"), small, large)
    assert summary.mean.value == 0.5
    assert [score.mean.value for score in summary.classes] == [0.5] * 4
    assert summary.items == 80


def test_the_mean_over_independent_tasks_is_known_more_exactly_than_each() -> None:
    tasks = [make_task(f"t{k}", ["right"] * 2) for k in range(9)]
    summary = finding(lambda t, w, e: right_if(int(e.id[1:]) % 2 == 0), *tasks)
    width = summary.mean.high - summary.mean.low
    assert width == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(9 * ITEMS), rel=0.25)
    assert summary.classes[0].mean == summary.mean


def test_wilson_is_used_for_choices_and_the_bootstrap_for_graded_answers() -> None:
    example = Example("e0", {"input": "x"}, answers=("a",))
    wordings = make_task(klasses=["right"] * 2).wordings
    examples = tuple(Example(f"e{i}", example.fields, answers=("a",)) for i in range(40))
    task = Task("g", "generation", examples, wordings, metric="token_f1")
    rows = [row(task, w, e, "wrong", score=0.25 + 0.5 * (i % 2)) for w in wordings for i, e in enumerate(examples)]
    summary = summarise(table(rows), [task], "m", True, resamples=300)
    accuracy = summary.tasks[0].wordings[0].accuracy
    assert accuracy.value == pytest.approx(0.5)
    assert accuracy.high - accuracy.low == pytest.approx(2 * 1.96 * 0.25 / math.sqrt(40), rel=0.2)
    choice = finding(lambda t, w, e: right_if(int(e.id[1:]) % 2 == 0), make_task()).tasks[0].wordings[0].accuracy
    assert choice.high - choice.low == pytest.approx(0.2455, abs=1e-3)
    silent = [{**rows[0], "outcome": "unparsed", "score": None}, *rows[1:]]
    lowered = summarise(table(silent), [task], "m", True, resamples=50).tasks[0].wordings[0]
    assert (lowered.accuracy.value, lowered.unparsed) == (pytest.approx(0.5 - 0.25 / 40), 1)
    rows[0]["score"] = None
    with pytest.raises(BadInput, match="no score"):
        summarise(table(rows), [task], "m", True)


def test_the_order_of_rows_and_of_tasks_changes_nothing() -> None:
    t, u = make_task("t"), make_task("u")
    rows = answers(random_answers(0, lambda w: 0.7), t, u)
    mixed = rows.take(pa.array(np.random.default_rng(1).permutation(rows.num_rows)))
    one, other = (summarise(data, [t, u], "m", True, resamples=200) for data in (rows, mixed))
    assert one.to_dict() == other.to_dict()
    swapped = summarise(rows, [u, t], "m", True, resamples=200)
    assert [swapped.to_dict()["tasks"][i] for i in (1, 0)] == one.to_dict()["tasks"]
    assert summarise(rows, [t, u], "m", True, seed=1, resamples=200).to_dict() != one.to_dict()


def test_rechecked_cells_are_compared_and_counted_nowhere_else() -> None:
    task = make_task(items=4, klasses=["right"] * 2)
    w, e = task.wordings[0], task.examples
    firsts = [row(task, v, x, "right", predicted="p", option_scores=[-1.0, -2.0]) for v in task.wordings for x in e]
    again = [
        row(task, w, e[0], "right", predicted="p", option_scores=[-1.0, -2.25], recheck=True),
        row(task, w, e[1], "wrong", predicted="q", option_scores=[-2.0, -0.5], recheck=True),
        row(task, w, e[2], "right", predicted="p", option_scores=[-1.0, -2.0], recheck=True),
    ]
    summary = summarise(table([*again, *firsts]), [task], "m", False, resamples=50)
    assert (summary.noise.rechecked, summary.noise.changed) == (3, 1)
    assert summary.noise.largest_score_change == 1.5
    assert (summary.rows, summary.mean.value, summary.complete) == (8, 1.0, False)
    alone = summarise(table([*again, *firsts[1:]]), [task], "m", True, resamples=50)
    assert (alone.noise.rechecked, alone.noise.largest_score_change) == (2, 1.5)


def test_rows_that_do_not_fit_the_task_are_refused_by_name() -> None:
    task = make_task()
    good = row(task, task.wordings[0], task.examples[0], "right")
    for change, named in (
        ({"item": "e99"}, 'item "e99"'),
        ({"wording": "w99"}, 'wording "w99"'),
        ({"task": "x"}, 'task "x"'),
        ({"item": "e1", "outcome": "rigth"}, 'outcome "rigth"'),
    ):
        with pytest.raises(BadInput, match=named):
            summarise(table([good, {**good, **change}]), [task], "m", True)
    with pytest.raises(BadInput, match="a cell twice"):
        summarise(table([good, good]), [task], "m", True)
    with pytest.raises(BadInput, match='no row of the model "n"'):
        summarise(table([good]), [task], "n", True)
    negated = row(task, task.wordings[7], task.examples[0], "right")
    with pytest.raises(BadInput, match="right wording"):
        summarise(table([negated]), [task], "m", True)


def test_truncated_prompts_are_counted() -> None:
    task = make_task(klasses=["right"] * 2, items=5)
    cells = [(w, e) for w in task.wordings for e in task.examples]
    rows = [row(task, w, e, "right", truncated=e.id == "e0") for w, e in cells]
    summary = summarise(table(rows), [task], "m", True, resamples=50)
    assert (summary.truncated, summary.tasks[0].wordings[0].truncated) == (2, 1)


def test_two_classes_have_the_planted_gap_and_their_own_spreads() -> None:
    klasses = ["observed"] * 4 + ["unobserved"] * 4
    tasks = [make_task(f"t{k}", klasses) for k in range(5)]
    other = make_task("other", ["observed", "right"])

    def answer(t: Task, w: Instruction, e: Example) -> str:
        return right_if(int(e.id[1:]) % 10 < (8 if w.klass == "observed" else int(w.id[1:])))

    rows = answers(answer, *tasks, other)
    found = compare_classes(rows, [*tasks, other], "m", "observed", "unobserved", resamples=200)
    assert found.mean.left_mean == pytest.approx(0.8)
    assert found.mean.right_mean == pytest.approx((4 + 5 + 6 + 7) / 40)
    assert found.mean.right_sd == pytest.approx(float(np.std([0.4, 0.5, 0.6, 0.7], ddof=1)))
    assert found.mean.left_sd == pytest.approx(0)
    assert found.gap.value == pytest.approx(0.55 - 0.8)
    assert found.gap.low < found.gap.value < found.gap.high < 0
    assert (found.sign.negative, found.sign.one_sided) == (5, pytest.approx(1 / 32))
    assert found.skipped == ("other",)
    back = compare_classes(rows, [*tasks, other], "m", "unobserved", "observed", resamples=200)
    assert back.gap.value == pytest.approx(-found.gap.value)
    assert back.gap.low == pytest.approx(-found.gap.high)


def test_a_comparison_of_classes_that_are_not_there_is_refused() -> None:
    rows = answers(ignorer, make_task())
    with pytest.raises(BadInput, match='"seen" is not a class'):
        compare_classes(rows, [make_task()], "m", "seen", "right")
    with pytest.raises(BadInput, match='both "observed" and "right"'):
        compare_classes(rows, [make_task()], "m", "observed", "right")
