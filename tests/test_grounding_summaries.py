"""What the multi-hop and implicit-reasoning probes make of rows, against loops over rows of any content."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from math import isnan, nan
from statistics import fmean
from typing import Any

import pyarrow as pa
import pytest

import surefoot as sf
from surefoot.probes.implicit_reasoning.probe import ImplicitReasoning
from surefoot.probes.multi_hop.calibrations import PlantedReader, gold, questions
from surefoot.probes.multi_hop.probe import MultiHop
from surefoot.questions.question import Question, Step
from surefoot.retrieval.retriever import Document, Hit
from surefoot.tasks.implicit import implicit_task
from surefoot.tasks.questions import question_task
from surefoot.tasks.task import Task

COSTS = ("steps", "calls", "searches", "tokens")


def kinds() -> Task:
    """Twelve questions, a third of them of another kind."""
    made = [replace(q, kind="single" if n % 3 == 0 else q.kind) for n, q in enumerate(questions())]
    return question_task(made, name="mixed")


def any_content(row: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The row with other findings: some unparsed, some that read nothing, any number of hops, some without gold."""
    hops = [rng.choice((0.0, 0.5, 1.0, nan)) for _ in range(rng.randint(1, 3))]
    read, unparsed = rng.random() < 0.7, rng.random() < 0.2
    return {
        **row,
        "outcome": "unparsed" if unparsed else rng.choice(("right", "wrong")),
        "score": None if unparsed else rng.random(),
        "exact_match": float(rng.random() < 0.5),
        "marked": rng.random() < 0.5,
        "recall": rng.random() if read else None,
        "hop_recall": hops if read else None,
        "claims": rng.randint(0, 5) if read else None,
        "unsupported": rng.randint(0, 2) if read else None,
        **{name: rng.randint(0, 9) for name in COSTS},
    }


def test_cut_prompts_are_those_of_the_model_each_once() -> None:
    """Of rows of two models, one of them with cells that were computed again."""
    task, model = kinds(), PlantedReader(gold)
    made = sf.probe("multi-hop", model, task, recheck=0).rows
    own = [{**row, "truncated": n % 3 == 0} for n, row in enumerate(made.to_pylist())]
    again = [{**row, "recheck": True} for row in own[:7]]
    other = [{**row, "model": "other", "truncated": True} for row in own]
    rows = pa.Table.from_pylist([*own, *again, *other], schema=made.schema)
    summary = MultiHop(recheck=0).summarise(rows, [task], model.name)
    assert summary.truncated == sum(row["truncated"] for row in own)


@pytest.mark.parametrize("seed", range(3))
def test_every_number_of_the_multi_hop_summary_is_that_of_a_loop_over_its_rows(seed: int) -> None:
    task, rng = kinds(), random.Random(seed)
    model = PlantedReader(gold)
    made = sf.probe("multi-hop", model, task, recheck=0).rows
    rows = [any_content(row, rng) for row in made.to_pylist()]
    rng.shuffle(rows)
    summary = MultiHop(recheck=0).summarise(pa.Table.from_pylist(rows, schema=made.schema), [task], model.name)
    kind_of = {example.id: example.fields["kind"] for example in task.examples}
    wordings = [wording.id for wording in task.wordings if wording.is_right]
    assert [(one.wording, one.kind) for one in summary.findings] == [
        (wording, kind) for wording in wordings for kind in ("all", "bridge", "single")
    ]
    for one in summary.findings:
        own = [r for r in rows if r["wording"] == one.wording and one.kind in ("all", kind_of[r["item"]])]
        there = [r for r in own if r["recall"] is not None]
        assert (one.questions, one.read) == (len(own), len(there))
        assert one.exact_match.value == pytest.approx(fmean(r["exact_match"] for r in own))
        assert one.f1.value == pytest.approx(sum(r["score"] or 0 for r in own) / len(own))
        assert one.recall.value == pytest.approx(fmean(r["recall"] for r in there))
        for hop, share in enumerate(one.hops):
            shares = [r["hop_recall"][hop] for r in there if len(r["hop_recall"]) > hop]
            known = [x for x in shares if not isnan(x)]
            assert share == pytest.approx(fmean(known) if known else nan, nan_ok=True)
        assert len(one.hops) == max(len(r["hop_recall"]) for r in there)
        for name in COSTS:
            assert getattr(one, name) == pytest.approx(fmean(r[name] for r in own))
        for name in ("claims", "unsupported"):
            assert getattr(one, name) == sum(r[name] or 0 for r in own)
        assert (one.marked, one.empty) == (sum(r["marked"] for r in own), sum(r["score"] is None for r in own))
    best = max((one for one in summary.findings if one.kind == "all"), key=lambda one: one.f1.value)
    assert summary.best == best


class Table:
    """Finds the documents of a table, best first."""

    digest = "table"

    def __init__(self, found: dict[str, str]) -> None:
        self.found = found

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        ids = (self.found.get(query, "") for query in queries)
        return [[Hit(Document(id, "", id), 9.0 - n) for n, id in enumerate(own)][:k] for own in ids]


