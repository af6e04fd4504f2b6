"""Works: where they come from, what is asked of them, what of an answer is scored."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from surefoot.errors import BadInput
from surefoot.memorisation.asking import behind, prefix_of, start_of, works_task
from surefoot.memorisation.scoring import HOLE, reference_of, scored_words
from surefoot.memorisation.works import UNSEEN, Work, read_works
from surefoot.tasks.lint import errors_of
from surefoot.tasks.loading import load_tasks, rebased

GOOD = {"id": "a", "title": "A", "text": "one two", "licence": "public domain", "source": "somewhere"}


def written(path: Path, *records: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_the_bundled_works_are_short_licensed_and_half_of_them_unseen() -> None:
    works = read_works()
    assert sum(work.group == UNSEEN for work in works) * 2 == len(works) >= 24
    assert all(80 <= len(work.text.split()) <= 200 for work in works)
    assert {work.licence for work in works} == {"public domain", "Apache-2.0"}
    assert errors_of(works_task(works)) == []


def test_jsonl_csv_and_text_hold_the_same_work(tmp_path: Path) -> None:
    lines = written(tmp_path / "w.jsonl", {**GOOD, "popularity": {"editions": 3}})
    table = tmp_path / "w.csv"
    table.write_text('id,title,text,licence,source,popularity_editions\na,A,"one two",public domain,somewhere,3\n')
    (tmp_path / "A.txt").write_text("one two")
    (tmp_path / "A.licence").write_text("public domain\nsomewhere\n")
    (work,) = read_works(lines)
    assert work == Work("a", "A", "one two", "public domain", "somewhere", popularity={"editions": 3.0})
    assert read_works(table) == (work,)
    assert read_works(tmp_path / "A.txt") == (replace(work, id="A", popularity={}),) == read_works(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"licence": ""}, 'The work "a" of ".*" states no licence; write down licence and source'),
        ({"source": " "}, "states no source"),
        ({"text": " "}, 'line 1: the work "a" has no text'),
        ({"txet": "x"}, 'unknown key "txet". Did you mean "text"'),
        ({"popularity": {"editions": "many"}}, "\"editions\" is 'many', which is no number"),
        ({"popularity": {"editions": "nan"}}, "\"editions\" is 'nan', which is no number; leave unknown ones empty"),
        ({"popularity": [3]}, "is no object"),
    ],
)
def test_a_bad_work_is_refused_with_the_fix(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read_works(written(tmp_path / "w.jsonl", {**GOOD, **change}))


def test_a_work_without_a_licence_is_read_when_the_user_says_so(tmp_path: Path) -> None:
    records = [{"id": name, "text": f"{name} word " * 20} for name in "abc"]
    path = written(tmp_path / "w.jsonl", *records)
    assert [work.title for work in read_works(path, unlicensed=True)] == ["a", "b", "c"]
    (task,) = load_tasks(f"works:{path}?unlicensed=true&prefix=5&tokens=30")
    assert (task.max_new_tokens, task.examples[0].fields["prefix_5"]) == (30, "a word a word a")
    with pytest.raises(BadInput, match="states no licence"):
        load_tasks(f"works:{path}?prefix=5")
    with pytest.raises(BadInput, match="prefix=five"):
        load_tasks(f"works:{path}?unlicensed=true&prefix=five")


def test_same_ids_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match='have the id "a"'):
        read_works(written(tmp_path / "w.jsonl", GOOD, GOOD))
    with pytest.raises(BadInput, match="is no file of works"):
        read_works(written(tmp_path / "w.docx", GOOD))


def test_a_place_moves_with_the_folder_and_the_bundled_works_do_not() -> None:
    assert rebased("works:", Path("/there")) == "works:"
    assert rebased("works:w.jsonl?prefix=5", Path("/there")) == "works:/there/w.jsonl?prefix=5"


def test_prefix_and_rest_are_the_whole_text_with_its_lines() -> None:
    text = "  Call me\n\nIshmael. Some   years ago"
    assert prefix_of(text, 3) == "  Call me\n\nIshmael."
    assert behind(text, 3) == "Some   years ago"
    assert (prefix_of(text, 0), behind(text, 99)) == ("", "")


def test_a_task_asks_by_each_length_by_title_and_by_controls_of_another_work() -> None:
    works = [Work(name, f"T{name}", " ".join(f"{name}{k}" for k in range(30)), "x", "y") for name in "abc"]
    task = works_task(works, prefixes=[2, 4])
    prompts = {wording.id: task.query(task.examples[0], wording).prompt.text for wording in task.wordings}
    assert prompts["prefix-2"] == "a0 a1"
    assert prompts["unrelated-prefix-4"] == "b0 b1 b2 b3"
    assert '"Ta"' in prompts["direct-opening"]
    assert '"Tb"' in prompts["wrong-title"]
    assert {wording.id: start_of(wording) for wording in task.wordings if wording.is_right} == {
        "prefix-2": 2,
        "prefix-4": 4,
        "continue-4": 4,
        "direct-opening": 0,
        "direct-quote": 0,
    }
    assert reference_of(works[0].text, 4, 3) == ("a4", "a5", "a6")
    with pytest.raises(BadInput, match='"a" has 30 words, too few for a prefix of 25'):
        works_task(works, prefixes=[25])
    with pytest.raises(BadInput, match="2 titles"):
        works_task(works[:2], prefixes=[2])


PROMPT = "Go on: in the beginning was the end and"
REFERENCE = ("in", "the", "beginning", "was", "the", "word", "and", "the", "word", "was", "new")


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        (PROMPT, ""),
        ("the end and", ""),  # the whole answer stands in the prompt
        ("In the Beginning was the word and the word", "in the beginning was the word and the word"),
        ("the end was new", "was new"),
        ("Here: in the beginning was the end and then", "here then"),
        ("", ""),
    ],
)
def test_what_is_repeated_of_the_prompt_is_left_out_and_the_work_is_kept(answer: str, kept: str) -> None:
    words, echoed = scored_words(answer, PROMPT, REFERENCE)
    assert [word for word in words if word != HOLE] == kept.split()
    assert echoed == words.count(HOLE)
