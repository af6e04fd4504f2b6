"""Facts and the tasks made of them: what is unique, what a passage states, what is the same without it."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.errors import BadInput
from surefoot.metrics.normalise import normalise
from surefoot.tasks.bundled import bundled_tasks
from surefoot.tasks.lint import errors_of
from surefoot.tasks.loading import load_tasks
from surefoot.worlds.conflicts import SAYINGS, bundled_conflicts, conflict_tasks, read_sayings
from surefoot.worlds.fact_files import read_facts, real_facts
from surefoot.worlds.facts import Fact, FactWorld, relations
from surefoot.worlds.names import count_of, scattered

REAL = real_facts()
LINE = {"id": "a", "kind": "k", "question": "Q?", "answer": "x", "alternatives": ["y"], "sentence": "It is {value}."}


def written(path: Path, *lines: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def holds(text: str, name: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


# The world


def test_names_are_all_different_over_a_whole_type() -> None:
    world = FactWorld(seed=3)
    names = {world.name("town", k) for k in range(100_000)}
    assert len(names) == 100_000


@given(st.integers(1, 200), st.text())
def test_places_are_permuted_whatever_their_number(count: int, key: str) -> None:
    assert sorted(scattered(k, count, key) for k in range(count)) == list(range(count))


@given(st.integers(0, 2**32), st.integers(1, 10**6), st.data())
def test_a_fact_is_a_function_of_seed_size_and_place(seed: int, size: int, data: st.DataObject) -> None:
    i = data.draw(st.integers(0, size - 1))
    fact = FactWorld(seed, size)[i]
    assert fact == FactWorld(seed, size)[i]
    assert fact.answer not in fact.alternatives
    assert len({*fact.alternatives}) == 3
    assert fact.subject in fact.question
    assert fact.answer in fact.sentence()


def test_another_seed_is_another_world() -> None:
    one, other = ({fact.subject for fact in FactWorld(seed, 200)} for seed in (0, 1))
    assert len(one & other) < 10


def test_answers_are_drawn_evenly_and_questions_differ() -> None:
    facts = list(FactWorld(size=9_000))
    assert len({fact.question for fact in facts}) == len({fact.id for fact in facts}) == 9_000
    trades = Counter(fact.answer for fact in facts if fact.kind == "works-as")
    expected = 1_800 / count_of("trade")
    chi_square = sum((count - expected) ** 2 / expected for count in trades.values())
    assert len(trades) == 18
    assert chi_square < 40.8  # 0.999 quantile for 17 degrees of freedom


def test_values_of_one_relation_are_subjects_of_others() -> None:
    facts = list(FactWorld(size=500))
    subjects = {fact.subject for fact in facts}
    chained = [fact for fact in facts if fact.kind in ("born-in", "founded-by")]
    assert chained
    assert all(fact.answer in subjects for fact in chained)


def test_a_world_that_is_too_large_is_refused_with_its_limit() -> None:
    with pytest.raises(BadInput, match="a world has 1 to 6,865,625 facts"):
        FactWorld(size=10**7)
    assert len(relations()) == 5


# The real facts


def test_there_are_enough_real_facts_of_many_kinds_and_none_twice() -> None:
    assert len(REAL) >= 200
    assert len({fact.id for fact in REAL}) == len({fact.question for fact in REAL}) == len(REAL)
    assert min(Counter(fact.kind for fact in REAL).values()) >= 10
    assert len({fact.kind for fact in REAL}) >= 12


@pytest.mark.parametrize("fact", REAL, ids=lambda fact: fact.id)
def test_a_real_fact_has_values_that_cannot_be_mixed_up(fact: Fact) -> None:
    values = (fact.answer, *fact.alternatives)
    names = [normalise(name) for value in values for name in {value, *fact.aliases.get(value, ())}]
    assert len({normalise(value) for value in values}) == 4
    groups = [{normalise(name) for name in (value, *fact.aliases.get(value, ()))} for value in values]
    assert all(not one & other for i, one in enumerate(groups) for other in groups[:i])
    assert not any(holds(fact.question, name) for name in names)
    assert set(fact.aliases) <= set(values)
    assert len(fact.alternatives) == 3


@pytest.mark.parametrize("fact", REAL, ids=lambda fact: fact.id)
def test_a_passage_states_its_value_and_no_other(fact: Fact) -> None:
    for value in (fact.answer, *fact.alternatives):
        for passage in (fact.sentence(value), fact.paragraph(value)):
            assert value in passage
            assert not any(holds(passage, other) for other in (fact.answer, *fact.alternatives) if other != value)
            assert passage[0].isupper() or passage[0] == '"'


def test_the_other_value_depends_on_the_fact_and_the_seed_alone() -> None:
    seeds = {seed: [fact.other(seed) for fact in REAL] for seed in range(4)}
    assert seeds[1] == [fact.other(1) for fact in reversed(REAL)][::-1]
    assert len({tuple(others) for others in seeds.values()}) == 4
    assert all(fact.other() in fact.alternatives for fact in REAL)


# The tasks


def test_without_its_context_a_prompt_is_the_closed_book_prompt() -> None:
    closed, conflict, agree = conflict_tasks(REAL[::20])
    for task in (conflict, agree):
        for example, bare in zip(task.examples, closed.examples, strict=True):
            alone = {closed.query(bare, wording).prompt.text for wording in closed.wordings}
            for wording in task.wordings:
                prompt = task.query(example, wording).prompt
                assert prompt.without("context").text in alone
                assert prompt.only("context").text.endswith("\n\n")


def test_the_right_answer_is_what_the_passage_says() -> None:
    closed, conflict, agree = (task.shuffled(5) for task in conflict_tasks(REAL, seed=7))
    for fact, *items in zip(REAL, closed.examples, conflict.examples, agree.examples, strict=True):
        alone, swapped, true = (item.options[item.gold or 0] for item in items)
        assert [item.id for item in items] == [fact.id] * 3
        assert (alone, swapped, true) == (fact.answer, fact.other(7), fact.answer)
        assert {*items[1].options} == {*items[2].options} == {fact.answer, fact.other(7)}
        for item, value in ((items[1], swapped), (items[2], true)):
            assert item.fields["sentence"] == fact.sentence(value) + "\n\n"
            assert item.fields["paragraph"] == fact.paragraph(value) + "\n\n"


def test_a_saying_is_demanded_with_a_word_that_stands_only_in_its_context() -> None:
    *_, endings = bundled_conflicts()
    sayings = read_sayings(SAYINGS)
    assert len(sayings) >= 40
    assert len({saying.id for saying in sayings}) == len({saying.start for saying in sayings}) == len(sayings)
    for saying, example in zip(sayings, endings.examples, strict=True):
        assert example.options == (f"{saying.start} {saying.forced}", f"{saying.start} {saying.ending}")
        for wording in endings.wordings:
            prompt = endings.query(example, wording).prompt
            assert f'"{saying.forced}"' in prompt.only("context").text
            assert not holds(prompt.without("context").text, saying.forced)
            assert saying.start in prompt.without("context").text


def test_the_bundled_tasks_have_no_defect_and_are_loaded_by_name() -> None:
    tasks = load_tasks("conflict", limit=12)
    assert [f"conflict/{task.name}" for task in tasks] == [n for n in bundled_tasks() if n.startswith("conflict/")]
    assert [errors_of(task) for task in load_tasks("conflict")] == [[]] * 4
    closed, conflict, agree, _ = ([example.id for example in task.examples] for task in tasks)
    assert closed == conflict == agree
    (alone,) = load_tasks("conflict/agree", limit=12)
    assert alone.hash == tasks[2].hash


def test_facts_and_sayings_of_ones_own_are_loaded_from_a_file(tmp_path: Path) -> None:
    facts = written(tmp_path / "facts.jsonl", LINE, {**LINE, "id": "b", "question": "Q2?", "aliases": {"x": ["X!"]}})
    closed, conflict, _ = load_tasks(f"conflict:{facts}")
    assert [example.id for example in closed.examples] == ["a", "b"]
    assert conflict.query(conflict.examples[0], conflict.wordings[1]).prompt.only("context").text.endswith("dated.\n\n")
    said = written(tmp_path / "said.jsonl", {"id": "s", "start": "Time is", "ending": "money", "forced": "soup"})
    (endings,) = load_tasks(f"conflict:{said}")
    assert endings.examples[0].options[endings.examples[0].gold or 0] == "Time is soup"


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"answer": "y"}, 'line 1: the answer "y" is among its alternatives'),
        ({"sentence": "It is so."}, 'line 1: the sentence has no "{value}"'),
        ({"paragraph": "So."}, 'line 1: the paragraph has no "{value}"'),
        ({"alternatives": []}, 'line 1: a fact needs "alternatives"'),
        ({"answr": "x"}, 'unknown key "answr". Did you mean "answer"?'),
    ],
)
def test_a_bad_fact_is_refused_with_its_line(tmp_path: Path, change: dict[str, object], part: str) -> None:
    with pytest.raises(BadInput, match=re.escape(part)):
        read_facts(written(tmp_path / "facts.jsonl", {**LINE, **change}))


def test_a_bad_saying_is_refused_with_its_line(tmp_path: Path) -> None:
    line = {"id": "s", "start": "Time is", "ending": "money", "forced": "money"}
    with pytest.raises(BadInput, match='line 1: the forced ending "money" is the known one'):
        read_sayings(written(tmp_path / "said.jsonl", line))
    with pytest.raises(BadInput, match='a saying needs "forced"'):
        read_sayings(written(tmp_path / "said.jsonl", {**line, "forced": ""}))
    with pytest.raises(BadInput, match="has no sayings"):
        read_sayings(written(tmp_path / "said.jsonl"))
