"""The implicit-reasoning probe: each condition shows what it says, and steps are executed as they depend."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import surefoot as sf
from surefoot.calibration import calibrate
from surefoot.errors import BadInput
from surefoot.models.base import Generation
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.asking import Cell
from surefoot.probes.implicit_reasoning.calibrations import by_step, known, questions, scripted, world
from surefoot.probes.implicit_reasoning.probe import ImplicitReasoning
from surefoot.probes.implicit_reasoning.rows import executed
from surefoot.probes.implicit_reasoning.summary import ImplicitSummary
from surefoot.questions.decomposition import rounds
from surefoot.questions.question import Question, Step
from surefoot.questions.sari import sari
from surefoot.questions.searching import query_of
from surefoot.retrieval.retriever import Document, Hit
from surefoot.tasks.implicit import CONDITIONS, implicit_task
from surefoot.tasks.implicit_items import filled_steps
from surefoot.tasks.loading import load_tasks
from surefoot.text.prompt import Prompt

BOAT = Question(
    "boat",
    "Could Ana have rowed to Bel?",
    ("no",),
    "implicit",
    ((("d1",), ("d2",), ()),),
    (
        Step("Where does Ana live?", "Cor", ("d1",)),
        Step("Is Bel on the river of #1?", "no", ("d2",)),
        Step("Is #2 yes?", "no"),
    ),
)
DOCUMENTS = [Document("d0", "", "Ana rows."), Document("d1", "", "Ana: Cor."), Document("d2", "", "The river of Cor.")]


CROSSED = {"Is Bel on the river of Cor?": [(2, 3.0), (1, 1.0)]}


class Planted:
    """Finds the documents that it was told to, by query."""

    digest = "planted"

    def __init__(self, found: dict[str, list[tuple[int, float]]]) -> None:
        self.found = found
        self.asked: list[list[str]] = []

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        self.asked.append(list(queries))
        return [[Hit(DOCUMENTS[i], score) for i, score in self.found.get(query, [])][:k] for query in queries]


def test_the_readings_of_the_calibrations_are_right() -> None:
    lines = list(calibrate("implicit-reasoning"))
    assert len(lines) >= 20
    assert [line for line in lines if not line.ok] == []


def test_each_condition_shows_what_it_says_and_no_more() -> None:
    index = Planted({BOAT.text: [(0, 1.0)], "Where does Ana live?": [(1, 2.0)], **CROSSED})
    task = implicit_task([BOAT], documents={d.id: d for d in DOCUMENTS}, retriever=index)
    shown = {w.id: task.query(task.examples[0], w).prompt for w in task.wordings}
    assert list(shown) == ["question", "gold", "ir-q", "retrieved", "filled", "raw", "steps"]
    assert shown["gold"].only("context").text == "Passages:\nAna: Cor.\nThe river of Cor.\n"
    assert shown["retrieved"].only("context").text == "Passages:\nThe river of Cor.\nAna: Cor.\n"
    assert shown["ir-q"].only("context").text == "Passages:\nAna rows.\n"
    assert "Is no yes?" in shown["filled"].text
    assert "Is #2 yes?" in shown["raw"].text
    for name in ("question", "filled", "raw"):
        assert "Cor" not in shown[name].text


def test_recall_is_read_for_the_question_for_all_steps_and_for_each() -> None:
    index = Planted({BOAT.text: [(0, 1.0)], "Where does Ana live?": [(1, 2.0)]})
    task = implicit_task([BOAT], documents={d.id: d for d in DOCUMENTS}, retriever=index, conditions=["question"])
    summary = sf.probe("implicit-reasoning", ScriptedModel(lambda *_: "no"), task).summary
    (found,) = summary.retrieved
    assert (found.question, found.pooled, found.steps[:2]) == (0.0, 0.5, (1.0, 0.0))
    assert math.isnan(found.steps[2])


def test_all_questions_are_searched_in_one_batch_and_no_text_twice() -> None:
    index = Planted({})
    implicit_task([BOAT, replace(BOAT, id="again"), *questions()], retriever=index)
    (asked,) = index.asked
    texts = {text for q in (BOAT, *questions()) for text in (q.text, *filled_steps(q), *(s.text for s in q.steps))}
    assert len(asked) == len(set(asked))
    assert set(asked) == {query_of(text) for text in texts}


def test_a_document_that_two_steps_find_stands_where_its_best_score_puts_it() -> None:
    index = Planted({"Where does Ana live?": [(1, 5.0), (0, 1.0)], "Is Bel on the river of Cor?": [(2, 4.0), (1, 2.0)]})
    (example,) = implicit_task([BOAT], retriever=index).examples
    assert json.loads(example.fields["known"])["found"]["pooled"] == ["d1", "d2", "d0"]


def test_conditions_are_left_out_where_a_question_lacks_what_they_show() -> None:
    bare = replace(BOAT, id="bare", steps=tuple(replace(step, answer="") for step in BOAT.steps))
    assert [w.id for w in implicit_task([BOAT, bare]).wordings] == ["question", "raw", "steps"]


def test_steps_are_asked_in_their_order_with_the_models_own_answers() -> None:
    asked: list[str] = []

    def script(prompt: Prompt, options: object) -> str:
        asked.append(prompt.only("input").text.strip())
        return "no" if options else {1: "Dun.", 2: "maybe"}.get(len(asked) - 1, "x")

    task = implicit_task([BOAT], conditions=["steps", "question"])
    one = replace(task, wordings=tuple(w for w in task.wordings if w.id == "steps"))
    reading = sf.probe("implicit-reasoning", ScriptedModel(script), one, recheck=0)
    (row,) = reading.rows.to_pylist()
    assert row["asked_steps"] == ["Where does Ana live?", "Is Bel on the river of Dun?", "Is maybe yes?"]
    assert row["step_answers"] == ["Dun", "maybe"]
    assert asked[-1] == "Question: Is maybe yes?"
    assert row["outcome"] == "right"


class Counting(ScriptedModel):
    """Counts the calls that a model gets."""

    def __init__(self, *settings: Any) -> None:
        super().__init__(*settings)
        self.written: list[int] = []

    def generate(self, prompts: Sequence[Prompt | str], *settings: Any, **others: Any) -> list[Generation]:
        self.written.append(len(prompts))
        return super().generate(prompts, *settings, **others)


def test_steps_of_all_questions_are_written_in_a_few_batches_and_give_the_rows_of_one_at_a_time() -> None:
    def script(prompt: Prompt, options: object) -> str:
        told = prompt.only("input").text
        return (by_step(prompt) or "no") if options else known(told) if len(told) % 3 else "unknown"

    probe, task = ImplicitReasoning(), world()
    cells = [Cell(task, task.wording("steps"), example) for example in task.examples]
    model = Counting(script, "counting")
    together = executed(probe, model, cells)
    longest = max(len(rounds(question.steps)) for question in questions())
    assert len(model.written) == longest - 1  # the last step is chosen
    assert sum(model.written) == sum(len(question.steps) - 1 for question in questions())
    assert together == [row for cell in cells for row in executed(probe, model, [cell])]
    assert len({row["outcome"] for row in together}) == 2
    assert executed(probe, model, []) == []


def test_a_wrong_answer_to_one_step_changes_only_what_depends_on_it() -> None:
    def worse(text: str) -> str:
        return "unknown" if questions()[0].steps[0].text in text else known(text)

    rows = {
        name: {
            row["item"]: row["asked_steps"]
            for row in sf.probe(
                "implicit-reasoning", scripted(by_step, answer, name), world(), recheck=0
            ).rows.to_pylist()
            if row["wording"] == "steps"
        }
        for name, answer in (("all", known), ("but one", worse))
    }
    changed = {item for item in rows["all"] if rows["all"][item] != rows["but one"][item]}
    assert changed == {q.id for q in questions() if questions()[0].steps[0].text in {step.text for step in q.steps}}


def test_a_written_decomposition_scores_as_its_lines_without_numbers() -> None:
    gold = "\n".join(f"{n}. {step.text}" for n, step in enumerate(BOAT.steps, 1))
    task = implicit_task([BOAT], conditions=["question"])
    found: list[ImplicitSummary] = []
    for text in (gold, BOAT.text):
        model = ScriptedModel(lambda _, options, text=text: "no" if options else text)
        found.append(sf.probe("implicit-reasoning", model, task, decompose=True).summary)
    whole = " ".join(step.text for step in BOAT.steps)
    assert found[0].sari == pytest.approx(sari(BOAT.text, whole, [whole]))
    assert found[1].sari < found[0].sari / 2
    assert found[0].decompositions == 1


@pytest.mark.parametrize(("tied", "told"), [(0, 0), (1, 1), (12, 1)])
def test_equal_scores_of_yes_and_no_are_counted_and_told(tied: int, told: int) -> None:
    asked = questions()[:12]
    same = {q.text for q in asked[:tied]}

    def script(prompt: Prompt, _: object) -> dict[str, float]:
        return {"yes": -1.0, "no": -1.0 if any(text in prompt.text for text in same) else -0.5}

    task = implicit_task(asked, conditions=["question"])
    summary = sf.probe("implicit-reasoning", ScriptedModel(script), task, recheck=0).summary
    assert summary.finding("question").ties == summary.finding("question").yes == tied
    assert [f"question ({tied} of 12)" in line for line in summary.warnings() if "same score" in line] == [True] * told


@pytest.mark.parametrize("conditions", [["question"], ["question", "raw"]])
def test_the_table_explains_the_control_where_it_was_asked(conditions: list[str]) -> None:
    task = implicit_task([BOAT], conditions=conditions)
    note = sf.probe("implicit-reasoning", ScriptedModel(lambda *_: "no"), task).summary.tables()[0].note
    assert "the more frequent answer is right for 100.0 % of implicit." in note
    assert ("raw is a control" in note) is ("raw" in conditions)


def test_a_stored_run_is_reported(tmp_path: Path) -> None:
    task = implicit_task([BOAT])
    reading = sf.probe("implicit-reasoning", ScriptedModel(lambda *_: "no"), task, out=str(tmp_path / "run"))
    assert "more frequent answer" in reading.save(tmp_path / "report.html").read_text()


def test_what_cannot_be_asked_is_refused() -> None:
    circle = replace(BOAT, steps=(Step("What is #2?"), Step("What is #1?")))
    with pytest.raises(BadInput, match="wait for each other"):
        implicit_task([circle])
    with pytest.raises(BadInput, match="none with steps and a yes or no"):
        implicit_task([replace(BOAT, answers=("perhaps",))])
    with pytest.raises(BadInput, match='"golden" is no condition'):
        implicit_task([BOAT], conditions=["golden"])
    with pytest.raises(BadInput, match="not made of decomposed questions"):
        sf.probe("implicit-reasoning", ScriptedModel(lambda *_: "no"), "demo/facts")


def test_a_world_by_name_brings_documents_and_what_was_found_for_each_step() -> None:
    (task,) = load_tasks("world:implicit?size=200&count=12")
    assert [w.id for w in task.wordings] == [one for one in CONDITIONS if one not in ("facts", "ir-d")]
    summary = sf.probe("implicit-reasoning", ScriptedModel(lambda *_: "no"), task).summary
    (found,) = summary.retrieved
    assert found.pooled > found.written >= found.question
    assert math.isnan(found.predicted)
    assert min(share for share in found.steps if not math.isnan(share)) > 0.9
    (some,) = load_tasks("world:implicit?size=200&count=4&conditions=raw,question")
    assert [w.id for w in some.wordings] == ["question", "raw"]
    with pytest.raises(BadInput, match='"rww" is no condition'):
        load_tasks("world:implicit?conditions=rww")
    with pytest.raises(BadInput, match="seed, size and count"):
        load_tasks("world:implicit?size=many")


def test_published_questions_are_asked_alone_raw_and_step_by_step() -> None:
    path = Path(__file__).resolve().parents[2] / "shared" / "data" / "strategyqa" / "dev.jsonl"
    if not path.is_file():
        pytest.skip("the reference data strategyqa is not in ../shared/data beside this checkout")
    (task,) = load_tasks(f"strategyqa:{path}")
    assert len(task.examples) == 150
    assert [w.id for w in task.wordings] == ["question", "facts", "filled", "raw", "steps"]
    asked = task.query(task.examples[0], task.wording("raw")).prompt
    assert asked.only("input").text.strip() == "Question: Is #3 smaller than #4?"
