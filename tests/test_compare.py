"""Comparisons of two readings and more against closed forms, and the refusal of runs that do not ask the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binomtest

import surefoot
from compared import Made, coins, made
from surefoot.comparison.align import rectangle
from surefoot.errors import BadInput
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.reading import Reading
from surefoot.stats.power import detectable, items_needed
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.text.prompt import Prompt

N = 40
EXAMPLES = tuple(Example(str(n), {"input": f"item {n}."}, ("yes", "no"), 0) for n in range(N))
WORDINGS = (
    Instruction("a", "A {{ input }}"),
    Instruction("b", "B {{ input }}"),
    Instruction("n", "N {{ input }}", "negated"),
)
TASK = Task("t", "binary", EXAMPLES, WORDINGS, fixed_options=True)


def script(right: Callable[[str, int], bool], name: str = "m") -> ScriptedModel:
    def answer(prompt: Prompt, _: object) -> str:
        wording, _, item = prompt.text.partition(" item ")
        return "yes" if right(wording, int(item.rstrip("."))) else "no"

    return ScriptedModel(answer, name=name)


def reading(right: Callable[[str, int], bool], task: Task = TASK, name: str = "m") -> Reading:
    return surefoot.probe("phrasing", script(right, name), task, recheck=0.1)


# The numbers


def test_runs_that_are_alike_show_no_difference() -> None:
    one, other = (reading(lambda _, n: n % 3 == 0) for _ in range(2))
    change = surefoot.compare(one, other).overall
    assert (change.mean.difference.value, change.mean.difference.low, change.mean.difference.high) == (0, 0, 0)
    assert change.mean.p_value == 1
    assert change.verdict == "no difference shown"
    assert change.needed.items is None


def test_the_difference_is_the_mean_over_cells_of_right_wordings() -> None:
    before = reading(lambda w, n: w == "A" and n < 10)  # 10 of 80 right cells
    after = reading(lambda _, n: n < 30, name="steady")  # 60 of 80
    (change,) = surefoot.compare(before, after).tasks
    assert change.mean.before == 10 / 80
    assert change.mean.after == 60 / 80
    assert change.mean.difference.value == pytest.approx(50 / 80)
    assert change.verdict == "better"
    assert surefoot.compare(after, before).overall.verdict == "worse"
    assert change.sd_before == pytest.approx((10 / N) / 2**0.5)
    assert change.sd_after == 0
    assert change.worst is not None
    assert (change.worst.before, change.worst.after) == (0, 30 / N)
    assert (change.worst_before, change.worst_after) == ("b", "a")


def test_the_interval_of_the_mean_is_that_of_paired_items() -> None:
    before, after = reading(lambda _, n: n >= 8), reading(lambda *_: True)  # d = 1 on 8 of 40 items
    interval = surefoot.compare(before, after).overall.mean.difference
    half = 1.96 * (0.2 * 0.8 / N) ** 0.5
    assert interval.low == pytest.approx(0.2 - half, abs=0.03)
    assert interval.high == pytest.approx(0.2 + half, abs=0.03)


def test_eight_items_gained_and_none_lost_have_the_p_value_of_eight_heads() -> None:
    mean = surefoot.compare(reading(lambda _, n: n >= 8), reading(lambda *_: True)).overall
    assert mean.mean.p_value == pytest.approx(2 / 2**8)  # all 256 exchanges are listed
    assert mean.mcnemar.gained == 8
    assert mean.mcnemar.p_value == pytest.approx(2 / 2**8)


def test_mcnemar_counts_the_items_whose_majority_of_wordings_changed() -> None:
    before = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0]] * 4)
    after = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [1, 1, 0], [1, 0, 0]] * 4)
    found = surefoot.compare(made({"t": before}), made({"t": after})).overall.mcnemar
    assert (found.gained, found.lost) == (8, 4)
    assert found.p_value == pytest.approx(binomtest(4, 12).pvalue)


def test_the_spread_is_the_standard_deviation_with_item_noise_taken_out() -> None:
    before, after = coins(60, 6, np.linspace(0.2, 0.9, 6), 1), coins(60, 6, 0.5, 2)
    spread = surefoot.compare(made({"t": before}), made({"t": after})).overall.spread
    assert spread is not None

    def beyond(y: np.ndarray) -> float:
        rest = y - y.mean(axis=1, keepdims=True) - y.mean(axis=0) + y.mean()
        noise = (rest**2).sum() / (59 * 5) / 60
        return max(0.0, np.var(y.mean(axis=0), ddof=1) - noise) ** 0.5

    assert spread.before == pytest.approx(beyond(before))
    assert spread.after == pytest.approx(beyond(after))
    assert spread.difference.value == pytest.approx(beyond(after) - beyond(before))
    assert spread.verdict == "better"
    assert surefoot.compare(made({"t": after}), made({"t": before})).overall.spread.verdict == "worse"


def test_one_right_wording_has_a_mean_and_no_spread() -> None:
    change = surefoot.compare(made({"t": coins(30, 1)}), made({"t": coins(30, 1, 0.9, 1)})).overall
    assert change.spread is None
    assert change.worst is None
    assert change.mean.verdict == "better"


def test_unparsed_answers_and_missing_scores_count_as_not_right() -> None:
    before = coins(20, 2, 1.0)
    after = before.copy()
    after[:5] = np.nan
    found = surefoot.compare(made({"t": before}), made({"t": after}))
    assert found.overall.mean.after == 0.75
    assert any("0 (0.0" in warning and "10 (25.0" in warning for warning in found.pairs[0].warnings)


def test_wordings_that_ask_for_something_else_do_not_count() -> None:
    change = surefoot.compare(reading(lambda *_: True), reading(lambda w, _: w != "N")).overall
    assert change.mean.difference.value == 0


def test_tasks_weigh_the_same_whatever_their_size() -> None:
    small = replace(TASK, name="s", examples=EXAMPLES[:4])
    before = surefoot.probe("phrasing", ScriptedModel(lambda *_: "no"), [TASK, small])
    after = surefoot.probe("phrasing", ScriptedModel(lambda w, _: "yes" if " item " in w.text else "no"), [TASK, small])
    found = surefoot.compare(before, after)
    assert found.overall.mean.difference.value == 1
    assert {change.task: change.items for change in found.tasks} == {"t": N, "s": 4}
    half = made({"t": np.ones((40, 2)), "s": np.zeros((4, 2))}), made({"t": np.zeros((40, 2)), "s": np.zeros((4, 2))})
    assert surefoot.compare(*half).overall.mean.difference.value == -0.5


def test_the_items_needed_follow_from_the_observed_variance_and_the_corrected_level() -> None:
    before = {"t": coins(50, 4, 0.5, 1), "u": coins(20, 4, 0.5, 2)}
    after = {"t": coins(50, 4, 0.5, 3), "u": coins(20, 4, 0.5, 4)}
    found = surefoot.compare(made(before), made(after), detect=5.0)
    sds = [float(np.std((after[t] - before[t]).mean(axis=1), ddof=1)) for t in "tu"]
    assert found.overall.needed.items == items_needed(sds, 0.05, 0.05)
    assert found.overall.needed.detectable == pytest.approx(detectable(sds, [50, 20], 0.05))
    assert found.tasks[1].needed.items == items_needed(sds[1:], 0.05, 0.05 / 2)
    assert "5.0 points takes" in found.pairs[0].sentences[0]


def test_p_values_are_corrected_over_tasks_and_models() -> None:
    base = {name: coins(40, 3, 0.5, k) for k, name in enumerate("abc")}
    others = [{name: coins(40, 3, 0.6, 10 * m + k) for k, name in enumerate("abc")} for m in (1, 2)]
    found = surefoot.compare(made(base, model="x"), *(made(s, model=f"m{i}") for i, s in enumerate(others)))
    assert [pair.after for pair in found.pairs] == ["m0", "m1"]
    lines = [change.mean for pair in found.pairs for change in pair.tasks]
    ordered = sorted(lines, key=lambda effect: effect.p_value)
    assert len(ordered) == 6
    assert ordered[0].p_corrected == pytest.approx(6 * ordered[0].p_value)
    assert ordered[1].p_corrected == pytest.approx(max(6 * ordered[0].p_value, 5 * ordered[1].p_value))
    both = sorted((pair.overall.mean for pair in found.pairs), key=lambda effect: effect.p_value)
    assert both[0].p_corrected == pytest.approx(min(1, 2 * both[0].p_value))
    assert found.pairs[0].tasks[0].needed.level == 0.05 / 6


def test_the_order_of_rows_and_the_other_tasks_change_nothing() -> None:
    one, other = ({"t": coins(30, 4, 0.5, k), "u": coins(20, 4, 0.7, k)} for k in (1, 2))
    klasses, hole = ["right", "right", "right", "negated"], [("t", "w1", "3")]
    before, after = made(one, klasses, drop=hole), made(other, klasses, drop=hole)
    order = np.random.default_rng(0).permutation(after.rows.num_rows)
    shuffled = replace(after, rows=after.rows.take(order))
    assert surefoot.compare(before, shuffled) == surefoot.compare(before, after)
    alone = surefoot.compare(*(made({"t": scores["t"]}, klasses, drop=hole) for scores in (one, other)))
    first = surefoot.compare(before, after).tasks[0]
    assert alone.tasks[0].mean.p_value == first.mean.p_value
    assert alone.tasks[0].mean.difference == first.mean.difference
    assert surefoot.compare(before, after, seed=1) != surefoot.compare(before, after)


def test_exchanging_before_and_after_turns_every_difference_around() -> None:
    klasses = ["right", "right", "right", "negated"]
    one, other = (
        made({t: coins(25, 4, c, s) for t, s in (("t", k), ("u", k + 2))}, klasses) for k, c in ((1, 0.4), (5, 0.7))
    )
    there, back = surefoot.compare(one, other).pairs[0], surefoot.compare(other, one).pairs[0]
    opposite = {"better": "worse", "worse": "better"}
    for a, b in zip((there.overall, *there.tasks), (back.overall, *back.tasks), strict=True):
        effects = zip(
            (a.mean, a.spread, a.worst, a.classes[0].drop), (b.mean, b.spread, b.worst, b.classes[0].drop), strict=True
        )
        for forth, again in effects:
            assert forth is not None
            assert again is not None
            assert again.difference.value == pytest.approx(-forth.difference.value)
            assert again.difference.low == pytest.approx(-forth.difference.high)
            assert (again.p_value, again.p_corrected) == (forth.p_value, forth.p_corrected)
            assert again.verdict == opposite.get(forth.verdict, forth.verdict)
        assert (a.mcnemar.gained, a.mcnemar.lost) == (b.mcnemar.lost, b.mcnemar.gained)


# Items, classes, noise


def test_items_are_listed_by_what_they_lost_worst_first() -> None:
    before = np.array([[1, 1, 1], [1, 1, 1], [0, 0, 0], [1, 0, 0], [1, 1, 1]])
    after = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 1], [0, 1, 0], [1, 1, 1]])
    flips = surefoot.compare(made({"t": before}), made({"t": after})).pairs[0].flips
    assert [(flip.item, flip.lost, flip.gained) for flip in flips] == [
        ("1", 3, 0),
        ("0", 1, 0),
        ("3", 1, 1),
        ("2", 0, 2),
    ]
    assert (flips[0].before, flips[0].after) == (1, 0)


def test_every_wording_is_listed_with_its_mean_before_and_after() -> None:
    before, after = coins(20, 3, 0.4, 1), coins(20, 3, 0.8, 2)
    klasses = ["right", "observed", "negated"]
    listed = surefoot.compare(made({"t": before}, klasses), made({"t": after}, klasses)).pairs[0].wordings
    assert [(w.wording, w.klass) for w in listed] == [("w0", "right"), ("w1", "observed"), ("w2", "negated")]
    assert [w.before for w in listed] == pytest.approx(before.mean(axis=0).tolist())
    assert [w.after for w in listed] == pytest.approx(after.mean(axis=0).tolist())


def test_classes_have_their_difference_and_the_change_of_their_drop() -> None:
    klasses = ["right", "right", "negated", "nonsense", "nonsense"]
    before, after = coins(30, 5, 0.5, 1), coins(30, 5, 0.7, 2)
    found = surefoot.compare(made({"t": before}, klasses), made({"t": after}, klasses)).overall
    classes = {one.klass: one for one in found.classes}
    assert list(classes) == ["negated", "nonsense"]
    nonsense = classes["nonsense"]
    assert nonsense.wordings == 2
    assert nonsense.mean.difference.value == pytest.approx(after[:, 3:].mean() - before[:, 3:].mean())
    assert nonsense.drop is not None
    assert nonsense.drop.before == pytest.approx(before[:, :2].mean() - before[:, 3:].mean())
    change = after[:, :2].mean() - after[:, 3:].mean() - nonsense.drop.before
    assert nonsense.drop.difference.value == pytest.approx(change)


def test_observed_and_unobserved_wordings_have_lines_of_their_own_without_a_drop() -> None:
    klasses = ["observed", "unobserved", "unobserved"]
    found = surefoot.compare(made({"t": coins(20, 3)}, klasses), made({"t": coins(20, 3, seed=1)}, klasses)).overall
    assert [(one.klass, one.drop) for one in found.classes] == [("observed", None), ("unobserved", None)]


def test_a_model_that_stops_reading_its_instruction_is_warned_of() -> None:
    obeys = reading(lambda w, n: (n < 36) == (w != "N"))
    ignores = reading(lambda _, n: n < 38, name="steady")
    pair = surefoot.compare(obeys, ignores).pairs[0]
    assert pair.overall.mean.difference.value > 0
    (warning,) = (text for text in pair.warnings if text.startswith("The guard worsened"))
    assert "under negated wordings accuracy dropped by 80.0 points before and by 0.0 after" in warning
    assert not any("guard" in text for text in surefoot.compare(ignores, obeys).pairs[0].warnings)
    no_controls = surefoot.compare(made({"t": coins(9, 2)}), made({"t": coins(9, 2, seed=1)}))
    assert any("no negated or nonsense" in text for text in no_controls.pairs[0].warnings)


def test_the_noise_floor_is_what_changed_when_cells_were_computed_twice_in_either_run() -> None:
    scores = {"t": np.ones((10, 3))}
    after = {"t": np.where(np.arange(30).reshape(10, 3) < 6, 0.0, 1.0)}
    one = made(scores, rechecks={("t", "w0", "1"): "right", ("t", "w1", "2"): "wrong"})
    other = made(after, rechecks={("t", "w2", "9"): "right"})
    noise = surefoot.compare(one, other).pairs[0].noise
    assert (noise.rechecked, noise.changed, noise.cells, noise.moved) == (3, 1, 30, 6)
    klasses = ["right", "right", "negated"]
    noise = surefoot.compare(made(scores, klasses), made(after, klasses)).pairs[0].noise
    assert (noise.rechecked, noise.cells, noise.moved) == (0, 20, 4)
    within = made({"t": np.ones((10, 3))}, rechecks={("t", "w0", str(i)): "wrong" for i in range(5)})
    almost = {"t": np.ones((10, 3))}
    almost["t"][0, 0] = 0
    warnings = surefoot.compare(within, made(almost)).pairs[0].warnings
    assert any("noise of the machine" in text for text in warnings)


# Refusals


def test_different_items_are_refused_with_a_list_of_the_differences() -> None:
    fewer = reading(lambda *_: True, replace(TASK, examples=EXAMPLES[2:]), name="less")
    with pytest.raises(BadInput, match=r'do not hold the same cells: 2 items of "t" only in "m" \("0", "1"\)'):
        surefoot.compare(reading(lambda *_: True), fewer)
    with pytest.raises(BadInput, match=r'2 items of "t" only in "m" \("0", "1"\).*--common'):
        surefoot.compare(fewer, reading(lambda *_: True))


def test_all_differences_are_in_one_sentence_and_long_lists_are_cut() -> None:
    one = made({"t": coins(9, 3), "x": coins(5, 2)}, model="a")
    other = made({"t": coins(4, 4), "y": coins(5, 2), "z": coins(5, 2)}, model="b")
    with pytest.raises(BadInput) as refused:
        surefoot.compare(one, other)
    sentence = str(refused.value)
    for part in (
        '1 task only in "a" ("x")',
        '2 tasks only in "b" ("y", "z")',
        '5 items of "t" only in "a" ("4", "5", "6" and 2 more)',
        '1 wording of "t" only in "b" ("w3")',
    ):
        assert part in sentence


def test_missing_cells_and_changed_contents_are_told_apart() -> None:
    whole = made({"t": coins(5, 3)}, model="a")
    with pytest.raises(BadInput, match='1 cell of "t" only in "a"'):
        surefoot.compare(whole, made({"t": coins(5, 3)}, model="b", drop=[("t", "w1", "3")]))
    with pytest.raises(BadInput, match='the content of "t" is not the same, though the ids are'):
        surefoot.compare(whole, made({"t": coins(5, 3)}, tasks={"t": {"hash": "another"}}))
    moved = tuple(replace(example, fields={"input": f"item {n + 1}."}) for n, example in enumerate(EXAMPLES))
    with pytest.raises(BadInput, match='the content of "t" is not the same'):
        surefoot.compare(reading(lambda *_: True), reading(lambda *_: True, replace(TASK, examples=moved)))


def test_a_run_beside_itself_is_refused(tmp_path: Path) -> None:
    one = reading(lambda *_: True)
    with pytest.raises(BadInput, match="Run 1 and run 2 are one and the same, the same reading"):
        surefoot.compare(one, one)
    surefoot.probe("phrasing", script(lambda *_: True), TASK, out=str(tmp_path / "r"))
    with pytest.raises(BadInput, match="Run 2 and run 3 are one and the same"):
        surefoot.compare(one, tmp_path / "r", f"{tmp_path}/./r/")


def test_different_probes_folders_that_are_no_run_and_odd_settings_are_refused(tmp_path: Path) -> None:
    one = made({"t": coins(5, 2)}, model="a")
    with pytest.raises(BadInput, match='"a" was read by the probe "phrasing" and "b" by "distance"'):
        surefoot.compare(one, made({"t": coins(5, 2)}, model="b", probe="distance"))
    with pytest.raises(BadInput, match="is not a run folder"):
        surefoot.compare(one, tmp_path)
    with pytest.raises(BadInput, match="detect is 0"):
        surefoot.compare(one, made({"t": coins(5, 2)}), detect=0)
    with pytest.raises(BadInput, match="are no answers"):
        surefoot.compare(one, replace(one, rows=one.rows.drop_columns(["score"])))
    both = pa.concat_tables([one.rows, made({"t": coins(5, 2)}, model="b").rows])
    with pytest.raises(BadInput, match="holds rows of 2 models"):
        surefoot.compare(one, replace(one, rows=both))
    with pytest.raises(BadInput, match="hold a cell twice"):
        surefoot.compare(one, replace(one, rows=pa.concat_tables([one.rows, one.rows])))
    with pytest.raises(BadInput, match="no rows yet"):
        surefoot.compare(one, replace(one, rows=one.rows.slice(0, 0)))


# What a model was trained on


def trained(matrix: np.ndarray, items: list[str], wordings: list[str]) -> Made:
    """A run of a model with a treatment that names what it was trained on, as the run record has it."""
    mark = ["soft-align", {"tensors": "0", "trained_on": {"t": {"items": items, "wordings": wordings}}}]
    return made(
        {"t": matrix}, model="b", determinants={"seed": 0, "options": {"treatment 1": mark, "truncate": "error"}}
    )


def test_what_a_model_was_trained_on_is_left_out_and_told() -> None:
    before, after = coins(9, 4, 0.5, 1), coins(9, 4, 0.5, 2)
    run = trained(after, ["0", "1", "2"], ["w3", "made-by-rules"])
    found = surefoot.compare(made({"t": before}, model="a"), run)
    (change,) = found.tasks
    assert (change.items, change.wordings) == (6, 3)
    assert change.mean.difference.value == pytest.approx(after[3:, :3].mean() - before[3:, :3].mean())
    assert any('"b" was trained on 3 items and 1 wording' in text for text in found.pairs[0].warnings)
    (whole,) = surefoot.compare(made({"t": before}, model="a"), run, seen=True).tasks
    assert (whole.items, whole.wordings) == (9, 4)


def test_long_lists_of_training_items_are_counted_among_the_settings() -> None:
    run = trained(coins(9, 4), ["0", "1"], ["w3"])
    settings = {
        name: after for name, _, after in surefoot.compare(made({"t": coins(9, 4, 0.5, 3)}), run).pairs[0].settings
    }
    assert settings["options.treatment 1"] == "soft-align"
    assert settings["options.treatment 1.trained_on"] == "2 items and 1 wordings of 1 tasks"


def test_runs_that_hold_nothing_new_to_the_model_are_refused() -> None:
    run = trained(coins(4, 2), ["0", "1", "2", "3"], [])
    with pytest.raises(BadInput, match=r"All that the two runs share was trained on.*--seen"):
        surefoot.compare(made({"t": coins(4, 2)}, model="a"), run)


# What both runs hold


def test_common_compares_what_both_hold_and_counts_what_is_left_out() -> None:
    whole, other = coins(9, 4, 0.5, 1), coins(9, 4, 0.5, 2)
    one = made({"t": whole, "x": coins(5, 2)}, model="a")
    found = surefoot.compare(one, made({"t": other[:6, :3]}, model="b"), common=True)
    (change,) = found.tasks
    assert (change.items, change.wordings) == (6, 3)
    assert change.mean.difference.value == pytest.approx(other[:6, :3].mean() - whole[:6, :3].mean())
    assert found.pairs[0].left_out == (36 + 10 - 18, 0)
    assert any("28 cells" in text for text in found.pairs[0].warnings)
    assert any('"x"' in text for text in found.pairs[0].warnings)
    assert found.common


def test_common_doubts_changed_contents_and_refuses_other_right_answers() -> None:
    one = made({"t": coins(9, 3)}, model="a")
    doubted = surefoot.compare(one, made({"t": coins(9, 3)}, tasks={"t": {"hash": "another"}}), common=True)
    assert any('content of "t" differs' in text for text in doubted.pairs[0].warnings)
    with pytest.raises(BadInput, match=r'In 27 of the cells .* "t" the right answer is not the same'):
        surefoot.compare(one, made({"t": coins(9, 3)}, gold="no"), common=True)
    with pytest.raises(BadInput, match="share no two items"):
        surefoot.compare(one, made({"u": coins(9, 3)}), common=True)


def test_holes_leave_out_the_items_or_wordings_that_lose_least() -> None:
    holes = [("t", "w2", str(i)) for i in range(1, 9)]  # the last wording had just begun
    one, other = (made({"t": coins(9, 3, 0.5, k)}, model=f"m{k}", drop=holes) for k in (1, 2))
    found = surefoot.compare(one, other)
    assert (found.tasks[0].items, found.tasks[0].wordings) == (9, 2)
    assert found.pairs[0].left_out == (1, 1)
    single = [("t", "w0", "4"), ("t", "w1", "4")]
    found = surefoot.compare(*(made({"t": coins(9, 3, 0.5, k)}, model=f"m{k}", drop=single) for k in (1, 2)))
    assert (found.tasks[0].items, found.tasks[0].wordings) == (8, 3)


@pytest.mark.parametrize("seed", range(8))
def test_the_rectangle_is_complete_and_cannot_be_extended(seed: int) -> None:
    rng = np.random.default_rng(seed)
    present = rng.random((12, 7)) < 0.9
    present[:, 3] = False
    rows, columns = rectangle(present)
    assert present[np.ix_(rows, columns)].all()
    assert 3 not in columns
    assert rows.size * columns.size >= 12
    full = rectangle(np.ones((4, 3), dtype=bool))
    assert [part.tolist() for part in full] == [[0, 1, 2, 3], [0, 1, 2]]
    assert rectangle(np.zeros((4, 3), dtype=bool))[1].size == 0


# Run folders


def test_run_folders_are_compared_without_their_tasks_even_unfinished(tmp_path: Path) -> None:
    def stop(step: object) -> None:
        if step.cells >= 2 * N:  # type: ignore[attr-defined]
            raise KeyboardInterrupt

    before, after = str(tmp_path / "before"), str(tmp_path / "after")
    surefoot.probe("phrasing", script(lambda _, n: n < 10), TASK, out=before)
    with pytest.raises(KeyboardInterrupt):
        surefoot.probe("phrasing", script(lambda _, n: n < 30), TASK, out=after, watch=stop)
    with pytest.raises(BadInput, match=r"1 wording of \"t\" only in .*before"):
        surefoot.compare(before, after)
    found = surefoot.compare(before, after, common=True)
    assert found.overall.mean.difference.value == pytest.approx(20 / N)
    assert found.pairs[0].before == f"m ({before})"
    assert any(f'"{after}" is not finished' in text for text in found.pairs[0].warnings)
    surefoot.probe("phrasing", script(lambda _, n: n < 30), TASK, out=after)
    whole = surefoot.compare(Path(before), after)
    assert whole.overall.mean == found.overall.mean
    assert not any("not finished" in text for text in whole.pairs[0].warnings)
    assert whole.runs[1].path == after


def test_settings_that_differ_are_listed_and_those_beside_the_model_are_warned_of() -> None:
    one = made({"t": coins(5, 2)}, model="a", determinants={"model": {"name": "a"}, "scorer": "sum", "tasks": {"t": 1}})
    other = made({"t": coins(5, 2)}, model="b", determinants={"model": {"name": "b"}, "scorer": "end", "tasks": {}})
    pair = surefoot.compare(one, other).pairs[0]
    assert pair.settings == (("model.name", "a", "b"), ("scorer", "sum", "end"))
    assert any("also differ in scorer (sum, end)" in text for text in pair.warnings)


# What it says


def test_a_comparison_prints_its_verdicts_and_is_json(tmp_path: Path) -> None:
    found = surefoot.compare(reading(lambda *_: False), reading(lambda *_: True, name="steady"))
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert plain["pairs"][0]["after"] == "steady"
    assert plain["pairs"][0]["overall"]["mean"]["difference"]["value"] == 1
    text = str(found)
    assert "after:  steady" in text
    assert "Mean: better, 0.0 to 100.0, +100.0 points" in text
    assert max(map(len, text.splitlines())) <= 110
    assert json.loads(found.save(tmp_path / "x.json").read_text()) == plain


def test_no_difference_shown_says_how_many_items_it_would_take() -> None:
    found = surefoot.compare(made({"t": coins(30, 4, 0.5, 1)}), made({"t": coins(30, 4, 0.5, 2)}))
    assert found.overall.verdict == "no difference shown"
    needed = found.overall.needed
    assert f"to show 2.0 points takes {needed.items:,} items (now 30)" in found.pairs[0].sentences[0]
