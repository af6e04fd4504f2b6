"""The multi-hop probe: answers behind the marker, recall of what was read, and what both cost."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

import surefoot as sf
from surefoot.calibration import calibrate
from surefoot.errors import BadInput
from surefoot.models.base import Generation
from surefoot.models.trace import Event, Trace
from surefoot.probes.multi_hop.calibrations import PlantedReader, elsewhere, first_hop, gold, questions, world
from surefoot.probes.multi_hop.measure import cost, read_answer, recall, score_answer
from surefoot.questions.question import Question
from surefoot.tasks.loading import load_tasks
from surefoot.tasks.questions import ANSWERED, example_of, question_of, question_task
from surefoot.worlds.corpora import QuestionWorld


def test_the_readings_of_the_calibrations_are_right() -> None:
    lines = list(calibrate("multi-hop"))
    assert len(lines) >= 20
    assert [line for line in lines if not line.ok] == []


@pytest.mark.parametrize(
    ("text", "answer", "marked"),
    [
        ("X is in Y. So the answer is: Bela.", "Bela", True),
        ("So the answer is Bela Ora", "Bela Ora", True),
        ("THE ANSWER IS:  Bela.\nQuestion: who?", "Bela", True),
        ("The answer is: no. Question: why? So the answer is: yes.", "no", True),
        ("So the answer is: 5. More follows.", "5", True),
        ("So the answer is: J. R. Doe.", "J. R. Doe", True),
        ("So the answer is: 3.5.", "3.5", True),
        ("So the answer is: U.S. Steel. It is old.", "U.S. Steel", True),
        ('So the answer is: ["Bela"].', "Bela", True),
        ('The answer is ["Bela", "J. Doe"]', "Bela, J. Doe", True),
        ("So the answer is: [Bela.", "[Bela", True),
        ("\n Bela\nand more", "Bela", False),
        ("", "", False),
        ("So the answer is:", "So the answer is:", False),
    ],
)
def test_the_answer_stands_behind_the_first_marker_or_is_the_first_line(text: str, answer: str, marked: bool) -> None:
    assert read_answer(text) == (answer, marked)


def test_recall_is_that_of_the_annotator_whose_documents_were_found_best() -> None:
    evidence = ((("a", "b"), ("c",)), (("d",), ("b",)), ((),))
    found = recall({"b", "d", "x"}, evidence)
    assert found is not None
    assert found.whole == 1.0
    assert found.hops == (1.0, 1.0)
    half = recall({"a"}, evidence)
    assert half is not None
    assert half.whole == pytest.approx(1 / 3)
    assert half.hops == (0.5, 0.0)
    assert recall({"a"}, ()) is None
    assert recall({"a"}, ((), ((),))) is None


def test_a_hop_without_documents_has_no_recall_and_does_not_lower_the_whole() -> None:
    found = recall({"a"}, ((("a",), ()),))
    assert found is not None
    assert found.whole == 1.0
    assert found.hops[0] == 1.0
    assert math.isnan(found.hops[1])


def test_a_document_of_two_hops_counts_once_in_the_whole() -> None:
    found = recall({"a"}, ((("a",), ("a", "b")),))
    assert found is not None
    assert found.whole == 0.5
    assert found.hops == (1.0, 0.5)


def test_an_answer_scores_by_its_best_accepted_one() -> None:
    question = Question("q", "Who?", ("Ana Bel", "The Bel"))
    assert score_answer("bel", question) == (1.0, 1.0)
    exact, f1 = score_answer("Ana Cor", question)
    assert (exact, f1) == (0.0, 0.5)
    assert score_answer("", question) == (0.0, 0.0)


def test_what_an_answer_took_is_that_of_its_trace_and_a_bare_model_writes_once() -> None:
    assert cost(Generation("a b", (1, 2), (), "stop")) == (1, 1, 0, 2)
    events = tuple(Event(kind) for kind in ("search", "write", "draft", "write", "read", "stop"))
    traced = Generation("a b", (1, 2), (), "stop", trace=Trace(events, calls=5, searches=3, tokens=70))
    assert cost(traced) == (2, 5, 3, 70)


def test_a_question_comes_back_from_its_item() -> None:
    for question in questions():
        assert question_of(example_of(question)) == question


def test_no_prompt_shows_what_is_known_of_the_question() -> None:
    task = world()
    for example in task.examples:
        for wording in task.wordings:
            prompt = task.query(example, wording).prompt
            assert prompt.only("input").text.strip().endswith(example.fields["question"])
            assert not any(step.answer in prompt.text for step in question_of(example).steps)


def test_rows_keep_the_trace_and_a_trace_comes_back_from_them() -> None:
    reading = sf.probe("multi-hop", PlantedReader(gold), world(), recheck=0)
    rows = {(row["item"], row["wording"]): row for row in reading.rows.to_pylist()}
    import json

    trace = Trace.from_dict(json.loads(rows["bar", "steps"]["trace"]))
    assert trace.documents == ("Bar-1", "Bar-2")
    assert trace.events[1].text == rows["bar", "steps"]["text"]
    assert (rows["bar", "steps"]["searches"], rows["bar", "steps"]["steps"]) == (1, 1)
    bare = sf.probe("multi-hop", PlantedReader(gold, traced=False), world(), recheck=0)
    assert {row["trace"] for row in bare.rows.to_pylist()} == {None}


def test_kinds_are_read_apart() -> None:
    one, two, *rest = questions()
    task = question_task([replace(one, kind="single"), two, *rest], name="mixed")
    wrong_on_bridge = PlantedReader(lambda question: gold(question) if question.id == one.id else first_hop(question))
    summary = sf.probe("multi-hop", wrong_on_bridge, task).summary
    assert summary.finding("steps", "single").f1.value == 1.0
    assert summary.finding("steps", "bridge").f1.value == 0.0
    assert summary.finding("steps").f1.value == pytest.approx(1 / len(questions()))
    assert summary.finding("steps").recall.value == pytest.approx(0.5 + 0.5 / len(questions()))


def test_few_questions_leave_room_around_none_and_all_of_them() -> None:
    """All recalled and none answered of n: the Wilson ends are n / (n + z^2) and z^2 / (n + z^2)."""
    found = sf.probe("multi-hop", PlantedReader(first_hop), world()).summary.finding("steps")
    z2, n = 1.959963984540054**2, found.questions
    assert (found.exact_match.value, found.f1.low, found.hops[0]) == (0, 0, 1)
    assert found.exact_match.high == pytest.approx(z2 / (n + z2))
    everything = sf.probe("multi-hop", PlantedReader(gold), world()).summary.finding("steps")
    assert everything.recall.low == pytest.approx(n / (n + z2))
    html = sf.probe("multi-hop", PlantedReader(gold), world())._repr_html_()
    assert "Behind the marker: the text says" in html
    assert f"({100 * n / (n + z2):.1f} to 100.0)" in str(sf.probe("multi-hop", PlantedReader(gold), world()))


def test_two_readers_are_compared_on_the_same_questions(tmp_path: Path) -> None:
    before = sf.probe("multi-hop", PlantedReader(elsewhere, "before"), world(), out=str(tmp_path / "a"))
    after = sf.probe("multi-hop", PlantedReader(gold, "after"), world(), out=str(tmp_path / "b"))
    found = sf.compare(before, after)
    assert found.overall.mean.difference.value == pytest.approx(1.0)


def test_a_stored_run_is_reported_and_holds_no_raw_text_of_a_hostile_answer(tmp_path: Path) -> None:
    hostile = PlantedReader(lambda question: (gold(question)[0], "So the answer is: <script>alert(1)</script>"))
    reading = sf.probe("multi-hop", hostile, world(), out=str(tmp_path / "run"))
    page = reading.save(tmp_path / "report.html").read_text()
    assert reading.summary.sentence() in page
    assert "<script" not in page


def test_a_task_that_is_not_made_of_questions_is_refused() -> None:
    with pytest.raises(BadInput, match="not made of questions"):
        sf.probe("multi-hop", sf.ScriptedModel(lambda *_: "x"), "demo/facts")


def test_questions_without_answers_make_no_task() -> None:
    with pytest.raises(BadInput, match="none with an accepted answer"):
        question_task([Question("q", "Who?")])


def test_a_world_by_name_is_the_task_of_its_questions() -> None:

    (task,) = load_tasks("world:facts?kinds=bridge,comparison&size=200&count=10&seed=3&tokens=20")
    made = QuestionWorld(seed=3, size=200, kinds=("bridge", "comparison"), count=10).questions
    assert [question_of(example) for example in task.examples] == list(made)
    assert task.max_new_tokens == 20
    (whole,) = load_tasks("world:facts")
    assert {example.fields["kind"] for example in whole.examples} == set(ANSWERED)


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("world:fakts", 'There is no world "fakts"'),
        ("world:facts?size=many", 'size of the world is "many"'),
        ("world:facts?kinds=bridges", 'There is no kind of question "bridges"'),
        ("world:facts?hops=2", 'has no option "hops"'),
    ],
)
def test_a_world_that_is_not_there_is_refused(spec: str, sentence: str) -> None:

    with pytest.raises(BadInput, match=sentence.replace("?", ".")):
        load_tasks(spec)
