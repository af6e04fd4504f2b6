"""Training of readers: the schedule, what is chosen, and what can be learnt where the truth is planted."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
import torch

import surefoot as sf
from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.probes.implicit_reasoning.summary import ImplicitSummary
from surefoot.questions.question import Question, Step
from surefoot.readers.pairs import Pair, PairEncoder
from surefoot.readers.rows import SpanRow, YesNoRow, task_rows
from surefoot.readers.scratch import scratch_encoder
from surefoot.readers.spans import SpanReader
from surefoot.readers.stepwise import StepwiseReader
from surefoot.readers.training import Recipe, Stage, Trained, epoch_ends, train
from surefoot.readers.yes_no import YesNoReader
from surefoot.retrieval.retriever import Document, Hit
from surefoot.tasks.implicit import implicit_task
from surefoot.tasks.task import Task

SHORT = Recipe(learning_rate=4e-3, batch=16, accumulate=1, cut_frac=0.2, weight_decay=0.0)
SIGNS = ("up", "down")
NAMES = [f"{a}{b}" for a in "bdfgk" for b in "aeiou"]


def planted(seed: int, count: int) -> tuple[tuple[Question, ...], dict[str, Document]]:
    """Gates that stand open or shut: the document of a gate says which, and nothing else does.

    The last step is decided by the answer of the step before it, `up` for yes.
    """
    names = random.Random(seed).sample([f"{one} {other}" for one in NAMES for other in NAMES], count)
    questions, documents = [], {}
    for place, name in enumerate(names):
        yes = place % 2 == 0
        id, sign = f"{seed}-{place}", SIGNS[0 if yes else 1]
        documents[id] = Document(id, "", f"the gate {name} is {sign} .")
        steps = (Step(f"where is {name} ?", sign, (id,)), Step("is #1 open ?", "yes" if yes else "no"))
        questions.append(
            Question(id, f"can {name} be passed ?", ("yes" if yes else "no",), "implicit", (((id,), ()),), steps)
        )
    return tuple(questions), documents


class Halfway:
    """Finds the gold document of the step of every second question, and a document that says nothing for the others."""

    digest = "halfway"

    def __init__(self, questions: Sequence[Question], documents: dict[str, Document]) -> None:
        found = {q.steps[0].text: documents[q.gold[0]] for q in questions[: len(questions) // 2]}
        self.found = {**found, **{q.text: found[q.steps[0].text] for q in questions if q.steps[0].text in found}}

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        nothing = Document("nothing", "", "the gate is there .")
        return [[Hit(self.found.get(query, nothing), 1.0)] for query in queries]


@cache
def gates(seed: int, count: int) -> Task:
    questions, documents = planted(seed, count)
    retriever = Halfway(questions, documents)
    conditions = ["question", "gold", "other", "retrieved", "filled", "raw", "steps"]
    return implicit_task(questions, documents=documents, retriever=retriever, conditions=conditions)


@cache
def encoder() -> PairEncoder:
    texts = ["can be passed ? the gate is there . where up down open #", "1 yes no", " ".join(NAMES)]
    return scratch_encoder(texts, width=16, layers=1, max_tokens=32)


@cache
def learnt() -> Trained[YesNoReader]:
    """Trained on gold paragraphs, the question alone and filled last steps of other gates."""
    rows = task_rows(gates(1, 160), ["gold", "question", "filled"])
    return train(YesNoReader.new(encoder()), [Stage("gates", rows, epochs=6)], SHORT)


@cache
def on_gold() -> YesNoReader:
    """Trained on gold paragraphs alone."""
    rows = task_rows(gates(1, 160), ["gold"])
    return train(YesNoReader.new(encoder()), [Stage("gates", rows, epochs=8)], SHORT).reader


@cache
def spans() -> SpanReader:
    questions, documents = planted(2, 120)
    rows = [SpanRow(Pair(documents[q.gold[0]].text, q.steps[0].text), q.steps[0].answer) for q in questions]
    rows += [row._replace(pair=Pair("the gate is there .", row.pair.question), answer="") for row in rows[::3]]
    return train(SpanReader.new(encoder()), [Stage("spans", rows, epochs=5)], SHORT).reader


def accuracies(model: LanguageModel, task: Task) -> dict[str, float]:
    summary: ImplicitSummary = sf.probe("implicit-reasoning", model, task, recheck=0).summary
    return {one.condition: one.accuracy.value for one in summary.findings}


def test_the_rate_is_a_slanted_triangle() -> None:
    """Howard and Ruder's formula as printed, with cut = floor(T cut_frac) and 1/cut_frac - 1 = (T - cut) / cut."""
    recipe = Recipe()
    fitted = recipe.settings(rows=1600, epochs=2)
    steps, highest, ratio = 100, 1e-5, 32
    assert fitted.steps == steps
    cut = 6
    for t in range(steps):
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (steps / cut - 1))
        assert fitted.rate(t) == pytest.approx(highest * (1 + p * (ratio - 1)) / ratio, rel=1e-9)
    assert max(range(steps), key=fitted.rate) == cut
    assert fitted.rate(0) == pytest.approx(highest / ratio)
    assert recipe.settings(3, 1).rate(0) == pytest.approx(highest)  # one step, no room to rise


