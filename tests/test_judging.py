"""Building the two subsets from a corpus: pools, sheets through spreadsheets, and what many annotators come to."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from command import Place, sentence_of
from surefoot.errors import BadInput
from surefoot.judging.agreement import agreement
from surefoot.judging.building import build
from surefoot.judging.pool import Pooled, key_of, pooled, read_pool, write_pool
from surefoot.judging.sheet import COLUMNS, Judged, Sheet, read_sheet, write_sheet
from surefoot.judging.verdict import labels_of, verdict, verdicts
from surefoot.questions.question import Question
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Document, Hit
from surefoot.tasks.loading import load_tasks
from surefoot.tasks.nomiracl_files import read_nomiracl
from surefoot.worlds.corpora import QuestionWorld
from surefoot.worlds.corpus_files import write_world

WORLD = QuestionWorld(seed=3, size=400, kinds=("single", "unanswerable"), count=12, languages=("en", "th"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, monkeypatch, capsys)


def pool(*texts: str, count: int = 2) -> tuple[Pooled, ...]:
    """A question of each text, with `count` passages."""
    return tuple(
        Pooled(
            f"q{n}", text, "en", tuple(Hit(Document(f"d{n}.{k}", "", f"text {n} {k}"), 9.0 - k) for k in range(count))
        )
        for n, text in enumerate(texts)
    )


def judge(path: Path, to: Path, label: Callable[[dict[str, str]], str], delimiter: str = ",") -> Path:
    """What an annotator does: opens a sheet, fills it, saves it as CSV of some country."""
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    with to.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows({**row, "relevance": label(row)} for row in rows)
    return to


# From a corpus to a task, where every judgement is known


def test_the_world_judged_by_its_gold_gives_the_subsets_that_its_questions_say(place: Place) -> None:
    write_world(WORLD, place.path / "w")
    gold = {q.id: {id for ways in q.evidence for hop in ways for id in hop} for q in WORLD.questions}
    assert place.surefoot("index", "w/corpus.jsonl", "--out", "idx", "--quiet").code == 0
    words = ("--queries", "w/questions.jsonl", "--index", "idx", "--passages", "8", "--pool", "pool.jsonl")
    made = place.surefoot("nomiracl-sheet", *words, "--out", "sheet.csv")
    assert made.code == 0, made.err
    judge(place.path / "sheet.csv", place.path / "ann.csv", lambda row: str(int(row["docid"] in gold[row["query_id"]])))
    built = place.surefoot("nomiracl-build", "ann.csv", "--pool", "pool.jsonl", "--out", "task.jsonl")
    assert built.code == 0, built.err
    assert "ann: 96 of 96 passages judged" in built.out
    found = read_nomiracl(place.path / "task.jsonl")
    wanted = {
        q.id: "answerable" if any(h.document.id in gold[q.id] for h in one.hits) else "unanswerable"
        for q, one in zip(WORLD.questions, read_pool(place.path / "pool.jsonl"), strict=True)
    }
    assert {one.id: one.subset for one in found} == wanted
    assert set(wanted.values()) == {"answerable", "unanswerable"}
    assert all(one.subset == "unanswerable" for one in found if one.id.startswith("unanswerable"))
    assert {task.name: len(task.examples) for task in load_tasks("nomiracl:task.jsonl")} == Counter(wanted.values())


def test_the_same_command_twice_changes_nothing_and_another_pool_or_judged_sheet_is_not_overwritten(
    place: Place,
) -> None:
    write_world(WORLD, place.path / "w")
    place.surefoot("index", "w/corpus.jsonl", "--out", "idx", "--quiet")
    words = ("nomiracl-sheet", "--queries", "w/questions.jsonl", "--index", "idx", "--pool", "pool.jsonl")
    first = place.surefoot(*words, "--passages", "3", "--out", "sheet.csv")
    before = [(place.path / name).read_bytes() for name in ("pool.jsonl", "sheet.csv")]
    assert place.surefoot(*words, "--passages", "3", "--out", "sheet.csv").out == first.out
    assert [(place.path / name).read_bytes() for name in ("pool.jsonl", "sheet.csv")] == before
    assert "holds another pool" in sentence_of(place.surefoot(*words, "--passages", "4", "--out", "new.csv"))
    judge(place.path / "sheet.csv", place.path / "sheet.csv", lambda _: "1")
    again = place.surefoot(*words, "--passages", "3", "--out", "sheet.csv")
    assert "is there already and may hold judgements" in sentence_of(again)
    thai = place.surefoot("nomiracl-sheet", "--pool", "pool.jsonl", "--out", "th.csv", "--language", "th")
    assert "(6 questions, 18 passages to judge)" in thai.out
    none = place.surefoot("nomiracl-sheet", "--pool", "pool.jsonl", "--out", "x.csv", "--language", "xx")
    assert sentence_of(none) == 'The pool has no question in "xx"; its languages are en, th.'
    half = place.surefoot("nomiracl-sheet", "--pool", "pool.jsonl", "--out", "x.csv", "--index", "idx")
    assert "give both --queries and --index" in sentence_of(half)


def test_a_question_for_which_nothing_is_found_is_named_and_queries_may_be_tsv(place: Place) -> None:
    (place.path / "c.jsonl").write_text(json.dumps({"id": "a", "text": "rain falls"}) + "\n")
    (place.path / "q.tsv").write_text("1\tDoes rain fall?\n2\tXyzzy?\n")
    place.surefoot("index", "c.jsonl", "--out", "idx", "--quiet")
    made = place.surefoot(
        "nomiracl-sheet", "--queries", "q.tsv", "--index", "idx", "--pool", "p.jsonl", "--out", "s.csv"
    )
    assert "nothing is found for them: 2" in made.err
    assert "(1 questions, 1 passages to judge)" in made.out
    (place.path / "q.tsv").write_text("1\tRain?\n1\tSnow?\n")
    again = place.surefoot(
        "nomiracl-sheet", "--queries", "q.tsv", "--index", "idx", "--pool", "x.jsonl", "--out", "t.csv"
    )
    assert sentence_of(again) == 'q.tsv, line 2: the id "1" stands twice; give every question its own.'
    (place.path / "q.tsv").write_text("1 Rain?\n")
    again = place.surefoot(
        "nomiracl-sheet", "--queries", "q.tsv", "--index", "idx", "--pool", "x.jsonl", "--out", "t.csv"
    )
    assert sentence_of(again) == "q.tsv, line 1: write id, text with a tab between two."


def test_the_pool_is_what_the_retriever_finds_best_first_and_is_read_back_as_it_was(tmp_path: Path) -> None:
    corpus = Corpus.of([Document("1", "Rain", "rain rain"), Document("2", "", "rain\nsnow"), Document("3", "", "sun")])
    found = pooled([Question("a", "rain?", language="sw"), Question("b", "hail?")], BM25.of(corpus), 2)
    assert [hit.document.id for hit in found.questions[0].hits] == ["1", "2"]
    assert found.empty == ("b",)
    write_pool(tmp_path / "p.jsonl", found.questions)
    assert read_pool(tmp_path / "p.jsonl") == found.questions


# Sheets


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_no_cell_of_a_sheet_begins_a_formula_and_other_texts_survive(
    tmp_path_factory: object, texts: list[str]
) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]
    questions = tuple(Pooled(str(n), t, "en", (Hit(Document("=1+1", t, t), 0.0),)) for n, t in enumerate(texts))
    path = tmp_path_factory.mktemp("sheet") / "s.csv"  # type: ignore[attr-defined]
    assert write_sheet(path, questions) == len(texts)
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))
    assert len({row["key"] for row in rows}) == len(texts)
    for row, text in zip(rows, texts, strict=True):
        assert row["docid"] == "'=1+1"
        assert not any(cell.strip()[:1] in set("=+-@\uff1d\uff0b\uff0d\uff20") - {""} for cell in row.values())
        assert row["text"].removeprefix("'") == text.replace("\x00", "").replace("\r", " ") or text.startswith("'")


def test_the_byte_order_mark_is_an_option_and_ranks_are_not_told(tmp_path: Path) -> None:
    questions = pool("What?", count=9)
    write_sheet(tmp_path / "with.csv", questions)
    write_sheet(tmp_path / "without.csv", questions, bom=False)
    one, other = ((tmp_path / name).read_bytes() for name in ("with.csv", "without.csv"))
    assert one == b"\xef\xbb\xbf" + other
    assert "score" not in other.decode()
    order = [row["docid"] for row in csv.DictReader(io.StringIO(other.decode(), newline=""))]
    assert order != sorted(order)
    write_sheet(tmp_path / "turned.csv", [questions[0]._replace(hits=questions[0].hits[::-1])], bom=False)
    assert (tmp_path / "turned.csv").read_bytes() == other


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_labels_are_read_as_programs_of_different_countries_save_them(tmp_path: Path, delimiter: str) -> None:
    questions = pool("What, where; when?\tNow", count=6)
    write_sheet(tmp_path / "s.csv", questions)
    labels = iter(["1", "0", "TRUE", "1,0", " No ", ""])
    read = read_sheet(judge(tmp_path / "s.csv", tmp_path / "ann.csv", lambda _: next(labels), delimiter))
    assert read.annotator == "ann"
    assert [line.relevant for line in read.lines] == [True, False, True, True, False, None]
    assert read.lines[2].where.endswith("ann.csv, line 4")


def test_what_a_spreadsheet_did_to_texts_and_ids_does_not_reach_the_task(tmp_path: Path) -> None:
    document = Document("007", "", "two\nlines, 1e5")
    questions = (Pooled("3-4", "=What?", "en", (Hit(document, 1.0),)),)
    write_pool(tmp_path / "p.jsonl", questions)
    write_sheet(tmp_path / "s.csv", questions)
    (key,) = (line.key for line in read_sheet(tmp_path / "s.csv").lines)
    (tmp_path / "a.csv").write_text(f"key;query_id;docid;text;relevance\n{key};04.Mrz;7;100000;1\n")
    build(tmp_path / "p.jsonl", [tmp_path / "a.csv"], tmp_path / "task.jsonl")
    (found,) = read_nomiracl(tmp_path / "task.jsonl")
    assert (found.id, found.text, found.passages[0].id, found.passages[0].text) == ("3-4", "=What?", *document[::2])


SHEET_MISTAKES = {
    "label": ("key,relevance\nk1,2\n", 'a.csv, line 2: "2" is no judgement; write 1'),
    "twice": ('key,note,relevance\nk1,"a\nb",1\nk1,,0\n', "a.csv, line 4: the key k1 stands in line 2 already"),
    "column": ("key,relevanc\nk1,1\n", 'a.csv, line 1: there is no column "relevance". Did you mean "relevanc"?'),
    "no key": ("key,relevance\n,1\n", "a.csv, line 2: the key is empty"),
    "empty": ("key,relevance\n\n", "has no passages"),
    "quote": ('key,relevance\nk1,"1\n', "not CSV"),
    "other pool": ("key,relevance\nk1,1\n", "a.csv, line 2: the pool has no k1"),
}


@pytest.mark.parametrize("mistake", SHEET_MISTAKES)
def test_a_mistake_in_a_sheet_is_one_sentence_with_its_line(place: Place, mistake: str) -> None:
    text, part = SHEET_MISTAKES[mistake]
    write_pool(place.path / "p.jsonl", pool("What?"))
    (place.path / "a.csv").write_text(text)
    ended = place.surefoot("nomiracl-build", "a.csv", "--pool", "p.jsonl", "--out", "t.jsonl")
    assert part in sentence_of(ended)
    assert not (place.path / "t.jsonl").exists()


# Several annotators


def sheets(questions: Sequence[Pooled], **labels: str) -> list[Sheet]:
    """Sheets with a label a character, `?` for none, in the order of the passages."""
    keys = [key_of(one, hit.document) for one in questions for hit in one.hits]
    said = {"1": True, "0": False, "?": None}
    return [
        Sheet(
            name,
            tuple(
                Judged(key, said[c], f"{name}.csv, line {n}")
                for n, (key, c) in enumerate(zip(keys, own, strict=True), 2)
            ),
        )
        for name, own in labels.items()
    ]


@pytest.mark.parametrize(
    ("given", "unanimous", "majority", "any_", "all_"),
    [
        ("", None, None, None, None),
        ("1", True, True, True, True),
        ("0", False, False, False, False),
        ("10", None, None, True, False),
        ("110", None, True, True, False),
        ("100", None, False, True, False),
        ("1100", None, None, True, False),
        ("111", True, True, True, True),
    ],
)
def test_the_table_of_rules(given: str, unanimous: object, majority: object, any_: object, all_: object) -> None:
    labels = [c == "1" for c in given]
    assert [verdict(labels, rule) for rule in ("unanimous", "majority", "any", "all")] == [  # type: ignore[arg-type]
        unanimous,
        majority,
        any_,
        all_,
    ]


def test_flipping_one_judgement_moves_one_question_and_an_adjudicator_overrules() -> None:
    questions = pool("A?", "B?", "C?")
    (one,) = sheets(questions, ann="100000")
    (flipped,) = sheets(questions, ann="000000")
    (chief,) = sheets(questions, chief="0?????")
    before, after, overruled = (
        {q.id: q.subset for q in verdicts(questions, labels_of([sheet], questions), decided=by).questions}
        for sheet, by in ((one, None), (flipped, None), (one, chief))
    )
    assert before == {"q0": "answerable", "q1": "unanswerable", "q2": "unanswerable"}
    assert after == overruled == {**before, "q0": "unanswerable"}


def test_a_question_stays_open_while_one_of_its_passages_is() -> None:
    questions = pool("A?", "B?", "C?")
    labels = labels_of(sheets(questions, ann="1000?0", ben="00?0?1"), questions)
    found = verdicts(questions, labels)
    assert [q.id for q in found.questions] == ["q1"]
    keys = [key_of(one, hit.document) for one in questions for hit in one.hits]
    assert (found.undecided, found.unjudged) == ((keys[0], keys[5]), (keys[4],))
    assert [q.subset for q in verdicts(questions, labels, "any").questions] == ["answerable", "unanswerable"]


def test_agreement_is_of_what_both_judged_by_passages_and_by_questions() -> None:
    """Passages: 5 judged by both, 3 alike; p_a(1) = 2/5, p_b(1) = 2/5: kappa = (0.6 - 0.52) / 0.48 = 1/6. Questions:
    q1 is unanswerable to both, q0 answerable to both; q2 was not judged whole by ben. Alpha of the passages: 4 of 10
    ordered pairs differ, 48 of 90 by chance. Where q0 alone is drawn, all six pairs differ, of labels six and six."""
    questions = pool("A?", "B?", "C?")
    found = agreement(questions, labels_of(sheets(questions, ann="100010", ben="01001?"), questions))
    (pair,) = found.pairs
    assert (pair.left, pair.right, pair.both, pair.equal) == ("ann", "ben", 5, 0.6)
    assert pair.kappa == pytest.approx(1 / 6)
    assert (found.passages, found.questions) == (5, 2)
    assert found.alpha_questions.value == 1
    assert found.alpha.value == pytest.approx(1 - (4 / 10) / (48 / 90))
    assert found.alpha.low == pytest.approx(1 - 1 / (72 / 132))
    assert found.alpha.high > found.alpha.value
    assert found.fleiss is None


def test_fleiss_kappa_is_of_three_annotators_who_judged_everything_and_of_no_others() -> None:
    """Passages yyy, yyn, nnn, ynn: p_o = (1 + 1/3 + 1 + 1/3) / 4 = 2/3, p_e = 1/2: kappa = 1/3."""
    questions = pool("A?", "B?")
    assert agreement(questions, labels_of(sheets(questions, a="1101", b="1100", c="1000"), questions)).fleiss == (
        pytest.approx(1 / 3)
    )
    for said in ({"a": "1101", "b": "1100"}, {"a": "1101", "b": "1100", "c": "10?0"}):
        assert agreement(questions, labels_of(sheets(questions, **said), questions)).fleiss is None


def test_the_build_prints_fleiss_kappa_where_three_judged_everything(place: Place) -> None:
    questions = pool("A?", "B?")
    write_pool(place.path / "p.jsonl", questions)
    place.surefoot("nomiracl-sheet", "--pool", "p.jsonl", "--out", "s.csv")
    for name, said in (("ann", "1101"), ("ben", "1100"), ("cem", "1000")):
        keys = dict(zip((key_of(one, hit.document) for one in questions for hit in one.hits), said, strict=True))
        judge(place.path / "s.csv", place.path / f"{name}.csv", lambda row, keys=keys: keys[row["key"]])
    words = ("nomiracl-build", "ann.csv", "ben.csv", "--pool", "p.jsonl", "--out", "t.jsonl", "--rule", "any")
    assert "Fleiss" not in place.surefoot(*words).out
    three = ("nomiracl-build", "ann.csv", "ben.csv", "cem.csv", *words[3:-4], "--out", "u.jsonl", "--rule", "any")
    assert "Fleiss' kappa over passages, all judged by all: 0.33" in place.surefoot(*three).out


def test_open_passages_are_refused_with_a_line_then_decided_or_left_out(place: Place) -> None:
    questions = pool("A?", "B?", "C?")
    write_pool(place.path / "p.jsonl", questions)
    place.surefoot("nomiracl-sheet", "--pool", "p.jsonl", "--out", "s.csv")
    for name, said in (("ann", "100000"), ("ben", "000000")):
        keys = dict(zip((key_of(one, hit.document) for one in questions for hit in one.hits), said, strict=True))
        judge(place.path / "s.csv", place.path / f"{name}.csv", lambda row, keys=keys: keys[row["key"]])
    words = ("nomiracl-build", "ann.csv", "ben.csv", "--pool", "p.jsonl", "--out", "t.jsonl")
    refused = sentence_of(place.surefoot(*words, "--disputes", "d.csv"))
    line = next(one.where for one in read_sheet(Path("ann.csv")).lines if one.relevant)
    assert refused.startswith(f"{line}: annotators differ on this and 0 more passages; they stand in d.csv")
    assert not (place.path / "t.jsonl").exists()
    left = place.surefoot(*words, "--drop-open")
    assert [one.id for one in read_nomiracl(place.path / "t.jsonl")] == ["q1", "q2"]
    assert "Cohen's kappa" in left.out
    judge(place.path / "d.csv", place.path / "chief.csv", lambda _: "1")
    told = json.loads(place.surefoot(*words, "--decided", "chief.csv", "--json").out)
    assert told["questions"] == {"answerable": 1, "unanswerable": 2}
    assert told["judged"] == {"ann": 6, "ben": 6}
    judge(place.path / "ann.csv", place.path / "half.csv", lambda row: "" if row["query_id"] == "q1" else "0")
    half = sentence_of(place.surefoot("nomiracl-build", "half.csv", "--pool", "p.jsonl", "--out", "u.jsonl"))
    assert half.startswith("half.csv, line 4: no judgement; 2 of 6 passages are judged by nobody")


def test_a_pool_with_a_score_that_is_no_number_is_refused_with_its_line(tmp_path: Path) -> None:
    for score, said in (("high", '"high"'), ([1], r"\[1\]")):
        passage = {"docid": "d", "text": "t", "score": score}
        record = {"query_id": "1", "query": "Q?", "passages": [{**passage, "score": None}, passage]}
        (tmp_path / "p.jsonl").write_text(json.dumps(record))
        with pytest.raises(BadInput, match=f"line 1: the score of a passage is {said}; it must be a number"):
            read_pool(tmp_path / "p.jsonl")


def test_two_sheets_of_one_name_and_an_unknown_rule_are_refused() -> None:
    questions = pool("A?")
    with pytest.raises(BadInput, match='Two sheets are named "ann"'):
        labels_of([*sheets(questions, ann="10")] * 2, questions)
    with pytest.raises(BadInput, match=r'"most" is no rule .* "majority"'):
        verdicts(questions, {}, "most")  # type: ignore[arg-type]


def test_a_build_that_is_killed_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions = pool("A?", "B?")
    write_pool(tmp_path / "p.jsonl", questions)
    write_sheet(tmp_path / "s.csv", questions)
    judge(tmp_path / "s.csv", tmp_path / "a.csv", lambda _: "1")
    kept = build(tmp_path / "p.jsonl", [tmp_path / "a.csv"], tmp_path / "t.jsonl")
    before = (tmp_path / "t.jsonl").read_bytes()
    judge(tmp_path / "s.csv", tmp_path / "b.csv", lambda _: "0")
    written: list[object] = []

    def dies(record: object, **options: bool) -> str:
        if isinstance(record, dict):  # a question of the task file; keys are made of lists
            if written:
                raise KeyboardInterrupt
            written.append(record)
        return json.JSONEncoder(**options).encode(record)

    monkeypatch.setattr("surefoot.tasks.nomiracl_files.json.dumps", dies)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "p.jsonl", [tmp_path / "b.csv"], tmp_path / "t.jsonl")
    assert len(written) == 1
    assert (tmp_path / "t.jsonl").read_bytes() == before
    assert len(kept.verdicts.questions) == 2