def asked(id: str, answer: str, evidence: tuple[tuple[str, ...], ...], steps: Sequence[tuple[str, str]]) -> Question:
    """A question whose annotators marked documents, a letter each, and whose steps name theirs."""
    marks = tuple(tuple(tuple(hop) for hop in annotator) for annotator in evidence)
    made = tuple(Step(text, "x", tuple(own)) for text, own in steps)
    return Question(id, f"{id}?", (answer,), "implicit", marks, (*made, Step("Is #1 so?", answer)))


ASKED = [
    asked("p", "yes", (("ab", "c", ""),), [("p one?", "ab"), ("p two?", "c")]),
    asked("q", "no", (("d", "", ""), ("e", "f", "")), [("q one?", "de"), ("q two?", "f")]),
    asked("r", "no", ((("g"), ""),), [("r one?", "g")]),
    asked("s", "no", (("", ""),), [("s one?", "")]),
]
FOUND = {
    "p?": "ax",
    "q?": "ef",
    "r?": "x",
    "p one?": "b",
    "p two?": "xc",
    "q one?": "d",
    "q two?": "xe",
    "r one?": "xg",
}


def test_recall_of_the_implicit_summary_is_of_the_best_annotator_and_of_each_steps_own_documents() -> None:
    """By hand. Question: p 1/3, q 1 (the second annotator), r 0; steps: p 1/2, q 1/2 (e is found by the
    other step), r 1; p 1, q 0; all steps: p 2/3, q 1 (the first), r 1. No document answers s, which is left out."""
    task = implicit_task(ASKED, retriever=Table(FOUND), conditions=["question"], name="by hand")
    summary = sf.probe("implicit-reasoning", sf.ScriptedModel(lambda *_: "no"), task, recheck=0).summary
    (found,) = summary.retrieved
    assert (found.task, found.questions) == ("by hand", 3)
    assert found.question == pytest.approx((1 / 3 + 1 + 0) / 3)
    assert found.written == found.pooled == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert isnan(found.predicted)
    assert found.steps[:2] == pytest.approx(((1 / 2 + 1 / 2 + 1) / 3, (1 + 0) / 2))
    assert isnan(found.steps[2])
    assert summary.majority == {"by hand": 0.75}
    mostly_yes = implicit_task([replace(q, answers=("yes",)) for q in ASKED[1:]], conditions=["question"], name="yes")
    told = sf.probe("implicit-reasoning", sf.ScriptedModel(lambda *_: "no"), mostly_yes, recheck=0).summary
    assert (told.majority, told.retrieved) == ({"yes": 1.0}, ())


def test_predicted_steps_are_searched_and_their_recall_told_and_the_question_where_none_was_written() -> None:
    predicted = {"p": ("p two?",), "q": ("q one?", "q two?")}
    task = implicit_task(ASKED[:3], retriever=Table(FOUND), predicted=predicted, conditions=["question"])
    summary = sf.probe("implicit-reasoning", sf.ScriptedModel(lambda *_: "no"), task, recheck=0).summary
    assert summary.retrieved[0].predicted == pytest.approx((1 / 3 + 1 + 0) / 3)
    ids = {e.id: json.loads(e.fields["known"])["found"]["predicted"] for e in task.examples}
    assert ids == {"p": ["x", "c"], "q": ["d", "x", "e"], "r": ["x"]}


@pytest.mark.parametrize("seed", range(3))
def test_accuracy_yes_ties_and_unparsed_are_those_of_counting_rows(seed: int) -> None:
    task, rng = implicit_task(ASKED, conditions=["question", "raw"]), random.Random(seed)
    made = sf.probe("implicit-reasoning", sf.ScriptedModel(lambda *_: "no", "m"), task, recheck=0).rows
    rows = []
    for row in made.to_pylist():
        said = rng.choice((0, 1, None))
        scores = rng.choice(([-1.0, -1.0], [-1.0, -2.0], None))
        outcome = "unparsed" if said is None else rng.choice(("right", "wrong"))
        rows.append({**row, "predicted_index": said, "outcome": outcome, "option_scores": scores, "sari": rng.random()})
    rows[0]["sari"] = None
    summary = ImplicitReasoning().summarise(pa.Table.from_pylist(rows, schema=made.schema), [task], "m")
    for one in summary.findings:
        own = [row for row in rows if row["wording"] == one.condition]
        assert one.questions == len(own) == 4
        assert one.accuracy.value == pytest.approx(sum(row["outcome"] == "right" for row in own) / 4)
        assert one.yes == sum(row["predicted_index"] == 0 for row in own)
        assert one.ties == sum(row["option_scores"] == [-1.0, -1.0] for row in own)
        assert one.unparsed == sum(row["predicted_index"] is None for row in own)
    assert summary.sari == pytest.approx(fmean(row["sari"] for row in rows[1:]))
    assert summary.decompositions == len(rows) - 1
