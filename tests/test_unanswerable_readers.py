"""AUC, readers without a model, and the paired shift: brute force, scikit-learn, planted margins, MiniLM."""

from __future__ import annotations

from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

import surefoot as sf
import tiny
from surefoot.errors import BadInput
from surefoot.models.encoders import minilm
from surefoot.probes.unanswerable.baselines import Reader, baseline_lines, readers
from surefoot.probes.unanswerable.cells import curve_of
from surefoot.probes.unanswerable.probe import Unanswerable
from surefoot.probes.unanswerable.scores import Asked, Similarity, asked_in, asked_of, overlap, passages_in
from surefoot.probes.unanswerable.summarise import cells_of
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Document
from surefoot.runs.source import Rows
from surefoot.stats.auc import Area, auc, mean_area
from surefoot.tasks.nomiracl import ABSENT, PRESENT, JudgedQuestion, Passage, contexts_of, nomiracl_tasks
from surefoot.tasks.nomiracl_pairs import paired_tasks, thinned
from surefoot.tasks.nomiracl_world import judged_questions
from surefoot.tasks.task import Task
from surefoot.text.instruction import Instruction
from surefoot.text.prompt import Prompt

SCORES = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=9).map(lambda x: np.array(x)[:, None])
WORLD = judged_questions(seed=5, languages=("en", "th"), each=6, passages=4, size=400)
TASKS = paired_tasks(WORLD)


def of_two(tasks: tuple[Task, ...]) -> list[Task]:
    """The tasks under two wordings, one of which shows the question twice."""
    return [replace(task, wordings=tuple(w for w in task.wordings if w.id in ("vanilla", "repeat"))) for task in tasks]


# AUC


@given(SCORES, SCORES)
def test_auc_is_scikit_learns_and_the_share_of_pairs_in_order(positive: np.ndarray, negative: np.ndarray) -> None:
    found = auc(positive, negative)
    pairs = [(p > n) + (p == n) / 2 for p in positive[:, 0] for n in negative[:, 0]]
    truth = [1] * len(positive) + [0] * len(negative)
    assert found.value == pytest.approx(np.mean(pairs))
    assert found.value == pytest.approx(roc_auc_score(truth, np.concatenate([positive, negative])[:, 0]))


def test_the_variance_of_auc_is_that_of_repeated_samples_also_over_wordings() -> None:
    rng = np.random.default_rng(0)

    def drawn() -> Area:
        x, y = rng.normal(1, 1, (40, 1)), rng.normal(0, 1, (25, 1))
        return auc(x + rng.normal(0, 1, (40, 3)), y + rng.normal(0, 1, (25, 3)))

    found = [drawn() for _ in range(1500)]
    assert np.mean([one.variance for one in found]) == pytest.approx(np.var([one.value for one in found]), rel=0.12)
    inside = [(i := mean_area([one])).low <= np.mean([f.value for f in found]) <= i.high for one in found]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.03)


def test_the_mean_over_languages_has_the_variance_of_a_mean_and_skips_empty_ones() -> None:
    found = mean_area([Area(0.6, 0.01), Area(0.8, 0.03), Area(np.nan, np.nan)])
    assert found.value == pytest.approx(0.7)
    assert found.high - found.low == pytest.approx(2 * 1.959964 * 0.04**0.5 / 2, rel=1e-5)
    assert isnan(mean_area([]).value)
    alone = mean_area([Area(0.6, 0.01), auc(np.array([[1.0]]), np.array([[0.0]]))])
    assert (alone.value, isnan(alone.low), isnan(alone.high)) == (0.8, True, True)
    assert isnan(auc(np.zeros((0, 1)), np.zeros((3, 1))).value)
    assert auc(np.array([[np.inf]]), np.array([[-np.inf], [5.0]])).value == 1


# Readers


def test_what_a_reader_sees_in_a_prompt_is_what_the_item_holds() -> None:
    for task in TASKS:
        for wording in task.wordings:
            for example in task.examples[:3]:
                prompt = task.query(example, wording).prompt
                assert asked_in(prompt) == asked_of(example.fields)


@given(st.lists(st.text("ab []12\n", min_size=1, max_size=8).map(str.strip).filter(bool), min_size=1, max_size=4))
def test_passages_are_taken_apart_as_they_were_put_together(texts: list[str]) -> None:
    question = JudgedQuestion("q", "What?", tuple(Passage(str(n), t, relevant=False) for n, t in enumerate(texts)))
    if not any(f"\n\n[{n}] " in text for text in texts for n in range(9)):
        assert passages_in(contexts_of(question)) == tuple(texts)


