"""Loaders: what is read is what the file says, and a mistake is named with its place."""

from __future__ import annotations

import csv
import gzip
import json
import re
import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from surefoot.errors import BadInput, NotAvailable
from surefoot.tasks.bank import default_wordings
from surefoot.tasks.bundled import bundled_tasks
from surefoot.tasks.lint import errors_of
from surefoot.tasks.loading import load_tasks, tasks_of
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import KLASSES

KINDS = ("multiple_choice", "binary", "multi_class", "generation")
ITEMS = [
    {"qid": "a", "q": "Which animal barks?", "choices": ["dog", "cat", "owl"], "label": 0},
    {"qid": "b", "q": "Which animal flies?", "choices": ["ant", "pig", "owl"], "label": "C"},
    {"qid": "c", "q": "Which animal purrs?", "choices": ["cow", "cat", "hen"], "label": "cat"},
]
COLUMNS = {"question": "q", "options": "choices", "gold": "label", "id": "qid"}


def write(path: Path, records: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def golds(task: Task) -> dict[str, str]:
    return {e.id: e.options[e.gold or 0] for e in task.examples}


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    return write(tmp_path / "animals.jsonl", ITEMS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "suite" / "parity"
    write(path / "items.jsonl", [
        {"id": str(n), "fields": {"number": str(n)}, "options": ["even", "odd"], "gold": n % 2} for n in range(20)
    ])  # fmt: skip
    write(path / "wordings.jsonl", [
        {"id": "a", "text": "Even or odd?", "frame": "mine", "layout": "inline-or"},
        {"id": "b", "text": "Is the number even or odd?", "frame": "qa", "cue": "Reply:"},
        {"id": "c", "text": "Lie: {{ number }}", "klass": "negated", "labels": {"even": "odd", "odd": "even"}},
    ])  # fmt: skip
    write(path.parent / "frames.jsonl", [{"id": "mine", "template": "{{ instruction }} {{ input }}\n", "cue": "="}])
    settings = {"name": "parity", "kind": "binary", "input_template": "{{ number }}", "fixed_options": True}
    (path / "task.json").write_text(json.dumps(settings))
    return path


# Own JSON Lines


def test_gold_may_be_an_index_a_letter_or_the_options_text(animals: Path) -> None:
    (task,) = load_tasks(animals, columns=COLUMNS, shuffle=False)
    assert golds(task) == {"a": "dog", "b": "owl", "c": "cat"}
    assert [e.fields for e in task.examples] == [{"question": item["q"]} for item in ITEMS]
    assert (task.kind, task.name) == ("multiple_choice", "animals")


def test_option_texts_go_before_letters(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", [{"q": "Second letter?", "options": ["B", "A"], "gold": "A"}])
    assert golds(load_tasks(path, columns={"q": "q"})[0]) == {"1": "A"}


def test_ids_are_line_numbers_where_there_is_no_id_column(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", [{"q": "2+2?", "answers": ["4"]}, {"q": "1+1?", "answers": ["2", "two"]}])
    path.write_text("\n" + path.read_text())
    (task,) = load_tasks(path)
    assert [e.id for e in task.examples] == ["2", "3"]
    assert [e.answers for e in task.examples] == [("4",), ("2", "two")]
    assert (task.kind, task.metric, task.chance) == ("generation", "exact_match", None)


def test_options_may_stand_in_columns_of_their_own_and_extra_columns_become_fields(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl.gz", [])
    record = {"text": "Ann left.", "q": "Who left?", "o1": "Ann", "o2": "Bob", "right": "b", "junk": [1]}
    path.write_bytes(gzip.compress(json.dumps(record).encode()))
    columns = {"question": "q", "passage": "text", "options": ["o1", "o2"], "gold": "right"}
    (task,) = load_tasks(path, columns=columns, shuffle=False)
    assert task.examples == (Example("1", {"question": "Who left?", "passage": "Ann left."}, ("Ann", "Bob"), 1),)
    prompt = task.query(task.examples[0], task.wordings[0]).prompt
    assert "Passage: Ann left.\nQuestion: Who left?" in prompt.text
    assert "Ann left." not in prompt.without("context").text


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ([["yes", "no"]] * 2, "binary"),
        ([["a", "b", "c"]] * 2, "multi_class"),
        ([["a", "b"], ["c", "d"]], "multiple_choice"),
    ],
)
def test_the_kind_follows_from_the_options(tmp_path: Path, options: list[list[str]], kind: str) -> None:
    records = [{"text": f"t{i}", "options": o, "gold": 0} for i, o in enumerate(options)]
    assert load_tasks(write(tmp_path / "x.jsonl", records))[0].kind == kind


def test_options_are_shuffled_by_id_and_seed_whatever_the_order_of_the_file(tmp_path: Path) -> None:
    records = [{"id": str(i), "q": f"q{i}", "options": list("abcdef"), "gold": 0} for i in range(60)]
    forth = load_tasks(write(tmp_path / "forth.jsonl", records), seed=3)[0]
    back = load_tasks(write(tmp_path / "back.jsonl", records[::-1]), seed=3)[0]
    assert {e.id: e.options for e in forth.examples} == {e.id: e.options for e in back.examples}
    assert set(golds(forth).values()) == {"a"}
    assert len({e.gold for e in forth.examples}) == 6
    assert load_tasks(tmp_path / "forth.jsonl", seed=4)[0].examples != forth.examples


def test_shots_leave_the_test_items_and_the_limit_counts_what_is_left(folder: Path) -> None:
    (task,) = load_tasks(folder, shots=3, limit=5)
    assert (len(task.shots), len(task.examples)) == (3, 5)
    assert not {e.id for e in task.shots} & {e.id for e in task.examples}
    assert load_tasks(folder, shots=3, limit=9)[0].shots == task.shots


# Mistakes


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"q": "x", "options": ["a", "b"], "gold": 0', r"x\.jsonl, line 2: not JSON"),
        ('["a"]', r"line 2: not a JSON object"),
        ('{"q": "x", "options": ["a", "b"], "gold": 2}', r"line 2: the gold index 2 is out of range"),
        ('{"q": "x", "options": ["a", "b"], "gold": "Z"}', r'line 2: the gold answer "Z" is no option'),
        ('{"q": "x", "options": ["a", "b"]}', r'line 2: the item has options and no "gold"'),
        ('{"q": "x", "options": "a", "gold": 0}', r'line 2: "options" is "a", which is not a list'),
        ('{"q": ["x"], "options": ["a", "b"], "gold": 0}', r'line 2: "q" is \["x"\], which is not text'),
        ('{"qq": "x", "options": ["a", "b"], "gold": 0}', r'line 2: there is no column "q".*Did you mean "qq"'),
        ('{"q": "x"}', r'line 2: the item has neither "options" nor "answers"'),
    ],
)
def test_a_bad_line_is_named_with_file_and_number(tmp_path: Path, line: str, message: str) -> None:
    path = write(tmp_path / "x.jsonl", [{"q": "fine", "options": ["a", "b"], "gold": 1}])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(BadInput, match=message):
        load_tasks(path, columns={"q": "q"})


def test_mistakes_name_the_nearest_thing(animals: Path, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    cases = [
        (lambda: load_tasks("demo/revews"), 'Did you mean "demo/reviews"'),
        (lambda: load_tasks(tmp_path / "animal.jsonl"), r'Did you mean "animals\.jsonl"'),
        (lambda: load_tasks(animals, columns={"question": "qq", "options": "choices", "gold": "label"}), '"qq".*"q"'),
        (lambda: load_tasks(tmp_path / "empty.jsonl"), 'task "empty" has no items'),
        (lambda: load_tasks(folder, klasses=["negatd"]), 'Did you mean "negated"'),
        (lambda: load_tasks(folder, klasses=["nonsense"]), "the task has negated, right"),
        (lambda: load_tasks("bigbnech:x"), 'Did you mean "bigbench"'),
        (lambda: load_tasks("hub:a/b?splt=test"), 'Did you mean "split"'),
        (lambda: load_tasks(folder, columns={"q": "q"}), "takes no column mapping"),
        (lambda: load_tasks(folder, limit=0), "The limit is 0"),
        (lambda: load_tasks(folder, shots=20), "20 shots leave no items"),
        (lambda: load_tasks(tmp_path), "holds no task"),
    ]
    for call, message in cases:
        with pytest.raises(BadInput, match=message):
            call()


def change(path: Path, **changes: Any) -> None:
    record = json.loads(path.read_text().splitlines()[0]) if path.suffix == ".jsonl" else json.loads(path.read_text())
    path.write_text(json.dumps({**record, **changes}))


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("task.json", {"kindd": "binary"}, r'task\.json: unknown key "kindd".*"kind"'),
        ("task.json", {"kind": "quiz"}, 'the kind "quiz" is not one of'),
        ("task.json", {"max_new_tokens": "8"}, "\"max_new_tokens\" is '8', which is not int"),
        ("task.json", {"roles": {"number": "contxt"}}, 'Did you mean "context"'),
        ("items.jsonl", {"feilds": {}}, r'items\.jsonl, line 1: unknown key "feilds".*"fields"'),
        ("items.jsonl", {"fields": {"input": "x"}}, 'a field cannot be called "input"'),
        ("items.jsonl", {"fields": {"numbr": "1"}}, '"number"'),
        ("wordings.jsonl", {"layuot": "none"}, r'wordings\.jsonl, line 1: unknown key "layuot".*"layout"'),
        ("wordings.jsonl", {"frame": "miine"}, 'line 1: there is no frame "miine".*"mine"'),
        ("wordings.jsonl", {"klass": "wrong"}, 'line 1: Instruction "a" has the class "wrong"'),
        ("wordings.jsonl", {"layout": "letter-dot"}, 'line 1: "letter-dot" is not an option layout.*"letters-dot"'),
        ("wordings.jsonl", {"blocks": {"options": ["{L}"]}}, "line 1: a block is three texts"),
        ("wordings.jsonl", {"text": " "}, "empty template"),
        ("wordings.jsonl", {"text": "Is {{ numbr }} even?"}, 'asks for the field "numbr".*"number"'),
    ],
)
def test_a_mistake_in_a_task_folder_is_one_sentence(
    folder: Path, file: str, changes: dict[str, Any], message: str
) -> None:
    change(folder / file, **changes)
    with pytest.raises(BadInput, match=message) as caught:
        load_tasks(folder)
    assert "\n" not in str(caught.value)


