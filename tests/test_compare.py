"""Comparisons of two readings against closed forms, and the refusal of different items."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

import surefoot
from surefoot.errors import BadInput
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.reading import Reading
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


def reading(right: Callable[[str, int], bool], task: Task = TASK, name: str = "m") -> Reading:
    def script(prompt: Prompt, _: object) -> str:
        wording, _, item = prompt.text.partition(" item ")
        return "yes" if right(wording, int(item.rstrip("."))) else "no"

    return surefoot.probe("phrasing", ScriptedModel(script, name=name), task, recheck=0.1)


def test_a_run_beside_itself_shows_no_difference() -> None:
    one = reading(lambda _, n: n % 3 == 0)
    change = surefoot.compare(one, one).overall
    assert (change.difference.value, change.difference.low, change.difference.high) == (0, 0, 0)
    assert change.verdict == "no difference shown"


def test_the_difference_is_the_mean_over_cells_of_right_wordings() -> None:
    before = reading(lambda w, n: w == "A" and n < 10)  # 10 of 80 right cells
    after = reading(lambda _, n: n < 30, name="steady")  # 60 of 80
    change = surefoot.compare(before, after).tasks[0]
    assert change.before == 10 / 80
    assert change.after == 60 / 80
    assert change.difference.value == pytest.approx(50 / 80)
    assert change.verdict == "better"
    assert surefoot.compare(after, before).overall.verdict == "worse"
    assert change.spread_before == pytest.approx((10 / N) / 2**0.5)
    assert change.spread_after == 0


def test_the_interval_is_that_of_paired_items() -> None:
    before, after = reading(lambda _, n: n >= 8), reading(lambda *_: True)  # d = 1 on 8 of 40 items
    interval = surefoot.compare(before, after).overall.difference
    half = 1.96 * (0.2 * 0.8 / N) ** 0.5
    assert interval.low == pytest.approx(0.2 - half, abs=0.03)
    assert interval.high == pytest.approx(0.2 + half, abs=0.03)


def test_wordings_that_ask_for_something_else_do_not_count() -> None:
    change = surefoot.compare(reading(lambda *_: True), reading(lambda w, _: w != "N")).overall
    assert change.difference.value == 0


def test_tasks_weigh_the_same_whatever_their_size() -> None:
    small = replace(TASK, name="s", examples=EXAMPLES[:4])
    before = surefoot.probe("phrasing", ScriptedModel(lambda *_: "no"), [TASK, small])
    after = surefoot.probe("phrasing", ScriptedModel(lambda *_: "yes"), [TASK, small])
    assert surefoot.compare(before, after).overall.difference.value == 1
    assert [change.items for change in surefoot.compare(before, after).tasks] == [N, 4]


def test_different_items_are_refused_with_the_first_one_named() -> None:
    fewer = reading(lambda *_: True, replace(TASK, examples=EXAMPLES[1:]))
    with pytest.raises(BadInput, match=r'2 only before, 0 only after \(item "0" of "t" under "a" only before\)'):
        surefoot.compare(reading(lambda *_: True), fewer)
    with pytest.raises(BadInput, match="0 only before, 2 only after"):
        surefoot.compare(fewer, reading(lambda *_: True))


def test_other_items_under_the_same_ids_are_refused() -> None:
    moved = tuple(replace(example, fields={"input": f"item {n + 1}."}) for n, example in enumerate(EXAMPLES))
    with pytest.raises(BadInput, match='"t" are not the same in the two runs, though their ids are'):
        surefoot.compare(reading(lambda *_: True), reading(lambda *_: True, replace(TASK, examples=moved)))


def test_a_comparison_prints_and_is_json() -> None:
    comparison = surefoot.compare(reading(lambda *_: False), reading(lambda *_: True, name="steady"))
    assert json.loads(json.dumps(comparison.to_dict()))["after"] == "steady"
    lines = str(comparison).splitlines()
    assert lines[1] == "after:  steady"
    assert "+100.0" in lines[-1]
    assert lines[-1].endswith("better")
