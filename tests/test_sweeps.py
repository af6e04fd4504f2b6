"""Sweeps on models of known behaviour: arms, order, gap, drops, report, refusal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from surefoot.errors import BadInput
from surefoot.models import load as loading
from surefoot.models.base import ModelCard
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.stored import read_reading
from surefoot.sweeps import sweep
from surefoot.sweeps.arms import arms_of
from surefoot.tasks import loading as task_loading
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction

FRAME = "{{ instruction }} {{ input }} {{ options }}"
KLASSES = ("observed", "observed", "unobserved", "unobserved", "negated", "nonsense")


def task() -> Task:
    examples = tuple(Example(str(i), {"input": f"q{i}"}, options=("yes", "no"), gold=i % 2) for i in range(12))
    wordings = tuple(
        Instruction(f"{klass}/{k}", f"{klass} text {k}:", klass=klass, frame_template=FRAME)  # type: ignore[arg-type]
        for k, klass in enumerate(KLASSES)
    )
    return Task("q", "binary", examples, wordings, fixed_options=True)


class Sized(ScriptedModel):
    """Right on the first `known` items of observed wordings and all of unobserved ones; obeys negation."""

    def __init__(self, name: str, parameters: int, known: int) -> None:
        def reply(prompt: Any, _: Any) -> str:
            text = prompt.text
            item = int(text.split(" q")[1].split()[0])
            gold, other = ("yes", "no") if item % 2 == 0 else ("no", "yes")
            if "nonsense" in text or "negated" in text:
                return other
            return gold if "unobserved" in text or item < known else other

        super().__init__(reply, name=name)
        self.parameters = parameters

    @property
    def card(self) -> ModelCard:
        card = super().card
        return ModelCard(card.name, card.revision, details={"parameters": self.parameters})


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"large": Sized("large", 3_000_000, 12), "small": Sized("small", 1_000_000, 6)}
    monkeypatch.setattr(loading, "load", lambda spec: known[spec])


@pytest.mark.usefixtures("models")
def test_scaling_orders_by_size_and_finds_the_planted_gaps(tmp_path: Path) -> None:
    found = sweep("scaling", ["large", "small"], [task()], out=str(tmp_path), answering="generate")
    assert [arm.label for arm in found.arms] == ["small", "large"]
    gaps = [arm.gap.gap.value for arm in found.arms if arm.gap]
    assert gaps == pytest.approx([0.5, 0.0])
    assert [arm.summary.mean.value for arm in found.arms] == pytest.approx([0.75, 1.0])


@pytest.mark.usefixtures("models")
def test_a_closer_look_shows_each_class_and_what_is_lost(tmp_path: Path) -> None:
    found = sweep("closer-look", ["large"], [task()], out=str(tmp_path), answering="generate")
    titles = {table.title: table for table in found.tables()}
    classes = titles["Classes of wordings"]
    assert dict(zip(classes.columns[1:], classes.rows[0][1:], strict=True)) == {
        "observed": "100.0 %",
        "unobserved": "100.0 %",
        "negated": "0.0 %",
        "nonsense": "0.0 %",
    }
    assert titles["What is lost where something else is asked"].rows[0][1].startswith("+100.0")


@pytest.mark.usefixtures("models")
def test_shots_vary_worked_examples_and_say_that_items_differ(tmp_path: Path) -> None:
    found = sweep("shots", ["large"], [task()], out=str(tmp_path), shots=(1, 0), answering="generate")
    assert [(arm.label, arm.shots) for arm in found.arms] == [("0 shots", 0), ("1 shot", 1)]
    assert any("different numbers of items" in warning for warning in found.warnings())


@pytest.mark.usefixtures("models")
def test_the_report_is_one_escaped_file_and_json_holds_the_numbers(tmp_path: Path) -> None:
    found = sweep("scaling", ["large", "small"], [task()], out=str(tmp_path / "runs"), answering="generate")
    page = found.save(tmp_path / "report.html").read_text()
    assert page.count("<script") == 0
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert all(f"<h3><bdi>{arm.label}</bdi></h3>" in page for arm in found.arms)
    told = json.loads(found.save(tmp_path / "sweep.json").read_text())
    assert told["arms"][0]["gap"]["gap"]["value"] == pytest.approx(0.5)
    assert "small" in str(found)
    assert "<table>" in found._repr_html_()


@pytest.mark.usefixtures("models")
def test_the_report_says_that_it_is_a_sweep_and_of_which_probe(tmp_path: Path) -> None:
    page = sweep("closer-look", ["large"], [task()], out=str(tmp_path), answering="generate").save(tmp_path / "r.html")
    text = page.read_text()
    assert '<p class="brand">Surefoot <span>sweep of the phrasing probe</span></p>' in text
    assert "<title>closer-look: large: sweep of the phrasing probe</title>" in text


@pytest.mark.usefixtures("models")
def test_every_lane_ends_with_its_mean_and_intervals_stand_below_their_value(tmp_path: Path) -> None:
    found = sweep("closer-look", ["small"], [task()], out=str(tmp_path), answering="generate")
    text = found.save(tmp_path / "r.html").read_text()
    lanes = re.findall(r'<div class="lane-mean">(.*?)</div>', text)
    assert lanes == ["50.0 %", "100.0 %", "0.0 %", "0.0 %", "mean"]
    drop = next(t for t in found.tables() if t.title.startswith("What is lost")).rows[0][1]
    value, _, ends = drop.partition(" ")
    assert f'<td><span class="value">{value}</span> <span class="ends">{ends}</span></td>' in text


def test_tasks_are_loaded_once_for_all_arms_that_ask_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {name: ScriptedModel(lambda _, options: options[0], name=name) for name in ("one", "two")}
    monkeypatch.setattr(loading, "load", lambda spec: known[spec])
    read, shots = task_loading.load_tasks, []

    def spy(*given: Any, **named: Any) -> tuple[Task, ...]:
        shots.append(named["shots"])
        return read(*given, **named)

    monkeypatch.setattr(task_loading, "load_tasks", spy)
    found = sweep("shots", ["one", "two"], "demo/facts", out=str(tmp_path), limit=2, shots=(0, 2))
    assert shots == [0, 2]
    assert [(arm.label, arm.summary.items) for arm in found.arms] == [
        (f"{name}, {n} shots", 2) for name in ("one", "two") for n in (0, 2)
    ]
    for arm, folder in zip(found.arms, ("one--0-shots", "one--2-shots", "two--0-shots", "two--2-shots"), strict=True):
        assert read_reading(str(tmp_path / folder)).summary == arm.summary  # each run is read as any other


@pytest.mark.usefixtures("models")
def test_a_second_call_reads_the_runs_and_gives_the_same(tmp_path: Path) -> None:
    first, second = (
        sweep("scaling", ["large", "small"], [task()], out=str(tmp_path), answering="generate") for _ in range(2)
    )
    assert first.to_dict()["arms"] == second.to_dict()["arms"]


@pytest.mark.parametrize(
    ("name", "models", "shots", "sentence"),
    [
        ("scalling", ["a", "b"], (0, 1), 'Did you mean "scaling"'),
        ("scaling", ["a"], (0, 1), "at least two models"),
        ("scaling", ["a", "a"], (0, 1), "twice"),
        ("shots", ["a"], (1, 1), "two numbers"),
        ("closer-look", [], (0, 1), "no model"),
    ],
)
def test_a_sweep_that_varies_nothing_is_refused(
    name: str, models: list[str], shots: tuple[int, ...], sentence: str
) -> None:
    with pytest.raises(BadInput, match=sentence):
        arms_of(name, models, shots)