def test_text_that_is_not_utf8_or_not_gzip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.jsonl").write_bytes('{"q": "né"}'.encode("latin-1"))
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(b'{"q": "x"}' * 99)[:-12])
    with pytest.raises(BadInput, match="not UTF-8"):
        load_tasks(tmp_path / "latin.jsonl")
    with pytest.raises(BadInput, match="cut short"):
        load_tasks(tmp_path / "cut.jsonl.gz")


# Folders


def test_a_folder_gives_its_frames_cues_labels_and_classes(folder: Path) -> None:
    (task,) = load_tasks(folder)
    item = task.examples[3]
    texts = {w.id: task.query(item, w).prompt.text for w in task.wordings}
    assert texts["a"] == "Even or odd? 3\n="
    assert texts["b"].startswith("Q: Is the number even or odd?\n3\n")
    assert texts["b"].endswith("Reply:")
    negated = task.query(item, task.wording("c"))
    assert (negated.labels, negated.gold, task.wording("c").klass) == (("odd", "even"), 1, "negated")
    assert load_tasks(folder.parent) == load_tasks(folder)
    assert [w.id for w in load_tasks(folder, klasses="negated")[0].wordings] == ["c"]


def test_a_frame_beside_the_task_goes_before_the_suites_and_the_bundled_one(folder: Path) -> None:
    for place, mark, ids in ((folder, "task", ["qa"]), (folder.parent, "suite", ["qa", "mine"])):
        template = mark + " {{ instruction }} {{ input }}"
        write(place / "frames.jsonl", [{"id": id, "template": template} for id in ids])
    (task,) = load_tasks(folder)
    texts = {w.id: task.query(task.examples[0], w).prompt.text.split()[0] for w in task.wordings}
    assert (texts["a"], texts["b"]) == ("suite", "task")