def test_the_line_beside_the_model_is_what_the_probe_measures_of_the_reader_as_a_model() -> None:
    beside = {one.name: one for one in baseline_lines(TASKS, "words", 0)}
    assert [*beside] == ["always", "never", "random", "overlap", "retrieval"]
    for reader in readers(TASKS):
        for answering in ("sum", "generate"):
            found = sf.probe("unanswerable", reader.model(), of_two(TASKS), answering=answering, recheck=0).summary
            own = beside[reader.name]
            for name in ("hallucination", "error", "invalid_unanswerable"):
                assert getattr(found.overall, name).value == pytest.approx(getattr(own, name).value)
            if answering == "sum":
                assert found.overall.auc.value == pytest.approx(own.auc.value)
                assert {one.name: one.auc for one in found.baselines} == {n: b.auc for n, b in beside.items()}
            else:
                assert isnan(found.overall.auc.value)


def test_readers_say_present_as_often_as_it_is_true_and_the_ends_are_what_they_say() -> None:
    lines = {one.name: one for one in baseline_lines(TASKS, "words", 0)}
    always, never = lines["always"], lines["never"]
    assert (always.hallucination.value, always.error.value) == (1, 0)
    assert (never.hallucination.value, never.error.value) == (0, 1)
    assert lines["random"].hallucination.value == pytest.approx(lines["random"].error.value)  # subsets of one size
    assert baseline_lines(TASKS, "none", 0) == ()
    with pytest.raises(BadInput, match=r'"word" is no choice of baselines\. Did you mean "words"'):
        Unanswerable(baselines="word")  # type: ignore[arg-type]


def test_scores_are_those_of_their_formulas() -> None:
    asked = Asked("Red fox jumps?", ("a red cat", "the red fox", "nothing"))
    assert overlap(asked) == pytest.approx(2 / 3)
    by_name = {reader.name: reader for reader in readers(TASKS)}
    questions = [asked_of(e.fields) for task in TASKS[:2] for e in task.examples]
    texts = list(dict.fromkeys(p for one in questions for p in one.passages))
    index = BM25.of(Corpus.of([Document(text, "", text) for text in texts]))
    for one in questions[:5]:
        hits = {hit.document.id: hit.score for hit in index.search([one.question], len(texts))[0]}
        assert by_name["retrieval"].score(one) == pytest.approx(max(hits.get(p, 0) for p in one.passages))


def test_a_planted_answer_is_found_by_words_and_not_by_chance() -> None:
    questions = [
        JudgedQuestion(
            f"q{n}", f"Where is item{n}?", (Passage("a", f"item{n if n % 2 else n + 1} lies here", bool(n % 2)),)
        )
        for n in range(200)
    ]
    lines = {one.name: one for one in baseline_lines(nomiracl_tasks(questions), "words", 0)}
    assert lines["overlap"].auc.value == 1
    assert lines["retrieval"].auc.value == 1
    assert lines["random"].auc.low < 0.5 < lines["random"].auc.high


def test_minilm_tells_a_passage_that_fits_from_a_shuffled_one_in_several_scripts() -> None:
    try:
        minilm()
    except sf.errors.NotAvailable:
        pytest.skip("all-MiniLM-L6-v2 is not installed")
    pairs = [
        ("Who wrote the novel about the whale?", "The novel about the whale was written by a sailor."),
        ("When was the bridge in the harbour built?", "The harbour bridge was built in 1932."),
        ("What do bees make?", "Bees make honey and wax."),
        ("How high is the mountain?", "The mountain rises to 4,800 metres."),
        ("Кто написал роман о ките?", "Роман о ките написал моряк."),
        ("Когда построили мост в гавани?", "Мост в гавани построили в 1932 году."),
        ("मधुमक्खियाँ क्या बनाती हैं?", "मधुमक्खियाँ शहद बनाती हैं।"),
        ("पहाड़ कितना ऊँचा है?", "पहाड़ 4800 मीटर ऊँचा है।"),
        ("ผึ้งทำอะไร", "ผึ้งทำน้ำผึ้งและขี้ผึ้ง"),
        ("ภูเขาสูงเท่าไร", "ภูเขาสูง 4800 เมตร"),
    ]
    fits = [Asked(question, (passage,)) for question, passage in pairs]
    others = [Asked(q, (p,)) for i, (q, _) in enumerate(pairs) for j, (_, p) in enumerate(pairs) if i != j]
    score = Similarity.of([*fits, *others])
    column = {name: np.array([[score(one)] for one in own]) for name, own in (("fit", fits), ("other", others))}
    assert auc(column["fit"], column["other"]).value > 0.85
    half = np.random.default_rng(0).permutation(column["other"])
    assert auc(half[::2], half[1::2]).value == pytest.approx(0.5, abs=0.15)


# The paired shift


def planted(gain: float, per_passage: float) -> sf.ScriptedModel:
    """A margin that is `gain` higher where the telling passage is there, and `per_passage` higher for each passage."""
    gold = {p.text for one in WORLD for p in one.passages if p.relevant}

    def answer(prompt: Prompt, _: object) -> dict[str, float]:
        asked = asked_in(prompt)
        told = any(text in passage for passage in asked.passages for text in gold)
        noise = len(asked.question) % 7 / 10
        return {PRESENT: noise + gain * told + per_passage * len(asked.passages), ABSENT: 0.0}

    return sf.ScriptedModel(answer)


