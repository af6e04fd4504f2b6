"""Bad input: one sentence that names the value and the fix, exit code 2, and no run folder begun."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from command import ITEMS, MAP, TASK, WORDINGS, Place, sentence_of
from surefoot.runs import read_rows
from surefoot.runs.folder import Folder

CELLS = ITEMS * len(WORDINGS)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, monkeypatch, capsys)


RENAMED = ("--map", "questin=q", *MAP[2:])

REFUSED = {
    "unknown probe": (("probe", "phrasin"), '"phrasin" is not a probe. Did you mean "phrasing"?'),
    "unknown model": (("probe", "--model", "smollm3"), '"smollm3" is not a model'),
    "missing gguf": (("probe", "--model", "x.gguf"), "There is no file x.gguf"),
    "unknown task": (("probe", "--task", "dmo"), 'There is no task "dmo". Did you mean "demo"?'),
    "unknown task of a suite": (("probe", "--task", "demo/fact"), 'Did you mean "demo/facts"?'),
    "unknown kind of task": (("probe", "--task", "bigbnch:x"), 'Did you mean "bigbench"?'),
    "missing items": (("probe", "--task", "item.jsonl"), 'no file "item.jsonl". Did you mean "items.jsonl"?'),
    "missing wordings": (("probe", "--wordings", "w.jsonl"), '"w.jsonl"'),
    "unknown column": (("probe", "--task", "items.jsonl", "--map", "question=qq"), '"qq"'),
    "field that no wording asks for": (("probe", *TASK[:4], *RENAMED), 'Did you mean "questin"?'),
    "half a mapping": (("probe", "--task", "items.jsonl", "--map", "question"), '"question" is not of that form'),
    "unknown scorer": (("probe", "--scorer", "men"), '"men" is not a scorer. Did you mean "mean"?'),
    "unknown class": (("probe", "--classes", "rihgt"), '"rihgt" is not a class of wordings. Did you mean "right"?'),
    "no right wordings": (("probe", *TASK, "--model", "model", "--classes", "negated"), '"items" has no wording that'),
    "no items": (("probe", "--limit", "0"), "The limit is 0"),
    "negative shots": (("probe", "--shots", "-1"), "The number of shots is -1"),
    "all items as shots": (("probe", *TASK, "--shots", "6"), "6 shots leave no items"),
    "recheck of more than all": (("probe", "--recheck", "2"), "recheck is 2.0"),
    "recheck that is no number": (("probe", "--recheck", "nan"), "recheck is nan"),
    "unknown dtype": (("probe", "--model", "model", "--dtype", "float8"), '"float8" is not a dtype'),
    "unknown format": (("probe", "--model", "model", "--format", "chatt"), '"chatt" is not a prompt format'),
    "unknown truncation": (("probe", "--model", "model", "--truncate", "right"), '"right" is not a way to truncate'),
    "unknown device": (("probe", "--model", "model", "--device", "tpu"), 'The device "tpu" is not on this machine'),
    "unknown treatment": (("probe", *TASK, "--model", "model", "--treat", "system-promt:text=x"), '"system-prompt"?'),
    "treatment lacks a setting": (("probe", *TASK, "--model", "model", "--treat", "system-prompt"), '"text"'),
    "unknown setting": (("probe", *TASK, "--model", "model", "--treat", "system-prompt:txt=x"), 'Did you mean "text"?'),
    "setting without value": (("probe", *TASK, "--model", "model", "--treat", "system-prompt:x"), '"x" is not of the'),
    "no run to report": (("report", "nowhere"), "nowhere"),
    "no run to compare": (("compare", "nowhere", "there"), "nowhere"),
    "unknown reproduction": (("reproduce", "R99"), "R99"),
    "reproduction without data": (("reproduce", "R0"), "data"),
    "reproduction of missing data": (("reproduce", "R0", "--data", "nowhere"), "nowhere"),
    "unknown calibration": (("calibrate", "phrasin"), 'Did you mean "phrasing"?'),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_value_is_named_with_its_fix_and_no_run_begins(place: Place, case: str) -> None:
    words, part = REFUSED[case]
    before = set(place.path.iterdir())
    assert part in sentence_of(place.surefoot(*words))
    assert set(place.path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("items.jsonl", '{"q": "Is 1 odd?", "choices": ["yes", "no"], "label": 0}\n{"q": "Is', "items.jsonl, line 2"),
        ("items.jsonl", "[1]\n", "items.jsonl, line 1: not a JSON object"),
        ("items.jsonl", "", "no items"),
        ("items.jsonl", "\n\n", "no items"),
        ("items.jsonl", '{"q": "Is 1 odd?", "choices": ["yes", "no"], "label": 7}\n', "line 1"),
        ("wordings.jsonl", "", "no wordings"),
        ("wordings.jsonl", '{"id": "a", "text": "{{ question }} {{ passage }}"}\n', '"passage"'),
        ("wordings.jsonl", '{"id": "a", "text": "{{ question }}", "klas": "right"}\n', 'Did you mean "klass"?'),
        ("wordings.jsonl", '{"id": "a", "text": "  "}\n', "empty template"),
        ("wordings.jsonl", '{"id": "a", "text": "{% if x %}{{ question }}{% endif %}"}\n', "text and plain fields"),
        ("wordings.jsonl", 2 * '{"id": "a", "text": "Odd? {{ question }}"}\n', '"a"'),
    ],
)
def test_a_malformed_file_is_named_and_no_run_begins(place: Place, name: str, text: str, part: str) -> None:
    (place.path / name).write_text(text)
    assert part in sentence_of(place.probe())
    assert not (place.path / "run").exists()


LONG = ["Is 0 odd?", "Is 1 odd? " + 30 * "Really, ", *(f"Is {n} odd?" for n in range(2, ITEMS))]


@pytest.mark.parametrize("scorer", ["sum", "generate"])
def test_items_longer_than_the_context_are_counted_and_refused_before_anything(place: Place, scorer: str) -> None:
    place.items(LONG)
    sentence = sentence_of(place.probe("--scorer", scorer))
    assert f"{len(WORDINGS)} of {CELLS} prompts do not fit into the 256 tokens" in sentence
    assert '"items/2"' in sentence
    assert "--truncate left" in sentence
    assert not (place.path / "run").exists()


def test_a_treatment_that_makes_prompts_too_long_is_counted_too(place: Place) -> None:
    treated = ("--treat", f"system-prompt:text={250 * 'x'}")
    assert f"{CELLS} of {CELLS} prompts do not fit" in sentence_of(place.probe(*treated))


def test_truncated_prompts_are_marked_in_their_rows_and_no_others(place: Place) -> None:
    place.items(LONG)
    ended = place.probe("--truncate", "left", "--recheck", "0")
    assert ended.code == 0, ended.err
    assert f"{len(WORDINGS)} of {CELLS} prompts do not fit into 256 tokens" in ended.err
    rows = read_rows("run").to_pylist()
    assert {row["item"] for row in rows if row["truncated"]} == {"2"}
    assert sum(row["truncated"] for row in rows) == len(WORDINGS)
    assert all(row["prompt_tokens"] < 256 for row in rows)
    assert json.loads(place.surefoot("report", "run", "--json").out)["truncated"] == len(WORDINGS)


def test_a_full_disk_stops_with_a_sentence_and_loses_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Folder._open_to_write

    def full(self: Folder, name: str) -> Any:
        if "000003" in name:
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "_open_to_write", full)
        sentence = sentence_of(place.probe())
    assert "full" in sentence
    assert "same command" in sentence
    stored = read_rows("run").to_pylist()
    assert len(stored) == 2 * ITEMS
    assert place.probe().code == 0
    assert read_rows("run").to_pylist()[: len(stored)] == stored


def test_a_full_disk_while_the_report_is_written_is_said(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("surefoot.report.write_report", full)
        assert "The disk is full" in sentence_of(place.probe())
    assert place.surefoot("report", "run").code == 0


def test_another_run_in_the_folder_is_refused_and_kept(place: Place) -> None:
    assert place.probe().code == 0
    before = read_rows("run").to_pylist()
    for words in (("--seed", "1"), ("--scorer", "mean"), ("--treat", "system-prompt:text=x"), ("--limit", "2")):
        assert '"run" holds another run' in sentence_of(place.probe(*words))
    place.items(f"Is {n} even?" for n in range(ITEMS))
    assert "items" in sentence_of(place.probe())
    assert read_rows("run").to_pylist() == before


def test_a_report_of_a_run_whose_items_changed_is_refused(place: Place) -> None:
    assert place.probe().code == 0
    place.items(f"Is {n} even?" for n in range(ITEMS))
    assert 'task "items" has changed' in sentence_of(place.surefoot("report", "run"))


def test_a_run_folder_that_cannot_be_one_is_refused(place: Place) -> None:
    (place.path / "file").write_text("x")
    assert '"file" is a file' in sentence_of(place.probe(out="file"))
    assert '"model" is no run folder' in sentence_of(place.probe(out="model"))


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_model_file_cut_short_or_missing_is_one_sentence(place: Place, name: str) -> None:
    file = place.path / "model" / name
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert "model" in sentence_of(place.probe())
    file.unlink()
    assert "model" in sentence_of(place.probe())
    assert not (place.path / "run").exists()


def test_a_model_that_only_the_hub_has_is_one_sentence(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    sentence = sentence_of(place.surefoot("probe", *TASK, "--model", "hf:nobody/nothing"))
    assert '"nobody/nothing" could not be fetched' in sentence


def test_a_folder_that_is_gone_when_resumed_is_made_again(place: Place) -> None:
    assert place.probe().code == 0
    shutil.rmtree("run")
    assert place.probe().code == 0
    assert read_rows("run").num_rows == CELLS + 1