def test_wordings_of_another_file_replace_the_tasks_own(folder: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", [{"id": "z", "text": "{{ input }} is", "author": "me"}])
    (task,) = load_tasks(folder, wordings=path)
    assert [(w.id, w.author) for w in task.wordings] == [("z", "me")]


def test_the_bundled_suite_is_every_one_of_its_tasks() -> None:
    names = [name for name in bundled_tasks() if name.startswith("demo/")]
    assert len(names) >= 6
    assert [t.name for t in load_tasks("demo", limit=1)] == [load_tasks(name, limit=1)[0].name for name in names]


# Default wordings


@pytest.mark.parametrize("kind", KINDS)
def test_default_wordings_are_enough_of_each_class_in_several_frames_and_pass_the_linter(kind: str) -> None:
    bank = default_wordings(kind)
    counts = Counter(w.klass for w in bank)
    assert counts["right"] >= 12
    assert min(counts[k] for k in ("incorrect", "negated", "nonsense")) >= 4
    assert len({w.frame for w in bank if w.is_right}) >= 4
    options = () if kind == "generation" else ("dry", "wet", "hot")[: 2 if kind == "binary" else 3]
    items = [Example(str(i), {"text": f"Text {i}"}, options, *((0,) if options else (None, ("x",)))) for i in range(3)]
    task = Task("t", kind, tuple(items), bank, "{{ text }}")  # type: ignore[arg-type]
    assert errors_of(task) == []
    for wording in bank:
        text = task.query(items[0], wording).prompt.text
        assert "Text 0" in text
        assert all(option in text for option in options)


# BIG-bench


BIGBENCH: dict[str, Any] = {
    "description": "d",
    "task_prefix": "Decide.\n",
    "example_input_prefix": "\nIn: ",
    "example_output_prefix": "\nOut: ",
    "choice_prefix": "\n* ",
    "examples": [
        {"input": "2+2", "target_scores": {"4": 1, "5": 0}},
        {"input": "{{ 1+1 }}", "target_scores": {"3": 0.0, "2": 1.0, "1": 0.2}},
    ],
}


def bigbench(path: Path, **changes: Any) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / "task.json").write_text(json.dumps({k: v for k, v in {**BIGBENCH, **changes}.items() if v is not None}))
    return path


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "Decide.\n\nIn: {{ 1+1 }}\n* 3\n* 2\n* 1\nOut: "),
        ({"append_choices_to_input": False}, "Decide.\n\nIn: {{ 1+1 }}\nOut: "),
        ({"append_choices_to_input": "false"}, "Decide.\n\nIn: {{ 1+1 }}\nOut: "),
        (dict.fromkeys(["task_prefix", "example_input_prefix", "example_output_prefix", "choice_prefix"]),
         "\nQ: {{ 1+1 }}\n  choice: 3\n  choice: 2\n  choice: 1\nA: "),
    ],
)  # fmt: skip
def test_the_designers_wording_is_put_together_as_big_bench_does(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    (task,) = load_tasks(f"bigbench:{bigbench(tmp_path / 'sums', **changes)}", klasses="default", shuffle=False)
    (wording,) = task.wordings
    query = task.query(task.examples[1], wording)
    assert query.prompt.text == expected
    assert (query.labels, query.gold) == (("3", "2", "1"), 1)
    assert (task.name, task.examples[1].id, task.kind) == ("bigbench/sums", "sums/1", "multiple_choice")


def test_sub_tasks_are_tasks_and_free_form_targets_are_answers(tmp_path: Path) -> None:
    bigbench(tmp_path / "many" / "first")
    bigbench(
        tmp_path / "many" / "second", examples=[{"input": "a", "target": "b"}, {"input": "c", "target": ["d", "e"]}]
    )
    first, second = load_tasks(f"bigbench:{tmp_path / 'many'}")
    assert (first.name, second.name) == ("bigbench/many/first", "bigbench/many/second")
    assert [e.answers for e in second.examples] == [("b",), ("d", "e")]
    assert {"default", "right", "negated"} <= {w.klass for w in second.wordings}


def test_big_bench_mistakes_are_named(tmp_path: Path) -> None:
    tied = bigbench(tmp_path / "tied", examples=[{"input": "a", "target_scores": {"x": 1, "y": 1}}])
    code = bigbench(tmp_path / "code", examples=[])
    bare = bigbench(tmp_path / "bare", examples=[{"input": "a"}])
    for path, message in ((tied, "example 0: 2 options share"), (code, "programmatic"), (bare, 'neither "target"')):
        with pytest.raises(BadInput, match=message):
            load_tasks(f"bigbench:{path}")
    with pytest.raises(BadInput, match=r"holds no task\.json"):
        load_tasks(f"bigbench:{tmp_path / 'nowhere'}")


# MMLU


def test_mmlu_rows_survive_a_round_trip_and_the_word_none_is_text(tmp_path: Path) -> None:
    rows = [['Which, "of" these\nis empty?', "None", "NA", "", "null", "A"], ["Next?", "1", "2", "3", "4", "D"]]
    with (tmp_path / "odd_things_test.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    (task,) = load_tasks(f"mmlu:{tmp_path}", shuffle=False)
    assert task.name == "mmlu/odd_things"
    assert [e.id for e in task.examples] == ["odd_things/0", "odd_things/1"]
    assert [[e.fields["question"], *e.options, "ABCD"[e.gold or 0]] for e in task.examples] == rows


def test_a_bad_mmlu_row_is_named_with_its_line_even_after_cells_with_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "x_test.csv"
    for row, message in (
        ("q,1,2,3,4", "5 columns"),
        ("q,1,2,3,4,E", 'the answer "E"'),
        ("q,1,2,3,4,", 'the answer ""'),
    ):
        path.write_text(f'"two\nlines",1,2,3,4,A\n{row}\n')
        with pytest.raises(BadInput, match=rf"x_test\.csv, line 3: .*{message}"):
            load_tasks(f"mmlu:{path}")


# The hub


def test_the_hub_without_its_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(NotAvailable, match=r'pip install "surefoot\[datasets\]"'):
        load_tasks("hub:org/name")


class FakeSplit(list[dict[str, Any]]):
    features: dict[str, Any] = {"label": types.SimpleNamespace(names=["neg", "pos"]), "text": object()}  # noqa: RUF012


def fake_hub(monkeypatch: pytest.MonkeyPatch, load: Any) -> None:
    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load))