@pytest.mark.parametrize(("gain", "per_passage"), [(0.0, 0.0), (1.5, 0.0), (0.0, 0.5), (1.5, 0.5)])
def test_the_shift_is_the_planted_one_and_thinning_takes_the_number_of_passages_out(
    gain: float, per_passage: float
) -> None:
    found = sf.probe("unanswerable", planted(gain, per_passage), of_two(TASKS), recheck=0).summary
    away, other = found.shifts
    assert (away.name, away.items, other.items) == ("answer taken away", 12, 12)
    assert away.log_odds.value == pytest.approx(gain + per_passage)
    assert other.log_odds.value == pytest.approx(gain, abs=1e-9)
    assert (other.p == 1) if gain == 0 else (other.p == pytest.approx(2 / 2**12))
    assert "What the relevant passage is worth, paired" in [table.title for table in found.tables()]


def test_without_pairs_there_is_no_shift_and_written_answers_shift_in_shares() -> None:
    alone = sf.probe("unanswerable", planted(1, 0), of_two(TASKS[:2]), recheck=0).summary
    assert alone.shifts == ()
    gold = {p.text for one in WORLD for p in one.passages if p.relevant}
    model = sf.ScriptedModel(lambda prompt, _: PRESENT if any(text in prompt.text for text in gold) else ABSENT)
    away, other = sf.probe("unanswerable", model, of_two(TASKS), answering="generate", recheck=0).summary.shifts
    assert isnan(away.log_odds.value)
    assert (away.present.value, other.present.value) == (1, 1)


def test_pairs_have_the_same_questions_and_as_many_passages() -> None:
    tasks = {task.name: {e.id: asked_of(e.fields).passages for e in task.examples} for task in TASKS}
    assert [*tasks["removed"]] == [*tasks["thinned"]] == [*tasks["answerable"]]
    gold = {one.id: {p.text for p in one.passages if p.relevant} for one in WORLD}
    for id, removed in tasks["removed"].items():
        kept = tasks["thinned"][id]
        assert len(removed) == len(kept) == len(tasks["answerable"][id]) - 1
        assert not any(text in passage for passage in removed for text in gold[id])
        assert any(text in passage for passage in kept for text in gold[id])
        assert {*removed, *kept} == {*tasks["answerable"][id]}
    alone = replace(WORLD[0], passages=tuple(p for p in WORLD[0].passages if p.relevant))
    with pytest.raises(BadInput, match="none can be taken away"):
        paired_tasks([alone])
    assert thinned(WORLD[0]).subset == WORLD[0].subset


# A real forced choice, and the figure


def test_forced_choice_is_the_argmax_of_teacher_forced_log_probabilities() -> None:
    model = tiny.causal()
    short = [Instruction("short", "{{ contexts }}\n{{ question }}\n")]
    asked = [JudgedQuestion(str(n), f"Is {n} odd?", (Passage("p", f"{n} is.", n < 2),)) for n in range(4)]
    tasks = nomiracl_tasks(asked, wordings=short)
    found = {row["item"]: row for row in sf.probe("unanswerable", model, tasks, recheck=0).rows.to_pylist()}
    for task in tasks:
        for example in task.examples:
            prompt = task.query(example, task.wordings[0]).prompt
            sums = [score.sum for score in model.score([(prompt, option) for option in (PRESENT, ABSENT)])]
            assert found[example.id]["option_scores"] == pytest.approx(sums, abs=1e-3)
            assert found[example.id]["predicted_index"] == int(np.argmax(sums))


def test_the_figure_stands_where_the_rates_are_and_its_ends_are_always_and_never(tmp_path: Path) -> None:
    from surefoot.report.operating_curve import traces

    model = Reader("overlap", overlap, 0.6).model()
    reading = sf.probe("unanswerable", model, of_two(TASKS), recheck=0)
    drawn = traces(reading.rows, model.name)
    assert [trace.wording for trace in drawn] == ["vanilla", "repeat"]
    _, cells = cells_of(Rows.of(reading.rows), of_two(TASKS), model.name)
    variant = {one.name: one for one in reading.summary.variants}
    for trace in drawn:
        points = [tuple(map(float, point.split(","))) for point in trace.line.split()]
        assert (points[0], points[-1]) == ((100, 100), (0, 0))
        assert trace.auc == pytest.approx(1 - curve_of(cells, trace.wording).area)
        own = variant[trace.wording]
        assert (
            f"hallucination {100 * own.hallucination.value:.1f} %, error {100 * own.error.value:.1f} %"
            in trace.stands.title
        )
        assert float(trace.chosen.x.rstrip("%")) <= 10
    page = reading.save(tmp_path / "r.html").read_text()
    assert page.count("<polyline") == 2
    assert "What the relevant passage is worth" in page
    written = sf.probe("unanswerable", model, of_two(TASKS[:2]), answering="generate", recheck=0)
    assert "<polyline" not in written.save(tmp_path / "w.html").read_text()
