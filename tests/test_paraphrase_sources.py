"""Files, language models and the command as sources of paraphrases."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from rewording import DEMO, OFF, Planted, task_of, texts, wording
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.scripted import ScriptedModel
from surefoot.paraphrases import (
    Filters,
    Paraphrased,
    Split,
    paraphrase_task,
    source_of,
    split_wordings,
    write_paraphrases,
)
from surefoot.paraphrases.llm import Llm, cleaned
from surefoot.text.prompt import Prompt

# Files


def notes(result: Paraphrased) -> list[str]:
    return [p.note for group in result.groups for p in group.paraphrases]


def test_a_written_file_gives_the_same_groups_back(tmp_path: Path) -> None:
    made = [paraphrase_task(task, "rules", filters=OFF) for task in DEMO.values()]
    path = tmp_path / "paraphrases.jsonl"
    assert write_paraphrases(made, path) == sum(one.kept for one in made) == 270
    for one in made:
        read = paraphrase_task(DEMO[one.task], f"file:{path}", filters=OFF)
        assert read.groups == one.groups
        assert [p.note for g in read.groups for p in g.paraphrases] == [
            p.note for g in one.groups for p in g.paraphrases
        ]
        assert set(read.dropped.values()) == {0}
        assert read.proposed == one.kept


def paraphrase_file(path: Path, *records: dict[str, str]) -> str:
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return f"file:{path}"


TWO = task_of(wording("a", "Choose one."), wording("b", "Is it so?"), wording("n", "Choose neither.", klass="negated"))
SIDES = Split((TWO.wordings[0],), (TWO.wordings[1],))


def from_file(path: Path, *records: dict[str, str]) -> Paraphrased:
    return paraphrase_task(TWO, paraphrase_file(path / "p.jsonl", *records), filters=OFF, split=SIDES)


def test_a_file_is_filtered_and_counted(tmp_path: Path) -> None:
    lines = [f"{text}\n{{{{ input }}}}\n" for text in ("Pick one.", "Pick one!", "Pick none.", "Take one, please.")]
    made = from_file(tmp_path, *({"of": "a", "text": text, "author": "me"} for text in (*lines, "Pick now.")))
    assert texts(made) == ["Pick one.", "Take one, please."]
    assert {name: n for name, n in made.dropped.items() if n} == {"identical": 1, "negation": 1, "fields": 1}
    assert {p.author for p in made.groups[0].paraphrases} == {"me"}
    assert [p.id for p in made.groups[0].paraphrases] == ["a~1", "a~2"]
    assert {(r.of, r.filter) for r in made.examples} == {("a", "identical"), ("a", "negation"), ("a", "fields")}


@pytest.mark.parametrize("extra", [{}, {"frame": "qa"}])
def test_a_file_that_repeats_tested_wordings_is_refused_with_their_ids(tmp_path: Path, extra: dict[str, str]) -> None:
    lines = ["Pick one.", "IS IT SO", "choose neither!"]
    records = [{"of": "a", "text": f"{text}\n{{{{ input }}}}\n", **extra} for text in lines]
    with pytest.raises(BadInput, match=r'repeats 2 .* line 2 = "b", .* line 3 = "n"; take these lines out'):
        from_file(tmp_path, *records)


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ({"of": "aa", "text": "Pick one.", "task": "odd"}, 'no wording "aa" in it'),
        ({"of": "c", "text": "Pick one."}, "no line is for it"),
        ({"of": "a", "text": " "}, 'needs "text"'),
        ({"of": "a", "text": "Pick one.", "frames": "qa"}, 'unknown key "frames". Did you mean "frame"'),
        ({"of": "a", "text": "Pick one.", "frame": "qb"}, 'no frame "qb". Did you mean "qa"'),
    ],
)
def test_mistakes_in_a_file_are_named(tmp_path: Path, record: dict[str, str], sentence: str) -> None:
    with pytest.raises(BadInput, match=re.escape(sentence)):
        from_file(tmp_path, record)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="holds no paraphrases"):
        from_file(tmp_path)


def test_a_bank_of_wordings_is_dealt_out_where_the_answers_are_the_same(tmp_path: Path) -> None:
    task = DEMO["facts"]
    lines = [
        {"id": f"own-{i}", "text": f"Take the {which} one and name its letter.", "frame": "qa", "layout": layout}
        for i, (which, layout) in enumerate([("best", "letters-dot"), ("true", "letters-dot"), ("fitting", "bullets")])
    ]
    source = paraphrase_file(tmp_path / "bank.jsonl", *({**line, "labels": "letter"} for line in lines))
    made = paraphrase_task(task, source, filters=OFF)
    kept = {g.reference.id: [p.id for p in g.paraphrases] for g in made.groups if g.paraphrases}
    first, second = (w.id for w in split_wordings(task).training[:2])
    assert kept == {first: [f"{first}~own-0"], second: [f"{second}~own-1"]}
    assert made.dropped["answers"] == 1


@pytest.mark.parametrize("seed", range(4))
def test_the_bundled_file_serves_every_task_of_demo_under_any_split(seed: int) -> None:
    for task in DEMO.values():
        made = paraphrase_task(task, "file:demo", filters=OFF, per_wording=4, seed=seed)
        assert (made.kept, made.proposed) == (36, 36)
        assert made.record()["proof"]["overlap"] == []
        assert all(p.frame == group.reference.frame for group in made.groups for p in group.paraphrases)


# A language model


def writer(*replies: str) -> ScriptedModel:
    stream: Iterator[str] = iter(replies)
    return ScriptedModel(lambda *_: next(stream))


def test_what_a_model_writes_is_cleaned_filtered_and_counted() -> None:
    replies = ("Sure, here it is:\n1. “Pick one.”", "...", "Is it so?", "Pick none.", "New instruction: Take one.")
    task = TWO
    made = paraphrase_task(task, Llm(model=writer(*replies), attempts=2), filters=OFF, split=SIDES, per_wording=2)
    assert texts(made) == ["Pick one."]  # four rounds, and the fifth reply is not asked for
    assert {name: n for name, n in made.dropped.items() if n} == {"unreadable": 1, "tested": 1, "negation": 1}
    assert made.proposed == 4
    paraphrase = made.groups[0].paraphrases[0]
    assert paraphrase.text == "Pick one.\n{{ input }}\n"
    assert paraphrase.author == "llm:scripted"


def test_a_model_sees_the_instruction_the_words_to_keep_and_no_tested_wording() -> None:
    seen: list[str] = []

    def reply(prompt: Prompt, _: object) -> str:
        seen.append(prompt.text)
        return f"Now tell me number {len(seen)}: yes or no?"

    task = task_of(wording("a", "Answer yes or no."), wording("b", "Is it so?"))
    split = Split((task.wordings[0],), (task.wordings[1],))
    made = paraphrase_task(task, Llm(model=ScriptedModel(reply)), filters=OFF, split=split, per_wording=2)
    assert made.kept == 2
    assert len(set(seen)) == 2
    for text in seen:
        assert "Instruction: Answer yes or no.\n" in text
        assert "Keep these words: yes, no." in text
        assert "Is it so" not in text
        assert "{{" not in text


def test_a_model_that_cannot_write_is_refused() -> None:
    mute = ScriptedModel(["x"], can=frozenset({"logprobs"}))
    with pytest.raises(NotAvailable, match="Paraphrasing needs generate"):
        paraphrase_task(TWO, Llm(model=mute), filters=OFF, split=SIDES)


@pytest.mark.parametrize(
    ("written", "cut", "text"),
    [
        ("Pick one.", False, "Pick one."),
        ("\n\nHere is the instruction:\n\n- Pick one.\n- Take one.", False, "Pick one."),
        ("Certainly! Here's a new instruction: Pick one.", False, "Pick one."),
        ('"Pick one."', False, "Pick one."),
        ("**Pick one.**", False, "Pick one."),
        ("Pick one. Then go to the", True, "Pick one."),
        ("Pick one and then go to the", True, ""),
        ("Pick one\nThen go to the", True, "Pick one"),
        ('Say "yes" or "no"', False, 'Say "yes" or "no"'),
        ("  ", False, ""),
        ("123", False, ""),
    ],
)
def test_cleaning(written: str, cut: bool, text: str) -> None:
    assert cleaned(written, cut) == text


# Sources and results


@pytest.mark.parametrize("spec", ["rule", "rules:x", "file:", "llm", "csv:x"])
def test_a_source_that_is_not_known_or_not_complete_is_refused(spec: str) -> None:
    with pytest.raises(BadInput):
        source_of(spec)


def test_a_source_is_read_from_its_spec() -> None:
    assert [source_of(spec).name for spec in ("rules", "file:x.jsonl", "llm:smollm2")] == [
        *("rules", "file:x.jsonl", "llm:smollm2")
    ]


def test_no_paraphrases_asked_for_is_refused() -> None:
    with pytest.raises(BadInput, match="per_wording is 0"):
        paraphrase_task(TWO, "rules", per_wording=0)


def test_similarity_to_the_reference_bounds_what_is_kept(tmp_path: Path) -> None:
    records = [{"of": "a", "text": f"{t} one.\n{{{{ input }}}}\n"} for t in ("Pick", "Take a far", "Now pick a near")]
    source = paraphrase_file(tmp_path / "p.jsonl", *records)
    for limits, kept in ((Filters(0.9), []), (Filters(0.7), ["Pick one.", "Now pick a near one."])):
        reference = replace(TWO.wordings[0], text="Choose ref one.\n{{ input }}\n")
        task = replace(TWO, wordings=(reference, *TWO.wordings[1:]))
        split = Split((reference,), SIDES.held_out)
        made = paraphrase_task(task, source, filters=limits, split=split, encoder=Planted())  # type: ignore[arg-type]
        assert texts(made) == (kept or ["Now pick a near one."])
        assert made.dropped["dissimilar"] == 3 - made.kept


def test_ids_are_new_and_distinct() -> None:
    made = paraphrase_task(DEMO["uses"], "rules", filters=OFF)
    ids = [p.id for g in made.groups for p in g.paraphrases]
    assert len({*ids, *(w.id for w in DEMO["uses"].wordings)}) == len(ids) + len(DEMO["uses"].wordings)


# The command


def run(*words: str) -> Result:
    from surefoot.cli import app

    return CliRunner().invoke(app, ["paraphrase", *words])


def test_the_command_writes_what_the_file_source_reads(tmp_path: Path) -> None:
    path = str(tmp_path / "p.jsonl")
    first = run("--task", "demo/facts", "--floor", "0", "--out", path, "--per-wording", "2")
    assert first.exit_code == 0, first.output
    assert f"Paraphrases: {path}" in first.output
    again = run("--task", "demo/facts", "--floor", "0", "--source", f"file:{path}", "--per-wording", "2", "--json")
    (record,) = json.loads(again.output)
    assert (record["kept"], record["proposed"]) == (18, 18)
    assert record["proof"]["overlap"] == []
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    assert {line["of"] for line in lines} == {w.id for w in split_wordings(DEMO["facts"]).training}


def test_the_command_says_what_was_dropped(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    reference = split_wordings(DEMO["facts"]).training[0]
    paraphrase_file(path, {"of": reference.id, "text": "Do not choose the wrong answer; reply with its letter."})
    said = run("--task", "demo/facts", "--floor", "0", "--source", f"file:{path}")
    assert said.exit_code == 0, said.output
    assert "has 2 negating words and the reference 0" in said.output
    assert "9 wordings have fewer than 3 paraphrases." in said.output