def test_hub_rows_take_a_split_a_config_and_a_column_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    choices = ["pos", "neg"]  # not in the order of the class labels
    rows = FakeSplit({"text": text, "label": label, "choices": choices} for text, label in (("fine", 1), ("bad", 0)))

    def load(name: str, config: str | None) -> dict[str, FakeSplit]:
        asked.append((name, config))
        return {"validation": rows}

    fake_hub(monkeypatch, load)
    columns = {"text": "text", "options": "choices", "gold": "label"}
    (task,) = load_tasks("hub:org/name?split=validation&config=en", columns=columns)
    assert asked == [("org/name", "en")]
    assert [golds(task)[id] for id in ("0", "1")] == ["pos", "neg"]
    with pytest.raises(BadInput, match='no split "test"'):
        load_tasks("hub:org/name", columns=columns)


def test_an_unreachable_hub_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, config: str | None) -> None:
        raise ConnectionError(f"no route to {name} {config}\nand more")

    fake_hub(monkeypatch, load)
    with pytest.raises(NotAvailable, match=r"cannot be had .*no route to org/name None$"):
        load_tasks("hub:org/name")


# The pages of the documentation


@pytest.mark.parametrize("page", ["your-own-task.md", "your-own-wordings.md"])
def test_the_examples_of_a_page_run_as_printed(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[1] / "docs" / page).read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    assert {language for language, _, _ in blocks} >= {"jsonl", "python", "text"}
    space: dict[str, Any] = {}
    printed = ""
    for language, name, body in blocks:
        if language in ("json", "jsonl"):
            assert all(json.loads(part) for part in (body.splitlines() if language == "jsonl" else [body]))
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(body, encoding="utf-8")
        elif language == "csv":
            Path(name).write_text(body, encoding="utf-8")
        elif language == "python":
            assert not printed, "the block before prints something that the page does not show"
            exec(compile(body, page, "exec"), space)
            printed = capsys.readouterr().out
        elif language == "text":
            assert printed == body
            printed = ""
    assert not printed


