"""Probing what training leaves out: the same wordings as soft-align's record says are tested, whatever else is set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import surefoot as sf
from command import Place, sentence_of
from surefoot.models.scripted import ScriptedModel
from surefoot.paraphrases import Filters, paraphrase_task
from surefoot.probes.stored import read_reading
from surefoot.runs import read_rows
from surefoot.tasks.loading import load_tasks
from surefoot.tasks.task import Task
from surefoot.treatments.weights.soft_align import SoftAlign


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, monkeypatch, capsys)


def first_option() -> ScriptedModel:
    return ScriptedModel(lambda _, options: options[0])


def trained_and_tested(task: Task) -> tuple[set[str], set[str]]:
    """Ids of the wordings that paraphrases are made of, and of those that are tested, from the paraphrases' record."""
    record = paraphrase_task(task, "rules", per_wording=1, filters=Filters(floor=0)).record()
    tested = {one["id"] for one in record["proof"]["testing"]}
    return {wording.id for wording in task.wordings} - tested, tested


@pytest.mark.parametrize(("seed", "limit"), [(0, None), (7, 3)])
def test_held_out_keeps_just_the_wordings_that_the_paraphrases_record_calls_tested(seed: int, limit: Any) -> None:
    whole = {task.name: task for task in load_tasks("demo")}
    for task in load_tasks("demo", held_out=True, seed=seed, limit=limit):
        taught, tested = trained_and_tested(whole[task.name])
        assert {wording.id for wording in task.wordings} == tested
        assert taught
        assert {w.id for w in whole[task.name].wordings if not w.is_right} <= tested


def test_nothing_that_soft_align_reads_is_asked() -> None:
    spec = "demo/facts"
    groups, _ = SoftAlign(task=spec, paraphrases="file:demo").wordings(load_tasks(spec))
    (task,) = load_tasks(spec, held_out=True)
    read = {wording.text for group in groups[task.name] for wording in group}
    assert not read & {wording.text for wording in task.wordings}


def test_classes_are_chosen_among_what_is_held_out() -> None:
    from surefoot.tasks.loading import load_selection

    words = {"classes": "right,negated", "held_out": True}
    (task,), (whole,) = load_selection("demo/facts", words), load_tasks("demo/facts", held_out=True)
    assert {w.id for w in task.wordings} == {w.id for w in whole.wordings if w.klass in ("right", "negated")}


def test_a_probe_of_tasks_in_python_asks_what_is_held_out() -> None:
    (task,) = load_tasks("demo/facts")
    reading = sf.probe("phrasing", first_option(), task, limit=2, held_out=True)
    assert set(reading.rows.column("wording").to_pylist()) == trained_and_tested(task)[1]


def test_the_record_says_that_wordings_were_held_out_and_the_run_is_read_again(tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    reading = sf.probe("phrasing", first_option(), "demo/facts", limit=3, held_out=True, out=out)
    assert json.loads((tmp_path / "run" / "run.json").read_text())["arguments"]["held_out"] is True
    assert read_reading(out).to_dict() == reading.to_dict()


def test_the_command_probes_what_is_held_out_and_says_so(place: Place) -> None:
    assert place.probe("--held-out").code == 0
    asked = {row["wording"] for row in read_rows(place.path / "run").to_pylist()}
    (task,) = load_tasks(
        "items.jsonl", wordings="wordings.jsonl", columns={"question": "q", "options": "choices", "gold": "label"}
    )
    assert asked == trained_and_tested(task)[1] < {"a", "b", "c", "n"}
    assert json.loads((place.path / "run" / "run.json").read_text())["arguments"]["held_out"] is True
    assert place.surefoot("report", "run").code == 0


def test_a_task_with_one_right_text_has_nothing_to_hold_out(place: Place) -> None:
    place.lines("wordings.jsonl", [{"id": "a", "text": "Yes or no?\n{{ question }}", "frame": "", "cue": "\n"}])
    assert "give it at least two" in sentence_of(place.probe("--held-out"))
