"""Claims about the bundled suite `demo`, read from its files without the project's loader."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from functools import cache
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from surefoot.metrics.normalise import normalise
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.text.template import fields_of

ROOT = Path(__file__).resolve().parents[1]
SUITE = ROOT / "src" / "surefoot" / "tasks" / "suites" / "demo"
TASKS = sorted(folder.name for folder in SUITE.iterdir() if folder.is_dir())
Record = dict[str, Any]


def records(path: Path) -> list[Record]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


FRAMES = {frame["id"]: frame for frame in records(SUITE.parent / "frames.jsonl")}


@cache
def task_of(name: str) -> Task:
    def wording(record: Record) -> Instruction:
        frame = FRAMES[record["frame"]]
        return Instruction(**{"cue": frame["cue"], **record, "frame_template": frame["template"]})

    def example(record: Record) -> Example:
        options, answers = tuple(record.get("options", ())), tuple(record.get("answers", ()))
        return Example(record["id"], record["fields"], options, record.get("gold"), answers)

    examples = tuple(map(example, records(SUITE / name / "items.jsonl")))
    wordings = tuple(map(wording, records(SUITE / name / "wordings.jsonl")))
    settings = json.loads((SUITE / name / "task.json").read_text(encoding="utf-8"))
    return Task(examples=examples, wordings=wordings, **settings)


def of_class(task: Task, klass: str) -> list[Instruction]:
    return [wording for wording in task.wordings if wording.klass == klass]


def form_of_answer(task: Task) -> object:
    """What an answer looks like: a sentence of one's own, a letter, yes or no, or one of the options' texts."""
    if task.kind == "generation":
        return "text"
    return "letter" if task.wordings[0].labels == "letter" else (task.kind == "binary", "option")


def test_the_suite_covers_every_kind_of_task_and_of_answer() -> None:
    tasks = [task_of(name) for name in TASKS]
    assert len(tasks) >= 6
    assert {task.kind for task in tasks} == {"multiple_choice", "binary", "multi_class", "generation"}
    assert {t.wordings[0].labels for t in tasks if t.kind == "multiple_choice"} == {"letter", "option"}


@pytest.mark.parametrize("name", TASKS)
def test_a_task_is_named_as_its_folder_and_says_where_it_comes_from(name: str) -> None:
    task = task_of(name)
    assert (task.name, task.licence) == (name, "Apache-2.0")
    assert task.description
    assert task.source


@pytest.mark.parametrize("name", TASKS)
def test_a_task_has_sixty_items_and_enough_wordings_of_each_class(name: str) -> None:
    task = task_of(name)
    assert len(task.examples) >= 60
    counts = Counter(wording.klass for wording in task.wordings)
    assert counts.keys() == {"right", "incorrect", "negated", "nonsense"}
    assert counts["right"] >= 12
    assert min(counts.values()) >= 4


@pytest.mark.parametrize("name", TASKS)
def test_ids_are_unique_and_item_ids_are_the_task_and_a_number(name: str) -> None:
    task = task_of(name)
    assert [example.id for example in task.examples] == [f"{name}/{i + 1:03d}" for i in range(len(task.examples))]
    assert len({wording.id for wording in task.wordings}) == len(task.wordings)


@pytest.mark.parametrize("name", TASKS)
def test_no_question_is_asked_twice(name: str) -> None:
    questions = [normalise(" / ".join(example.fields.values())) for example in task_of(name).examples]
    assert [question for question, times in Counter(questions).items() if times > 1] == []


@pytest.mark.parametrize("name", TASKS)
def test_every_item_is_short_and_has_the_fields_of_the_input_template(name: str) -> None:
    task = task_of(name)
    for example in task.examples:
        assert set(example.fields) == set(fields_of(task.input_template)), example.id
        assert all(value == value.strip() and value for value in example.fields.values()), example.id
        assert sum(len(value.split()) for value in example.fields.values()) <= 25, example.id


@pytest.mark.parametrize("name", TASKS)
def test_every_class_or_place_is_right_equally_often(name: str) -> None:
    task = task_of(name)
    if task.kind == "generation":
        assert all(example.answers for example in task.examples)
        return
    golds = Counter(example.gold for example in task.examples)
    sizes = {len(example.options) for example in task.examples}
    assert len(sizes) == 1
    assert set(golds) == set(range(sizes.pop()))
    assert max(golds.values()) == min(golds.values())


@pytest.mark.parametrize("name", TASKS)
def test_options_are_distinct_and_no_label_begins_another(name: str) -> None:
    task = task_of(name)
    for example in task.examples:
        assert len({normalise(option) for option in example.options}) == len(example.options), example.id
        for wording in task.wordings:
            labels = [label.casefold() for label in task.query(example, wording).labels]
            clashes = [(a, b) for a, b in combinations(labels, 2) if a.startswith(b) or b.startswith(a)]
            assert clashes == [], (example.id, wording.id)


@pytest.mark.parametrize("name", ["uses", "words"])
def test_wrong_options_that_are_drawn_are_right_ones_of_other_items(name: str) -> None:
    """So that knowing which words are answers at all does not help."""
    task = task_of(name)
    right = {example.options[example.gold or 0] for example in task.examples}
    assert all(option in right for example in task.examples for option in example.options)


@pytest.mark.parametrize("name", TASKS)
def test_generated_answers_differ_from_the_input(name: str) -> None:
    task = task_of(name)
    for example in task.examples:
        copied = normalise(" ".join(example.fields.values()))
        assert copied not in map(normalise, example.answers), example.id


@pytest.mark.parametrize("name", TASKS)
def test_templates_name_only_fields_that_exist(name: str) -> None:
    task = task_of(name)
    for wording in task.wordings:
        assert set(fields_of(wording.template)) <= task.field_names(), wording.id
        assert fields_of(wording.text) == (), wording.id
        assert set(fields_of(wording.template)) == {"instruction", "input", "options"}, wording.id


@pytest.mark.parametrize("name", TASKS)
def test_the_prompt_does_not_change_when_only_the_gold_answer_changes(name: str) -> None:
    task = task_of(name)
    for example in task.examples[:8]:
        other = None if example.gold is None else (example.gold + 1) % len(example.options)
        changed = Example(example.id, example.fields, example.options, other, tuple("zzz" for _ in example.answers))
        for wording in task.wordings:
            assert task.query(example, wording).prompt == task.query(changed, wording).prompt, wording.id


@pytest.mark.parametrize("name", TASKS)
def test_every_wording_shows_the_instruction_once_and_the_whole_item_and_all_options(name: str) -> None:
    task = task_of(name)
    for wording in task.wordings:
        assert (wording.layout == "none") == (task.kind == "generation"), wording.id
        for example in task.examples:
            text = task.query(example, wording).prompt.text
            assert text.count(wording.text) == 1, wording.id
            for shown in (*example.fields.values(), *example.options):
                assert shown in text, (wording.id, example.id)


@pytest.mark.parametrize("name", TASKS)
def test_no_frame_leaves_a_hole_where_there_are_no_options(name: str) -> None:
    task = task_of(name)
    for wording in task.wordings:
        text = task.query(task.examples[0], wording).prompt.text
        assert "\n\n\n" not in text, wording.id
        assert not text.startswith("\n"), wording.id
        assert "Options:" not in text or task.examples[0].options, wording.id


@pytest.mark.parametrize("name", TASKS)
def test_no_wording_stands_twice_and_layout_and_labels_are_the_same_throughout(name: str) -> None:
    task = task_of(name)
    cells = Counter((normalise(wording.text), wording.frame) for wording in task.wordings)
    assert [cell for cell, times in cells.items() if times > 1] == []
    assert len({(wording.layout, str(wording.labels)) for wording in task.wordings}) == 1


@pytest.mark.parametrize("name", TASKS)
def test_texts_and_frames_of_right_wordings_are_crossed(name: str) -> None:
    """Each text in several frames, each frame with several texts, and one connected design: both effects estimable."""
    cells = [(wording.text, wording.frame) for wording in of_class(task_of(name), "right")]
    texts, frames = Counter(text for text, _ in cells), Counter(frame for _, frame in cells)
    assert len(texts) >= 5
    assert len(frames) >= 5
    assert min(texts.values()) >= 2
    assert min(frames.values()) >= 2
    reached = {cells[0][0]}
    for _ in texts:
        near = {frame for text, frame in cells if text in reached}
        reached |= {text for text, frame in cells if frame in near}
    assert reached == set(texts)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("klass", ["incorrect", "negated", "nonsense"])
def test_control_wordings_stand_once_in_each_frame_of_the_right_ones(name: str, klass: str) -> None:
    task = task_of(name)
    frames = sorted({wording.frame for wording in of_class(task, "right")})
    assert sorted(wording.frame for wording in of_class(task, klass)) == frames


@pytest.mark.parametrize("name", TASKS)
def test_incorrect_wordings_are_right_ones_of_another_task_with_the_same_form_of_answer(name: str) -> None:
    task = task_of(name)
    others = [
        task_of(other) for other in TASKS if other != name and form_of_answer(task_of(other)) == form_of_answer(task)
    ]
    right = {wording.text for other in others for wording in of_class(other, "right")}
    own = {wording.text for wording in of_class(task, "right")}
    for wording in of_class(task, "incorrect"):
        assert wording.text in right - own, wording.id


@pytest.mark.parametrize("name", TASKS)
def test_a_negated_wording_changes_the_text_of_the_right_wording_that_it_names_and_nothing_else(name: str) -> None:
    task = task_of(name)
    for wording in of_class(task, "negated"):
        original = task.wording(wording.note.removeprefix("negates "))
        assert original.is_right
        assert original.text != wording.text
        example = task.examples[0]
        expected = task.query(example, original).prompt.text.replace(original.text, wording.text)
        assert task.query(example, wording).prompt.text == expected, wording.id


def test_nonsense_is_the_same_in_all_tasks_and_shares_no_text_with_another_class() -> None:
    nonsense = [{wording.text for wording in of_class(task_of(name), "nonsense")} for name in TASKS]
    assert all(texts == nonsense[0] for texts in nonsense)
    rest = {w.text for name in TASKS for w in task_of(name).wordings if w.klass != "nonsense"}
    assert nonsense[0].isdisjoint(rest)


def test_every_frame_is_used_and_has_its_parts_once() -> None:
    used = {wording.frame for name in TASKS for wording in task_of(name).wordings}
    assert used == set(FRAMES)
    for frame in FRAMES.values():
        for slot in ("{{ instruction }}", "{{ input }}", "{{ options }}"):
            assert frame["template"].count(slot) == 1, frame["id"]


def test_the_generator_rebuilds_the_same_bytes(tmp_path: Path) -> None:
    generator().main(tmp_path)
    built = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.json*")}
    assert built == {path.relative_to(SUITE): path.read_bytes() for path in SUITE.rglob("*.json*")}


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_demo_suite", ROOT / "tools" / "make_demo_suite.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