def test_the_defaults_are_the_published_settings_and_reach_the_optimiser() -> None:
    optimizer = Recipe().settings(100, 15).optimizer([torch.nn.Parameter(torch.zeros(1))])
    (group,) = optimizer.param_groups
    assert (group["betas"], group["eps"], group["weight_decay"]) == ((0.9, 0.98), 1e-6, 0.1)
    assert (Recipe().learning_rate, Recipe().cut_frac, Recipe().batch, Recipe().accumulate) == (1e-5, 0.06, 2, 16)
    assert Recipe().seed == 42
    for wrong in ({"cut_frac": 0.0}, {"ratio": 0.5}, {"frozen_layers": -1}, {"batch": 0}):
        with pytest.raises(BadInput, match=next(iter(wrong))):
            replace(Recipe(), **wrong).settings(10, 1)


def test_an_epoch_ends_with_the_step_that_reads_its_last_row() -> None:
    assert epoch_ends(10, 3, 4) == [3, 5, 8]
    assert epoch_ends(2, 3, 4) == [1, 1, 2]
    assert epoch_ends(10, 3, 4)[-1] == replace(SHORT, batch=4).settings(10, 3).steps


def test_only_the_gold_document_is_worth_reading() -> None:
    """Planted: gold says the answer, half of the retrieved documents do, the question and other gates' do not."""
    found = accuracies(StepwiseReader(learnt().reader, spans()), gates(9, 100))
    assert found["gold"] >= 0.95
    assert 0.65 < found["retrieved"] < 0.85
    assert 0.35 < found["question"] < 0.65
    assert 0.35 < found["other"] < 0.65


def test_filled_steps_are_answered_and_raw_ones_are_at_chance_by_construction() -> None:
    found = accuracies(StepwiseReader(learnt().reader, spans()), gates(9, 100))
    assert found["filled"] == 1
    assert found["raw"] == 0.5  # every last step is the same text


def test_steps_answered_by_the_reader_of_spans_are_worth_those_of_gold() -> None:
    model = StepwiseReader(learnt().reader, spans())
    reading = sf.probe("implicit-reasoning", model, gates(9, 100), recheck=0)
    told = [row for row in reading.rows.to_pylist() if row["wording"] == "steps"]
    answers = {q.id: q.steps[0].answer for q in planted(9, 100)[0]}
    assert [row["step_answers"] for row in told] == [[answers[row["item"]]] for row in told]
    assert reading.summary.finding("steps").accuracy.value == accuracies(model, gates(9, 100))["filled"] == 1


def test_spans_are_found_in_gates_that_were_never_seen_and_refused_where_there_is_none() -> None:
    questions, documents = planted(7, 40)
    rows = [SpanRow(Pair(documents[q.gold[0]].text, q.steps[0].text), q.steps[0].answer) for q in questions]
    rows += [SpanRow(Pair("the gate is there .", "where is ba ?"), "")]
    assert all(spans().correct(rows))


