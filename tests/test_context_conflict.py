"""The context-conflict probe on models whose loyalty is planted, and on runs that stop, go on and are compared."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

import surefoot as sf
import tiny
from command import Place
from surefoot.errors import BadInput
from surefoot.probes import filling
from surefoot.probes.context_conflict.calibrations import SILENCE, Asked, scripted, world
from surefoot.probes.context_conflict.known import digest, known_items, known_of_run
from surefoot.probes.context_conflict.probe import ContextConflict
from surefoot.probes.context_conflict.reading import ending_of, named
from surefoot.probes.context_conflict.summarise import memorisation_ratio
from surefoot.probes.context_conflict.summary import Outcomes
from surefoot.probes.stored import read_reading
from surefoot.runs import read_rows
from surefoot.runs.source import Rows
from surefoot.stats.intervals import Interval, wilson
from surefoot.tasks.loading import load_tasks
from surefoot.tasks.task import Task
from surefoot.worlds.conflicts import conflict_tasks
from surefoot.worlds.fact_files import real_facts
from surefoot.worlds.facts import Fact, FactWorld

SHARE = Interval(0, 0, 0)


def reader(asked: Asked) -> str:
    return asked.stated or asked.remembered


def memory(asked: Asked) -> str:
    return asked.remembered


def small(limit: int = 8) -> tuple[Task, ...]:
    return tuple(task.sample(limit) for task in world())


def rates(summary: Any, name: str) -> tuple[float, float, float]:
    found = summary.condition(name)
    return found.right.value, found.wrong.value, found.other.value


# Reading an answer

PARIS = ("Paris", "Lyon")
LEGS = ("eight", "twelve")
ALSO = {"eight": ["8"], "twelve": ["12"]}


@pytest.mark.parametrize(
    ("text", "options", "found"),
    [
        ("Lyon", PARIS, 1),
        ("the lyon.", PARIS, 1),
        ("The capital of France is Lyon.", PARIS, 1),
        ("It is Paris, not a small town.", PARIS, 0),
        ("It is not Lyon.", PARIS, None),
        ("Lyon or Paris", PARIS, None),
        ("Lyonnaise potatoes", PARIS, None),
        ("", PARIS, None),
        ("A spider has 8 legs.", LEGS, 0),
        ("A spider has 18 legs.", LEGS, None),
        ("12", LEGS, 1),
        ("Twelve (12) legs.", LEGS, 1),
        ("In 1951 it was.", ("1945", "1951"), 1),
        ("Nobody knows.", LEGS, None),
    ],
)
def test_the_one_value_that_a_text_names_is_its_answer(text: str, options: tuple[str, ...], found: int | None) -> None:
    assert named(text, options, ALSO) == found


def test_exact_match_takes_other_names_and_no_sentences() -> None:
    assert named("8!", LEGS, ALSO, exact=True) == 0
    assert named("A spider has 8 legs.", LEGS, ALSO, exact=True) is None
    assert named("an eight", LEGS, {}, exact=True) == 0


def test_a_longer_name_hides_the_shorter_one_inside_it() -> None:
    options = ("the Pacific", "the Indian Ocean")
    also = {"the Pacific": ["Pacific", "the Pacific Ocean"], "the Indian Ocean": ["Indian Ocean", "Ocean"]}
    assert named("The largest is the Pacific Ocean.", options, also) == 0


@given(st.sampled_from(real_facts()), st.data())
def test_every_accepted_name_of_a_real_value_is_read_as_that_value(fact: Any, data: st.DataObject) -> None:
    options = (fact.answer, *fact.alternatives)
    value = data.draw(st.sampled_from(options))
    name = data.draw(st.sampled_from((value, *fact.aliases.get(value, ()))))
    for text in (name, name.upper(), f"I think that it is {name}.", f"{name}, as the passage says."):
        assert named(text, options, fact.aliases) == options.index(value)


@given(st.sampled_from(real_facts()), st.data())
def test_a_true_or_swapped_sentence_is_read_as_its_value(fact: Any, data: st.DataObject) -> None:
    options = (fact.answer, *fact.alternatives)
    value = data.draw(st.sampled_from(options))
    assert named(fact.sentence(value), options, fact.aliases) == options.index(value)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Better late than early", 0),
        ('"Better late than NEVER."', 1),
        ("early.", 0),
        ("Better late than never. So be early.", 1),
        ("Better late than early never was.", None),
        ("The early bird", None),
        ("", None),
    ],
)
def test_a_saying_is_read_by_the_last_word_of_its_first_sentence(text: str, found: int | None) -> None:
    assert ending_of(text, ("Better late than early", "Better late than never")) == found


# What is measured


def test_an_answer_that_is_read_with_other_names_changes_the_row() -> None:
    facts = [fact for fact in real_facts() if fact.id == "count/legs-does-a-spider-have"]
    tasks = conflict_tasks(facts)
    numbers = {"eight": "8", "twelve": "12", "six": "6", "ten": "10"}
    model = scripted(lambda asked: f"It has {numbers[reader(asked)]} legs.\nOr eight, or six.", tasks)
    rows = ContextConflict("generate", recheck=0).measure(model, tasks).rows.to_pylist()
    assert {row["outcome"] for row in rows} == {"right"}
    swapped = {row["predicted"] for row in rows if row["task"] == "conflict"}
    assert swapped == {facts[0].other()}
    exact = ContextConflict("generate", match="exact", recheck=0).measure(model, tasks)
    assert {row["outcome"] for row in exact.rows.to_pylist()} == {"unparsed"}
    assert exact.summary.selection.known == 0
    assert "none was put behind a passage" in exact.summary.sentence()


@pytest.mark.parametrize("answering", ["sum", "generate"])
@pytest.mark.parametrize(
    ("answer", "swapped", "obeyed"),
    [(reader, (1, 0, 0), (1, 0, 0)), (memory, (0, 1, 0), (0, 1, 0))],
    ids=["reader", "memory"],
)
def test_reader_and_memory_are_told_apart(
    answering: Any, answer: Callable[[Asked], str], swapped: tuple[float, ...], obeyed: tuple[float, ...]
) -> None:
    summary = ContextConflict(answering).measure(scripted(answer, world()), small()).summary
    assert rates(summary, "conflict") == swapped
    assert rates(summary, "agree") == (1, 0, 0)
    assert rates(summary, "endings") == obeyed
    assert summary.memorisation.value == swapped[1]


def test_rates_are_means_over_items_and_wordings_with_wilson_intervals_of_the_items() -> None:
    def torn(asked: Asked) -> str:  # follows a passage for two facts of three, and only where it is a sentence
        return reader(asked) if not asked.is_long and asked.place % 3 else memory(asked)

    tasks = [task for task in world() if task.name != "endings"]
    found = ContextConflict().measure(scripted(torn, tasks), tasks).summary.condition("conflict")
    followed = sum(1 for place in range(40) if place % 3) / 2
    assert found.right == wilson(followed, 40)
    assert found.right.value == pytest.approx(followed / 40)
    assert found.right.value + found.wrong.value + found.other.value == pytest.approx(1)


def test_the_memorisation_ratio_leaves_other_answers_out() -> None:
    ten = Outcomes("conflict", 10, 40, Interval(0.2, 0, 1), Interval(0.6, 0, 1), Interval(0.2, 0, 1))
    assert memorisation_ratio(ten).value == pytest.approx(0.75)
    assert memorisation_ratio(ten).low == pytest.approx(wilson(6, 8).low)
    assert isnan(memorisation_ratio(None).value)
    assert isnan(memorisation_ratio(replace(ten, right=SHARE, wrong=SHARE)).value)


# Which facts


def some(asked: Asked) -> str:
    """Knows every second fact under all wordings, and every fourth under the instructed ones alone."""
    if asked.context or asked.place % 2 or (asked.place % 4 == 0 and asked.instructed):
        return reader(asked)
    return SILENCE


def test_only_facts_that_are_right_under_every_wording_are_put_behind_passages() -> None:
    tasks = [task for task in world() if task.name != "endings"]
    reading = ContextConflict("generate", recheck=0).measure(scripted(some, tasks), tasks)
    chosen = reading.summary.selection
    assert (chosen.known, chosen.partly, chosen.unknown, chosen.facts, chosen.asked) == (20, 10, 10, 40, 20)
    asked = {row["item"] for row in reading.rows.to_pylist() if row["task"] == "conflict"}
    known = {example.id for place, example in enumerate(tasks[0].examples) if place % 2}
    assert asked == known
    assert reading.summary.complete


def test_all_facts_are_asked_on_demand_and_the_reader_is_told() -> None:
    tasks = small()[:3]
    nobody = scripted(lambda asked: asked.stated or SILENCE, tasks)
    reading = ContextConflict("generate", known="all").measure(nobody, tasks)
    assert reading.summary.selection.asked == 8
    assert rates(reading.summary, "conflict") == (1, 0, 0)
    assert any("All facts were put behind passages" in warning for warning in reading.summary.warnings())
    own = ContextConflict("generate").measure(nobody, tasks).summary
    assert own.condition("conflict") is None
    assert own.complete
    assert "knows 0 of 8 facts" in own.sentence()


def test_the_facts_of_another_run_are_asked_of_a_model_that_knows_none_of_them(tmp_path: Path) -> None:
    base, out = str(tmp_path / "base"), str(tmp_path / "treated")
    before = sf.probe(
        "context-conflict", scripted(some, world(), "before"), answering="generate", task=world(), out=base
    )
    forgetful = scripted(lambda asked: asked.stated or SILENCE, world(), "after")
    after = sf.probe("context-conflict", forgetful, task=world(), answering="generate", known=base, out=out)
    assert after.summary.selection.known == 0
    assert after.summary.selection.asked == before.summary.selection.asked == 20
    assert after.summary.complete
    assert read_rows(out).num_rows == after.rows.num_rows
    assert after.record["determinants"]["options"]["known"] == digest(known_of_run(base))
    (pair,) = sf.compare(before, after).pairs
    assert {task.task: task.items for task in pair.tasks} == {"agree": 20, "closed": 40, "conflict": 20, "endings": 58}


def test_a_run_with_the_facts_of_another_is_complete_only_with_its_passages(tmp_path: Path) -> None:
    base = str(tmp_path / "base")
    sf.probe("context-conflict", scripted(some, world(), "before"), answering="generate", task=world(), out=base)
    probe = ContextConflict("generate", known=base, recheck=0)
    rows = probe.measure(scripted(memory, world()), world()).rows
    shutil.rmtree(base)
    before_passages = rows.filter(pc.is_in(rows["task"], pa.array(["closed", "endings"])))
    assert probe.summarise(rows, world(), "scripted").complete
    assert not probe.summarise(rows.slice(0, rows.num_rows - 1), world(), "scripted").complete
    assert not probe.summarise(before_passages, world(), "scripted").complete


def test_compare_refuses_models_that_were_asked_other_facts() -> None:
    tasks = world()[:3]
    knows_all, knows_some = (
        ContextConflict("generate").measure(scripted(answer, tasks, answer.__name__), tasks)
        for answer in (reader, some)
    )
    with pytest.raises(BadInput, match='20 items of "agree" only in "reader"'):
        sf.compare(knows_all, knows_some)


def test_compare_shows_a_model_that_turned_to_the_passages() -> None:
    tasks = world()
    before, after = (
        ContextConflict("sum").measure(scripted(answer, tasks, answer.__name__), tasks) for answer in (memory, reader)
    )
    (pair,) = sf.compare(before, after).pairs
    change = {task.task: task.mean.difference.value for task in pair.tasks}
    assert change == {"agree": 0, "closed": 0, "conflict": 1, "endings": 1}


class Stopped(Exception):
    """The machine went down."""


@pytest.mark.parametrize("batches", [2, 7, 9, 13, 16])
def test_a_run_that_is_stopped_in_any_stage_ends_as_one_that_is_not(
    batches: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, tasks = str(tmp_path / "run"), small()[:3]
    whole = ContextConflict("generate", batch_cells=4).measure(scripted(some, world()), tasks).rows
    ask, asked = filling.ask, []

    def failing(model: Any, cells: Sequence[Any], *rest: Any, **named: Any) -> Any:
        asked.append(len(cells))
        if len(asked) == batches:
            raise Stopped
        return ask(model, cells, *rest, **named)

    monkeypatch.setattr(filling, "ask", failing)
    probe = ContextConflict("generate", batch_cells=4)
    with pytest.raises(Stopped):
        probe.measure(scripted(some, world()), tasks, out=out)
    stored = Rows(out)
    assert stored.count == sum(asked[:-1])
    assert not probe.summarise(stored, tasks, "scripted").complete
    done = probe.measure(scripted(some, world()), tasks, out=out)
    assert sum(asked) - asked[batches - 1] == whole.num_rows
    assert done.summary.complete

    def by_cell(table: Any) -> list[tuple[Any, ...]]:
        return sorted((r["task"], r["wording"], r["item"], r["recheck"], r["text"]) for r in table.to_pylist())

    assert by_cell(done.rows) == by_cell(whole)


def test_progress_is_told_of_all_stages_as_of_one() -> None:
    steps: list[Any] = []
    reading = ContextConflict("generate", batch_cells=7).measure(scripted(some, world()), small(), watch=steps.append)
    cells = [step.cells for step in steps]
    assert cells == sorted(set(cells))
    assert cells[-1] == reading.rows.num_rows
    assert steps[-1].computed >= max(step.computed for step in steps)


def test_noise_in_a_recheck_never_selects_a_fact() -> None:
    tasks = world()[:3]
    rows = ContextConflict("generate", recheck=0.5).measure(scripted(some, tasks), tasks).rows
    spoiled = rows.set_column(
        rows.schema.get_field_index("outcome"),
        "outcome",
        pc.if_else(rows["recheck"], "wrong", rows["outcome"]),
    )
    odd = {example.id for place, example in enumerate(tasks[0].examples) if place % 2}
    assert known_items(Rows(spoiled)) == known_items(Rows(rows)) == odd


# What is refused


def test_another_task_is_refused_with_the_suite_that_is_meant() -> None:
    with pytest.raises(BadInput, match=r'"reviews" is no condition .*closed, conflict, agree, endings; name the suite'):
        sf.probe("context-conflict", tiny.causal(), "demo/reviews", limit=2)


def test_passages_without_closed_book_questions_need_a_source_of_knowledge() -> None:
    with pytest.raises(BadInput, match='read from the task "closed", which is not among conflict'):
        sf.probe("context-conflict", tiny.causal(), "conflict/conflict", limit=2)
    reading = sf.probe("context-conflict", tiny.causal(), small(2)[1], known="all")
    assert reading.summary.selection.asked == 2


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"known": "no/such/run"}, "no/such/run"),
        ({"match": "named!"}, 'Did you mean "named"?'),
    ],
)
def test_a_bad_setting_is_refused_with_its_value(settings: dict[str, str], part: str) -> None:
    with pytest.raises(BadInput) as caught:
        sf.probe("context-conflict", tiny.causal(), small(2), **settings)
    assert part in str(caught.value)


def test_a_run_of_a_model_that_knows_nothing_or_of_another_probe_selects_nothing(tmp_path: Path) -> None:
    empty, other = str(tmp_path / "empty"), str(tmp_path / "other")
    nobody = scripted(lambda asked: asked.stated or SILENCE, world())
    sf.probe("context-conflict", nobody, small(), answering="generate", out=empty)
    with pytest.raises(BadInput, match="knows none of its facts"):
        ContextConflict(known=empty).measure(nobody, small())
    sf.probe("phrasing", sf.ScriptedModel(lambda _, options: options[0]), "demo/facts", limit=2, out=other)
    with pytest.raises(BadInput, match="did not ask closed book"):
        ContextConflict(known=other).measure(nobody, small())


# The command line


def test_the_command_asks_facts_of_ones_own_and_the_report_holds_the_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = list(FactWorld(size=5))
    model = scripted(reader, conflict_tasks(facts))
    monkeypatch.setattr("surefoot.models.load.load", lambda *_, **__: model)
    place = Place(tmp_path, monkeypatch, capsys)
    place.lines("facts.jsonl", map(record, facts))
    words = ("probe", "context-conflict", "--task", "conflict:facts.jsonl", "--scorer", "generate")
    done = place.surefoot(*words, "--out", "base")
    assert done.code == 0, done.err
    assert "the answer to 5 facts that the model knows is the passage's in 100.0 %" in " ".join(done.out.split())
    again = read_reading("base")
    assert again.summary.complete
    page = Path("base/report.html").read_text(encoding="utf-8")
    assert again.summary.sentence().replace("'", "&#39;") in page
    assert all(table.title in page for table in again.summary.tables())
    assert place.surefoot(*words, "--set", "known=base", "--out", "again").code == 0


def record(fact: Fact) -> dict[str, Any]:
    """The fact as a line of a user's file."""
    names = ("id", "kind", "question", "answer", "alternatives")
    return {**{name: getattr(fact, name) for name in names}, "sentence": fact.stated, "paragraph": fact.told}


def test_the_probe_has_a_suite_of_its_own() -> None:
    tasks = load_tasks("conflict", limit=1)
    reading = sf.probe("context-conflict", sf.ScriptedModel(lambda _, options: options[0]), limit=1)
    assert {*reading.record["tasks"]} == {task.name for task in tasks}


# The real model


def test_smollm2_knows_facts_and_passages_turn_some_of_its_answers(smollm2: Any) -> None:
    names = ("opposite/big", "opposite/up", "opposite/open", "capital/japan", "capital/england", "capital/sweden")
    tasks = conflict_tasks([fact for fact in real_facts() if fact.id in names])
    summary = ContextConflict("generate", recheck=0).measure(smollm2, tasks).summary
    assert summary.selection.known >= 4
    swapped, original, _ = rates(summary, "conflict")
    assert 0.1 < swapped < 0.9
    assert original > 0.1
    assert rates(summary, "agree")[0] > 0.8