# The released wordings


def records_of(path: Path) -> list[dict[str, Any]]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in text.decode().split("\n") if line]


WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 11: "eleven"}


def fill(pattern: str, i: int, option: str) -> str:
    marks = {"{L}": chr(65 + i), "{l}": chr(97 + i), "{n}": str(i + 1), "{option}": option}
    return re.sub(r"\{(?:L|l|n|option)\}", lambda m: marks[m.group()], pattern)


def reference_prompt(record: dict[str, Any], groups: dict[str, str], text: str, options: tuple[str, ...]) -> str:
    """The README's rules for rendering, written a second time: all placeholders replaced in one pass."""
    last = len(options) - 1
    values = {**groups, "input": text, "n_options": str(last + 1), "n_options_word": WORDS.get(last + 1, "?")}
    values |= {chr(65 + i): option for i, option in enumerate(options)}
    for name, block in record["blocks"].items():
        kinds = ["first", *["middle"] * (last - 1), "last"]
        values[name] = "".join(fill(block[kind], i, o) for i, (kind, o) in enumerate(zip(kinds, options, strict=True)))
    for name, spec in record["letter_lists"].items():
        base = 65 if spec["case"] == "upper" else 97
        marks = [spec["open"] + chr(base + i) + spec["close"] for i in range(last + 1)]
        values[name] = spec["sep"].join(marks[:-1]) + spec["last_sep"] + marks[-1]
    return re.sub(r"\{(\w+)\}", lambda m: values[m.group(1)], record["template"])


