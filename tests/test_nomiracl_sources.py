"""Where judged questions come from: NoMIRACL's released folders and the options of `nomiracl:`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from surefoot.errors import BadInput
from surefoot.probes.unanswerable.rates import PASSAGES
from surefoot.probes.unanswerable.scores import asked_of
from surefoot.tasks.loading import load_tasks
from surefoot.tasks.nomiracl import by_count, by_position
from surefoot.tasks.nomiracl_files import write_nomiracl
from surefoot.tasks.nomiracl_release import LANGUAGES, read_release
from surefoot.tasks.nomiracl_world import judged_questions


def release(folder: Path, language: str = "english", split: str = "test", packed: bool = False) -> Path:
    """A release in which question n of the relevant file has its second passage relevant."""
    place = folder / language
    for kind in ("topics", "qrels"):
        (place / kind).mkdir(parents=True, exist_ok=True)
    documents = []
    for file, relevant in (("relevant", 1), ("non_relevant", 0)):
        topics = [f'{n}#{file}\tWhat is "{file}" {n}?' for n in range(3)]
        rows = [f"{n}#{file}\tQ0\t{file}{n}#{k}\t{relevant if k == 1 else 0}" for n in range(3) for k in range(4)]
        documents += [
            {"docid": f"{file}{n}#{k}", "title": "T", "text": f"{file} {n} {k}"} for n in range(3) for k in range(4)
        ]
        (place / "topics" / f"{split}.{file}.tsv").write_text("\n".join(topics) + "\n")
        (place / "qrels" / f"{split}.{file}.tsv").write_text("\n".join(rows) + "\n")
    text = "".join(json.dumps(one) + "\n" for one in documents)
    if packed:
        (place / "corpus.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    else:
        (place / "corpus.jsonl").write_text(text)
    return place


def test_a_released_folder_gives_both_subsets_of_all_languages(tmp_path: Path) -> None:
    release(tmp_path)
    release(tmp_path, "swahili", packed=True)
    found = read_release(tmp_path)
    assert [one.language for one in found] == ["en"] * 6 + ["sw"] * 6
    assert [one.subset for one in found[:6]] == ["answerable"] * 3 + ["unanswerable"] * 3
    first = found[0]
    assert (first.id, first.text) == ("en/0#relevant", 'What is "relevant" 0?')
    assert sorted(first.passages)[1] == ("relevant0#1", "relevant 0 1", True, "T")
    assert [one.id for one in first.passages] != sorted(one.id for one in first.passages) or len(found) > 1
    assert read_release(tmp_path / "english") == found[:6]
    assert read_release(tmp_path, languages=["sw"]) == found[6:]
    assert set(LANGUAGES.values()) == set(PASSAGES)


def test_each_draws_the_same_questions_of_every_subset_and_language(tmp_path: Path) -> None:
    release(tmp_path)
    drawn = read_release(tmp_path, each=2)
    assert [one.subset for one in drawn] == ["answerable"] * 2 + ["unanswerable"] * 2
    assert {one.id for one in read_release(tmp_path, each=1)} < {one.id for one in drawn}
    assert [t.examples[0].id for t in load_tasks(f"nomiracl:{tmp_path}?each=1")] == [
        one.id for one in read_release(tmp_path, each=1)
    ]


def test_questions_without_judgements_and_judgements_without_questions_are_left_out(tmp_path: Path) -> None:
    place = release(tmp_path)
    with (place / "topics" / "test.relevant.tsv").open("a") as file:
        file.write("9#relevant\tUnjudged?\n")
    with (place / "qrels" / "test.relevant.tsv").open("a") as file:
        file.write("8#relevant\tQ0\trelevant0#0\t1\n")
    assert len(read_release(tmp_path)) == 6


MISTAKES = {
    "relevance": ("qrels/test.relevant.tsv", "0#relevant\tQ0\trelevant0#1\t2\n", 'line 1: the relevance is "2"'),
    "columns": (
        "qrels/test.relevant.tsv",
        "0#relevant\tQ0\t1\n",
        "line 1: write question id, Q0, passage id, relevance",
    ),
    "twice": (
        "qrels/test.relevant.tsv",
        "0#relevant\tQ0\trelevant0#1\t1\n0#relevant\tQ0\trelevant0#1\t0\n",
        'line 2: the passage "relevant0#1" of the question "0#relevant" was judged before',
    ),
    "subset": ("qrels/test.relevant.tsv", "0#relevant\tQ0\trelevant0#1\t0\n", "line 1: the file says relevant"),
    "corpus": (
        "qrels/test.relevant.tsv",
        "0#relevant\tQ0\tx#1\t1\n",
        'line 1: the passage "x#1" of this question is not',
    ),
    "topic": (
        "topics/test.relevant.tsv",
        "0#relevant\tA?\n0#relevant\tB?\n",
        'line 2: the id "0#relevant" stands twice',
    ),
    "text": ("corpus.jsonl", '{"docid": "relevant0#0"}\n', 'line 1: a passage needs "docid" and "text"'),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_release_is_named_with_its_line(tmp_path: Path, mistake: str) -> None:
    name, text, part = MISTAKES[mistake]
    place = release(tmp_path)
    (place / name).write_text(text)
    with pytest.raises(BadInput) as caught:
        read_release(tmp_path)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ("?split=train", '"train" is not a split'),
        ("?languages=en,xx", 'has no language "xx"'),
        ("?each=0", "ask for at least one"),
        ("?each=some", '"each" is "some"; give a number'),
        ("?position=1", "give passages as well"),
        ("?split=dev", "no judged questions of the split dev"),
        ("?pair=true", 'no option "pair"'),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, options: str, part: str) -> None:
    release(tmp_path)
    with pytest.raises(BadInput) as caught:
        load_tasks(f"nomiracl:{tmp_path}{options}")
    assert part in str(caught.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no release of NoMIRACL"):
        load_tasks(f"nomiracl:{tmp_path / 'empty'}")


def test_a_file_is_shown_with_so_many_passages_at_such_a_place_and_in_pairs(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    asked = judged_questions(seed=2, languages=("en",), each=3, passages=5, size=200)
    write_nomiracl(path, asked)
    gold = {one.id: next((p.text for p in one.passages if p.relevant), None) for one in asked}
    (answerable, unanswerable) = load_tasks(f"nomiracl:{path}?passages=3&position=2")
    for example in answerable.examples:
        passages = asked_of(example.fields).passages
        assert [gold[example.id] in text for text in passages] == [False, False, True]
    assert all(len(asked_of(e.fields).passages) == 3 for e in unanswerable.examples)
    names = [task.name for task in load_tasks(f"nomiracl:{path}?pairs=true")]
    assert names == ["answerable", "unanswerable", "removed", "thinned"]
    with pytest.raises(BadInput, match='"split" is for a folder as NoMIRACL is released'):
        load_tasks(f"nomiracl:{path}?split=dev")
    assert [t.name for t in load_tasks("unanswerable-pairs", limit=2)] == names


def test_tasks_by_number_of_passages_ask_the_same_questions_and_keep_the_one_that_answers() -> None:
    asked = judged_questions(seed=2, languages=("en",), each=4, passages=5, size=200)
    gold = {one.id: [p.text for p in one.passages if p.relevant] for one in asked}
    found = by_count((one for one in asked), (1, 3, 5))
    assert list(found) == [1, 3, 5]
    for count, tasks in found.items():
        assert [task.name for task in tasks] == ["answerable", "unanswerable"]
        assert {example.id for task in tasks for example in task.examples} == set(gold)
        for example in (example for task in tasks for example in task.examples):
            shown = asked_of(example.fields).passages
            assert len(shown) == count
            assert sum(text in one for one in shown for text in gold[example.id]) == len(gold[example.id])


def test_tasks_by_place_ask_the_same_questions_with_the_answer_at_that_place() -> None:
    asked = judged_questions(seed=2, languages=("en",), each=4, passages=5, size=200)
    gold = {one.id: next(p.text for p in one.passages if p.relevant) for one in asked if one.subset == "answerable"}
    found = by_position((one for one in asked), 3)
    assert list(found) == [0, 1, 2]
    for place, (task,) in found.items():
        assert {example.id for example in task.examples} == set(gold)
        for example in task.examples:
            shown = asked_of(example.fields).passages
            assert [gold[example.id] in text for text in shown] == [spot == place for spot in range(3)]