def test_permuted_labels_teach_nothing_that_holds_elsewhere() -> None:
    rows = task_rows(gates(1, 160), ["gold"])
    answers = [row.answer for row in rows]
    random.Random(0).shuffle(answers)
    wrong = [YesNoRow(row.pair, answer) for row, answer in zip(rows, answers, strict=True)]
    held = task_rows(gates(9, 100), ["gold"])
    assert sum(on_gold().correct(held)) >= 95
    permuted = train(YesNoReader.new(encoder()), [Stage("gates", wrong, epochs=8)], SHORT).reader
    assert 35 < sum(permuted.correct(held)) < 65


def test_the_epoch_that_is_best_on_dev_rows_is_kept_and_the_base_is_not_touched() -> None:
    base = YesNoReader.new(encoder())
    before = base.module.digest()
    rows, dev = task_rows(gates(1, 64), ["gold"]), task_rows(gates(3, 40), ["gold"])
    trained = train(base, [Stage("gates", rows, 8, dev)], SHORT)
    (log,) = trained.stages
    assert base.module.digest() == before
    assert len(log.accuracies) == 8
    assert log.kept == log.accuracies.index(max(log.accuracies)) + 1
    assert sum(trained.reader.correct(dev)) / len(dev) == max(log.accuracies)
    flipped = [YesNoRow(row.pair, not row.answer) for row in dev]
    worst = train(base, [Stage("gates", rows, 8, flipped)], SHORT)
    assert worst.stages[0].accuracies == pytest.approx([1 - one for one in log.accuracies])
    assert sum(worst.reader.correct(dev)) / len(dev) == min(log.accuracies)


def test_an_earlier_stage_is_what_a_later_one_begins_with() -> None:
    few, many, held = (task_rows(gates(*which), ["gold"]) for which in ((4, 8), (1, 160), (9, 100)))
    alone = train(YesNoReader.new(encoder()), [Stage("few", few, 2)], SHORT)
    staged = train(YesNoReader.new(encoder()), [Stage("gates", many, 8), Stage("few", few, 2)], SHORT)
    assert [log.name for log in staged.stages] == ["gates", "few"]
    assert sum(staged.reader.correct(held)) >= 95
    assert sum(alone.reader.correct(held)) < 80
    assert train(on_gold(), [Stage("few", few, 2)], SHORT).reader.module.digest() == staged.reader.module.digest()


def test_accumulated_batches_are_one_batch() -> None:
    """Without dropout: four batches of 4 a step give the weights of one of 16."""
    rows = task_rows(gates(1, 32), ["gold"])
    plain = YesNoReader.new(encoder()).copy()
    for module in plain.module.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    one, four = (
        train(plain, [Stage("gates", rows, 2)], replace(SHORT, batch=16 // parts, accumulate=parts)).reader
        for parts in (1, 4)
    )
    pairs = [row.pair for row in rows]
    assert [logs for logs, _, _ in one.logprobs(pairs)] == [
        pytest.approx(logs, abs=1e-3) for logs, _, _ in four.logprobs(pairs)
    ]


def test_the_seed_decides_the_training() -> None:
    rows = task_rows(gates(1, 16), ["gold"])
    one, same, other = (
        train(YesNoReader.new(encoder()), [Stage("gates", rows, 1)], replace(SHORT, seed=seed)).reader.module.digest()
        for seed in (1, 1, 2)
    )
    assert one == same != other


def test_frozen_layers_and_embeddings_stay_as_they_are() -> None:
    deep = YesNoReader.new(scratch_encoder(["the gate is up down ?", *NAMES], width=16, layers=2, max_tokens=32))
    rows = task_rows(gates(1, 16), ["gold"])
    trained = train(deep, [Stage("gates", rows, 1)], replace(SHORT, frozen_layers=1)).reader
    before, after = deep.module.state_dict(), trained.module.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    named = {name for name in before if name.startswith(("head.", "encoder.encoder.layer.1."))}
    assert {name for name in changed if not name.endswith("key.bias")} == {
        name for name in named if not name.endswith("key.bias")
    }
    with pytest.raises(BadInput, match="frozen_layers is 2; this encoder has 2"):
        train(deep, [Stage("gates", rows, 1)], replace(SHORT, frozen_layers=2))


def test_a_training_without_rows_is_refused() -> None:
    with pytest.raises(BadInput, match="0 rows and 15 epochs"):
        Stage("none", ())
    with pytest.raises(BadInput, match="no stage"):
        train(YesNoReader.new(encoder()), [])