def reference_labels(record: dict[str, Any], options: tuple[str, ...]) -> tuple[str, ...]:
    space = record["label_space"]
    patterns = {
        "letters_upper": "{L}",
        "letters_lower": "{l}",
        "option_text": "{option}",
        "letters_pattern": space.get("pattern"),
    }
    if space["form"] == "fixed":
        return tuple(space["gold_by_option"][option] for option in options)
    return tuple(fill(patterns[space["form"]], i, option) for i, option in enumerate(options))


RELEASED = (
    *("BBQ_Lite", "Code_Line_Description", "Conceptual_Combinations", "Hindu_Knowledge", "Known_Unknowns"),
    *("Logic_Grid_Puzzle", "Logical_Deduction", "Novel_Concepts", "Play_Dialog", "Strange_Stories", "StrategyQA"),
    *("Winowhy", "Conceptual_Combinations_Adversarial", "Epistemic_Reasoning", "Intent_Recognition"),
)


@pytest.mark.parametrize("name", RELEASED)
def test_released_wordings_render_as_an_independent_reading_of_the_rules(reference_data: Path, name: str) -> None:
    settings = json.loads((reference_data / "task_fields.json").read_text())[name]
    (task,) = load_tasks(f"released:{reference_data}#{name}?include_flagged=true", seed=1)
    rows = {r["id"]: r for r in records_of(reference_data / "bigbench" / f"{settings['data'].split()[0]}.jsonl")}
    bank = {r["id"]: r for r in records_of(reference_data / "instructions.jsonl")}
    for example in task.examples[:: max(1, len(task.examples) // 25)]:
        row = rows[example.id]
        match = re.search(settings["fields_from_input"], row["input"])
        assert match is not None
        assert example.options[example.gold or 0] == row["options"][row["answer_index"]]
        for wording in task.wordings:
            query = task.query(example, wording)
            record = bank[wording.id]
            assert query.prompt.text == reference_prompt(record, match.groupdict(), row["input"], example.options)
            assert query.labels == reference_labels(record, example.options)


def test_a_released_wording_that_does_not_fit_the_items_is_never_taken(tmp_path: Path) -> None:
    plain = {
        "collection": "BBL",
        "type": "Unobserved",
        "tasks": ["Toy"],
        "observed": {"Flan-T5": False, "T0": None, "Alpaca": None},
    }
    plain |= {"blocks": {}, "letter_lists": {}, "label_space": {"form": "option_text"}, "flags": [], "same_text_as": []}
    templates = {"fits": "{input} ->", "three": "{input}: {A} or {B}?", "paragraph": "{paragraph} {input}"}
    write(tmp_path / "instructions.jsonl", [
        {**plain, "id": id, "number": 1, "template": template, "n_options": 3 if id == "three" else None}
        for id, template in templates.items()
    ])  # fmt: skip
    settings = {"Toy": {"data": "toy", "fields_from_input": "(?s)^Say: (?P<word>.*)$"}}
    (tmp_path / "task_fields.json").write_text(json.dumps(settings))
    rows = [{"id": str(i), "input": f"Say: {w}", "options": ["x", "y"], "answer_index": 0} for i, w in enumerate("ab")]
    write(tmp_path / "bigbench" / "toy.jsonl", rows)
    (task,) = load_tasks(f"released:{tmp_path}#Toy?include_flagged=true")
    assert [w.id for w in task.wordings] == ["fits"]
    assert "three (needs 3 options; the items have 2)" in task.description
    assert "paragraph (names the field paragraph, which the items do not have)" in task.description
    assert task.query(task.examples[1], task.wordings[0]).prompt.text == "Say: b ->"
    with pytest.raises(BadInput, match="take another family"):
        load_tasks(f"released:{tmp_path}#Toy?family=T0")


@pytest.mark.parametrize("spec", ["MMLU/anatomy", "MMLU/virology", "MMLU_Specific/anatomy"])
def test_released_mmlu_wordings_render_as_an_independent_reading_of_the_rules(reference_data: Path, spec: str) -> None:
    (task,) = load_tasks(f"released:{reference_data}#{spec}?include_flagged=true", limit=25)
    rows = {f"{r['subject']}/{r['row']}": r for r in records_of(reference_data / "mmlu_test.jsonl.gz")}
    bank = {r["id"]: r for r in records_of(reference_data / "instructions.jsonl")}
    for example in task.examples:
        row = rows[example.id]
        groups = {"question": row["question"], "domain": row["subject"].replace("_", " ")}
        for wording in task.wordings:
            query, record = task.query(example, wording), bank[wording.id]
            assert query.prompt.text == reference_prompt(record, groups, row["question"], example.options)
            assert query.labels == reference_labels(record, example.options)


@pytest.mark.parametrize(
    ("family", "observed", "unobserved"), [("Flan-T5", 50, 20), ("T0", 13, 20), ("Alpaca", 20, 33)]
)
def test_a_family_sees_as_many_wordings_of_each_class_as_the_published_table_counts(
    reference_data: Path, family: str, observed: int, unobserved: int
) -> None:
    spec = f"released:{reference_data}#MMLU/anatomy?family={family}"
    (everything,) = load_tasks(f"{spec}&include_flagged=true", limit=5)
    assert Counter(w.klass for w in everything.wordings) == {"observed": observed, "unobserved": unobserved}
    (kept,) = load_tasks(spec, limit=5)
    defects = {"Flan-T5": 10, "T0": 0, "Alpaca": 5}
    assert len(everything.wordings) - len(kept.wordings) == defects[family]
    assert all(w.author == "released" and w.collection and w.category for w in kept.wordings)


def test_the_adversarial_section_gives_all_classes_and_no_sound_wording_is_lost(reference_data: Path) -> None:
    (task,) = load_tasks(f"released:{reference_data}#Epistemic_Reasoning", limit=5)
    counts = Counter(w.klass for w in task.wordings)
    assert counts == {"right": 8, "incorrect": 8, "negated": 8, "nonsense": 5, "unobserved": 5, "default": 1}
    assert set(counts) <= set(KLASSES)


def test_items_that_list_the_gold_answer_first_are_shuffled(reference_data: Path) -> None:
    spec = f"released:{reference_data}#Conceptual_Combinations"
    assert {e.gold for e in load_tasks(spec, shuffle=False)[0].examples} == {0}
    places = Counter(e.gold for e in load_tasks(spec)[0].examples)
    assert len(places) == 4
    assert max(places.values()) < 103 / 2


def test_what_the_release_does_not_hold_is_named(reference_data: Path) -> None:
    with pytest.raises(NotAvailable, match="not in the source snapshot"):
        load_tasks(f"released:{reference_data}#Logical_Sequence")
    for part, message in (
        ("#Winowy", 'Did you mean "Winowhy"'),
        ("#MMLU/anatmy", 'Did you mean "anatomy"'),
        ("", "names no task"),
        ("#Winowhy?family=Flan", 'Did you mean "Flan-T5"'),
        ("#Winowhy?include_flagged=yes", "write true or false"),
    ):
        with pytest.raises(BadInput, match=message):
            load_tasks(f"released:{reference_data}{part}")


def test_several_names_give_what_each_gives(animals: Path) -> None:
    one = load_tasks(str(animals), columns=COLUMNS)[0]
    for more in ({"limit": 2}, {"limit": 2, "held_out": True}, {"shots": 1}):
        each = [task for name in ("demo/topics", "demo/past") for task in load_tasks(name, **more)]
        assert tasks_of(["demo/topics", "demo/past"], **more) == tuple(each)
    assert [task.name for task in tasks_of(["demo/topics", one])] == ["topics", one.name]
