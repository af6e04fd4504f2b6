"""`surefoot write` and its file: what was written is kept, gone on with within a text, and never mixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tiny
from command import Place
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.scripted import ScriptedModel
from surefoot.models.writing import GenerationInterrupted
from surefoot.text.prompt import Part, Prompt
from surefoot.texts import Asked, read_prompts, write_texts
from surefoot.treatments import treat


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, monkeypatch, capsys)


ASKED = [Asked(str(n), Prompt.of(f"Is {n} odd?")) for n in range(40)]
DRAWN = Sampling(max_new_tokens=6, temperature=1.0, seed=3)


def texts_of(path: Path) -> dict[str, Any]:
    records = [json.loads(line) for line in path.read_text().splitlines()[1:]]
    return {record["id"]: record["text"] for record in records}


def test_an_interrupted_call_goes_on_within_its_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = write_texts(tiny.causal(), ASKED, DRAWN)
    out, calls = tmp_path / "texts.jsonl", 0
    original = type(tiny.causal()._branch([[1]], [[]])).next

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 8:  # in the second part, behind three tokens
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr("surefoot.models.branches.CausalBranch.next", interrupted)
    with pytest.raises(GenerationInterrupted):
        write_texts(tiny.causal(), ASKED, DRAWN, out)
    monkeypatch.undo()
    kept = [json.loads(line) for line in out.read_text().splitlines()[1:]]
    assert {record["finish_reason"] for record in kept[32:]} <= {"interrupted", "stop"}
    assert any(0 < len(record["token_ids"]) < 6 for record in kept[32:])
    resumed = write_texts(tiny.causal(), ASKED, DRAWN, out)
    assert [text.token_ids for text in resumed] == [text.token_ids for text in whole]
    assert texts_of(out) == {one.id: text.text for one, text in zip(ASKED, whole, strict=True)}


def test_a_call_that_is_finished_writes_nothing_again(tmp_path: Path) -> None:
    out, asked = tmp_path / "texts.jsonl", []
    model = ScriptedModel(lambda prompt, _: asked.append(prompt) or "yes")
    first = write_texts(model, ASKED, Sampling(), out)
    size, count = out.stat().st_size, len(asked)
    assert write_texts(model, ASKED, Sampling(), out) == first
    assert (out.stat().st_size, len(asked)) == (size, count)


def test_more_tokens_go_on_with_texts_that_were_cut(tmp_path: Path) -> None:
    out = tmp_path / "texts.jsonl"
    write_texts(tiny.causal(), ASKED[:3], Sampling(max_new_tokens=4), out)
    longer = write_texts(tiny.causal(), ASKED[:3], Sampling(max_new_tokens=12), out)
    at_once = write_texts(tiny.causal(), ASKED[:3], Sampling(max_new_tokens=12))
    assert [text.token_ids for text in longer] == [text.token_ids for text in at_once]


def test_a_line_that_was_cut_short_by_a_kill_is_written_again(tmp_path: Path) -> None:
    out = tmp_path / "texts.jsonl"
    whole = write_texts(tiny.causal(), ASKED[:3], DRAWN, out)
    out.write_bytes(out.read_bytes()[:-20])
    again = write_texts(tiny.causal(), ASKED[:3], DRAWN, out)
    assert [text.token_ids for text in again] == [text.token_ids for text in whole]
    assert texts_of(out) == {one.id: text.text for one, text in zip(ASKED, whole, strict=False)}


@pytest.mark.parametrize("change", ["model", "sampling", "prompt"])
def test_a_file_of_another_call_is_refused_and_stays(change: str, tmp_path: Path) -> None:
    out = tmp_path / "texts.jsonl"
    write_texts(tiny.causal(), ASKED[:3], DRAWN, out)
    before = out.read_bytes()
    model = treat("cad", tiny.causal()) if change == "model" else tiny.causal()
    sampling = Sampling(max_new_tokens=6) if change == "sampling" else DRAWN
    with pytest.raises(BadInput, match="texts of another call"):
        write_texts(model, ASKED[1:3] if change == "prompt" else ASKED[:3], sampling, out)
    assert out.read_bytes() == before


def test_prompts_may_be_made_of_parts(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"context": "The sea is red. ", "input": "Sea?", "id": "s"}\n{"prompt": "B"}\n')
    assert read_prompts(file) == [
        Asked("s", Prompt((Part("context", "The sea is red. "), Part("input", "Sea?")))),
        Asked("1", Prompt.of("B")),
    ]


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        ('{"promt": "x"}', 'Did you mean "prompt"'),
        ('{"id": "a"}', "no prompt"),
        ('{"id": "a", "prompt": "x"}\n{"id": "a", "prompt": "y"}', 'the id "a" more than once'),
        ("", "has no prompts"),
    ],
)
def test_a_bad_file_of_prompts_is_refused_with_its_line(lines: str, part: str, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text(lines)
    with pytest.raises(BadInput, match=part):
        read_prompts(tmp_path / "p.jsonl")


def test_the_command_writes_a_text_and_a_file(place: Place) -> None:
    plain = place.surefoot("write", "Is 3 odd?", "--model", "model", "--max-new-tokens", "4")
    assert plain.code == 0, plain.err
    expected = write_texts(tiny.causal(chat=True), [Asked("0", Prompt.of("Is 3 odd?"))], Sampling(max_new_tokens=4))
    assert plain.out == expected[0].text + "\n"
    place.lines("p.jsonl", [{"context": "Some are. ", "input": f"Is {n} odd?"} for n in range(3)])
    words = ("write", "--prompts", "p.jsonl", "--model", "model", "--treat", "cad:alpha=1", "--max-new-tokens", "4")
    ended = place.surefoot(*words, "--out", "t.jsonl", "--set", "temperature=0.8", "--set", "presence=0.5")
    assert ended.code == 0, ended.err
    assert set(texts_of(place.path / "t.jsonl")) == {"0", "1", "2"}
    assert len(json.loads(place.surefoot(*words, "--json").out)) == 3


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ((), "Give one prompt"),
        (("",), "The prompt is empty"),
        (("x", "--set", "temperatur=1"), 'Did you mean "temperature"'),
        (("x", "--set", "temperature"), "name=value"),
        (("x", "--set", "top_p=2"), "top_p is 2.0"),
        (("x", "--treat", "cad:alpha=-1"), "alpha is -1.0"),
        (("x", "--treat", "kad"), 'Did you mean "cad"'),
        (("x", "--max-new-tokens", "0"), "at least one token"),
        (("x " * 400,), "do not fit into the 256 tokens"),
    ],
)
def test_bad_input_is_one_sentence(words: tuple[str, ...], part: str, place: Place) -> None:
    ended = place.surefoot("write", *words, "--model", "model")
    assert ended.code == 2
    assert part in ended.err
    assert len(ended.err.strip().splitlines()) <= 2
