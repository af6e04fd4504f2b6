"""The treatment soft-align on a tiny model: data apart from tests, modes, folder, refusal, command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import surefoot
import tiny
from command import TASK, Place, save_model
from surefoot.catalogue import find
from surefoot.errors import BadInput, NotAvailable
from surefoot.settings import build
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.treatments.weights.alignment_data import as_groups, lessons, trained_on, training_items
from surefoot.treatments.weights.soft_align import MODES, SoftAlign

FRAME = "{{ instruction }} {{ input }}\n{{ options }}\nAnswer:"
TEXTS = ("Say the letter.", "Which letter is it?", "Name the letter.", "Tell me the letter that fits.")


def wording(k: int, text: str, **more: Any) -> Instruction:
    return Instruction(
        f"w{k}", text, frame_template=FRAME, layout="letters-dot", labels="letter", cue="Answer:", **more
    )


def task(items: int = 8, name: str = "letters") -> Task:
    examples = tuple(
        Example(str(i), {"input": f"q{i}"}, options=("one", "two", "three"), gold=i % 3) for i in range(items)
    )
    return Task(name, "multiple_choice", examples, tuple(wording(k, text) for k, text in enumerate(TEXTS)))


GROUPS = {"letters": [(wording(0, TEXTS[0]), wording(10, "Say its letter."), wording(11, "The letter, please."))]}
QUICK: dict[str, Any] = {"paraphrases": GROUPS, "steps": 4, "batch": 2, "tokens": 3, "learning_rate": 0.05}


def test_items_are_a_fixed_share_and_do_not_depend_on_their_order() -> None:
    whole = task(20)
    turned = Task(whole.name, whole.kind, whole.examples[::-1], whole.wordings)
    chosen = {example.id for example in training_items(whole, 0.4)}
    assert len(chosen) == 8
    assert {example.id for example in training_items(turned, 0.4)} == chosen


def test_lessons_take_tasks_in_turn_and_each_pair_once() -> None:
    two = [task(6), task(4, "more")]
    groups = {"letters": GROUPS["letters"] * 2, "more": GROUPS["letters"]}
    found = lessons(two, groups, 1.0, 1000, 0)
    assert len(found) == 6 * 2 + 4
    assert [lesson.task.name for lesson in found[:4]] == ["letters", "more", "letters", "more"]
    assert lessons(two, groups, 1.0, 5, 0) == found[:5]


def test_groups_hold_the_right_answer_under_every_wording() -> None:
    model = tiny.causal()
    found = lessons([task()], GROUPS, 1.0, 100, 0)
    for lesson, group in zip(found, as_groups(model, found), strict=True):
        letters = [model.encoder.tokenizer.decode(v.answer).strip() for v in group.variants]
        assert letters == ["ABC"[lesson.example.gold or 0]] * 3
        texts = [model.encoder.tokenizer.decode(v.prompt) for v in group.variants]
        assert all(w.text in text for w, text in zip(lesson.wordings, texts, strict=True))


def test_the_record_names_what_was_trained_on() -> None:
    told = trained_on(lessons([task()], GROUPS, 0.5, 100, 0))
    assert told["letters"]["wordings"] == ["w0", "w10", "w11"]
    assert len(told["letters"]["items"]) == 4


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("build_model", [tiny.causal, tiny.t5], ids=["causal", "t5"])
def test_every_mode_trains_saves_and_loads_again(mode: str, build_model: Any, tmp_path: Path) -> None:
    model = build_model()
    treated = surefoot.treat("soft-align", model, task=task(), mode=mode, out=str(tmp_path), **QUICK)
    queries = [task().query(example, task().wordings[1]) for example in task().examples]
    asked = [q.prompt for q in queries], [q.labels for q in queries]
    again = surefoot.treat("adapter", model, path=str(tmp_path))
    for a, b in zip(treated.choose(*asked), again.choose(*asked), strict=True):
        assert a.scores == pytest.approx(b.scores, abs=1e-6)
    assert [c.scores for c in treated.choose(*asked)] != [c.scores for c in model.choose(*asked)]
    record = json.loads((tmp_path / "surefoot.json").read_text())
    assert record["settings"]["mode"] == mode
    assert len(record["log"]) == 4


def test_divergence_falls_where_it_is_all_that_is_minimised() -> None:
    treated: Any = surefoot.treat(
        "soft-align", tiny.causal(), task=task(), mode="KL", **{**QUICK, "steps": 40, "tokens": 8}
    )
    log = [step["divergence"] for step in treated.record["log"]]
    assert np.mean(log[-5:]) < 0.5 * np.mean(log[:5])


def test_modes_weigh_the_losses_as_they_say() -> None:
    for mode, (all_weights, weight) in MODES.items():
        made = SoftAlign(mode=mode)
        assert made.rule.weight == (0.8 if weight is None else weight)
        assert (made.part.kind == "weights") is all_weights


def test_settings_of_groups_are_given_by_name() -> None:
    made = build(find("treatment", "soft-align"), {"steps": "7", "weight": "0.25", "kind": "prefix", "mode": "PT"})
    assert (made.fit.steps, made.alignment.weight, made.adapter.kind, made.mode) == (7, 0.25, "prefix", "PT")
    with pytest.raises(BadInput, match='no setting "step"'):
        build(find("treatment", "soft-align"), {"step": 3})


def test_the_same_seed_gives_the_same_prompt_and_another_seed_another() -> None:
    one, same, other = (
        surefoot.treat("soft-align", tiny.causal(), task=task(), **QUICK, seed=seed).card.determinants
        for seed in (1, 1, 2)
    )
    assert one == same != other


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"mode": "PT+LK"}, "not a mode"),
        ({"weight": 1.5}, "from 0 to 1"),
        ({"kind": "prompts"}, "trainable part"),
        ({"paraphrases": {}}, "no wordings to train on"),
        ({"items": 0.0}, "share of items"),
        ({"per_wording": 0}, "at least one paraphrase"),
    ],
)
def test_bad_settings_are_refused_with_a_sentence(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        surefoot.treat("soft-align", tiny.causal(), task=task(), **{**QUICK, **settings})


def test_a_task_with_one_wording_is_refused() -> None:
    alone = Task("letters", "multiple_choice", task().examples, task().wordings[:1])
    with pytest.raises(BadInput, match="two"):
        surefoot.treat("soft-align", tiny.causal(), task=alone, steps=1, batch=1)


def tuned(folder: Path, seed: int = 0) -> Any:
    """A model folder, and on it a part that is all weights, kept beside it."""
    model = surefoot.load(str(save_model(folder / "model")), dtype="float32")
    return surefoot.treat(
        "soft-align", model, task=task(), mode="FT", out=str(folder / f"tuned{seed}"), seed=seed, **QUICK
    )


def scores(model: Any) -> list[Any]:
    queries = [task().query(example, task().wordings[1]) for example in task().examples]
    return [choice.scores for choice in model.choose([q.prompt for q in queries], [q.labels for q in queries])]


@pytest.mark.parametrize("mode", ["PT+KL", "FT"])
def test_a_part_on_top_of_trained_weights_is_kept_and_comes_back(mode: str, tmp_path: Path) -> None:
    below = tuned(tmp_path)
    made = surefoot.treat("soft-align", below, task=task(), mode=mode, out=str(tmp_path / "steady"), **QUICK)
    again = surefoot.load(str(tmp_path / "steady"), dtype="float32")
    assert scores(again) == [pytest.approx(row, abs=1e-6) for row in scores(made)]
    assert scores(made) != scores(below) != scores(below.base)
    assert again.card.determinants == made.card.determinants
    assert len([key for key in again.card.determinants if key.startswith("treatment")]) == 2


def test_a_part_on_top_of_trained_weights_is_refused_on_others(tmp_path: Path) -> None:
    below, other = tuned(tmp_path), tuned(tmp_path, seed=1)
    surefoot.treat("soft-align", below, task=task(), out=str(tmp_path / "steady"), **QUICK)
    for model in (other, below.base):
        with pytest.raises(BadInput, match=f"model . soft-align.*trained weights of digest {below.fingerprint}"):
            surefoot.treat("adapter", model, path=str(tmp_path / "steady"))


def test_a_part_on_top_of_a_soft_prompt_is_not_kept(tmp_path: Path) -> None:
    below = surefoot.treat("soft-align", tiny.causal(), task=task(), out=str(tmp_path / "one"), **QUICK)
    with pytest.raises(NotAvailable, match=r"leave out=\.\.\. away"):
        surefoot.treat("soft-align", below, task=task(), out=str(tmp_path / "two"), **QUICK)
    stacked = surefoot.treat("soft-align", below, task=task(), **QUICK)
    assert scores(stacked) != scores(below)


def test_groups_without_paraphrases_teach_answers_alone() -> None:
    alone = {"letters": [(wording(0, TEXTS[0]),)]}
    treated: Any = surefoot.treat(
        "soft-align", tiny.causal(), task=task(), mode="FT", **{**QUICK, "paraphrases": alone}
    )
    assert [step["divergence"] for step in treated.record["log"]] == [0.0] * 4
    assert treated.record["trained_on"]["letters"]["wordings"] == ["w0"]


# --- the command line -------------------------------------------------------------------------------------------------

SMALL = [f"--set={text}" for text in ("steps=3", "batch=1", "tokens=2", "save_every=1", "per_wording=1")]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, monkeypatch, capsys)


def paraphrases(place: Place) -> str:
    """A file with a new text for each training wording; no encoder is needed for it."""
    texts = {"a": "No or yes?\n{{ question }}", "b": "{{ question }}\nAnswer yes or no:", "c": "{{ question }} yes/no?"}
    place.lines("more.jsonl", [{"of": id, "text": text} for id, text in texts.items()])
    return "--set=paraphrases=file:more.jsonl"


def treat(place: Place, *words: str) -> Any:
    return place.surefoot("treat", "soft-align", "--model", "model", *TASK, "--out", "steady", *SMALL, *words)


def test_the_command_trains_and_the_folder_is_a_model(place: Place) -> None:
    ended = treat(place, paraphrases(place))
    assert ended.code == 0, ended.err
    assert "64 trained values" in ended.out
    assert "step 3 of 3" in ended.err
    probed = place.surefoot("probe", "--model", "steady", *TASK, "--out", "after")
    assert probed.code == 0, probed.err
    assert "Note: The model was trained on 3 items and 2 wordings of 1 task" in probed.out
    assert "was trained on" in (place.path / "after" / "report.html").read_text()
    record = json.loads((place.path / "after" / "run.json").read_text())
    assert record["model"]["name"] == "model + soft-align"
    (treatment,) = (v for k, v in record["determinants"]["options"].items() if k.startswith("treatment"))
    assert treatment[1]["trained_on"]


def test_the_command_a_second_time_goes_on_from_the_checkpoint(place: Place) -> None:
    first = treat(place, paraphrases(place))
    before = (place.path / "steady" / "adapter_model.safetensors").read_bytes()
    again = treat(place, paraphrases(place))
    assert (first.code, again.code) == (0, 0)
    assert (place.path / "steady" / "adapter_model.safetensors").read_bytes() == before
    record = json.loads((place.path / "steady" / "surefoot.json").read_text())
    assert [step["step"] for step in record["log"]] == [1, 2, 3]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--set=stepps=3"], 'Did you mean "steps"'),
        (["--set=steps"], "name=value"),
        (["--set=mode=XX"], "not a mode"),
        (["--set=paraphrases=file:none.jsonl"], "none.jsonl"),
    ],
)
def test_bad_words_exit_with_2_and_one_sentence(place: Place, words: list[str], sentence: str) -> None:
    ended = treat(place, paraphrases(place), *words)
    assert ended.code == 2
    assert sentence in ended.err
    assert "Traceback" not in ended.err


def test_what_has_nothing_to_train_is_refused(place: Place) -> None:
    ended = place.surefoot("treat", "system-prompt", "--model", "model", *TASK, "--out", "x")
    assert ended.code == 2
    assert "nothing to train" in ended.err
