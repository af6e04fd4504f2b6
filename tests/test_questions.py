"""Questions on disk, decompositions executed, and their measures, against brute force and worlds of known truth."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.errors import BadInput
from surefoot.questions.decomposition import (
    Asked,
    execution_order,
    filled,
    needed,
    references,
    rounds,
    run,
    run_together,
)
from surefoot.questions.demonstrations import demonstrations
from surefoot.questions.filtering import adversarial_filter, is_solved
from surefoot.questions.jsonl import read_questions, write_questions
from surefoot.questions.measures import implicitness, recall_at, stem, step_kinds
from surefoot.questions.question import Question, Step
from surefoot.questions.sari import sari
from surefoot.questions.strategyqa import read_predicted, read_strategyqa
from surefoot.worlds.corpora import ALL_KINDS, QuestionWorld
from surefoot.worlds.corpus_forms import LANGUAGES
from surefoot.worlds.corpus_reader import Table

WORLD = QuestionWorld(4, 600, ALL_KINDS, count=140, languages=LANGUAGES)
DOCUMENTS = tuple(WORLD.documents)
SHARED = Path(__file__).parents[2] / "shared" / "data" / "strategyqa"
has_strategyqa = pytest.mark.skipif(not SHARED.is_dir(), reason="the rows of StrategyQA are not beside the checkout")


def steps(*texts: str) -> tuple[Step, ...]:
    return tuple(Step(text) for text in texts)


# Execution


def test_gold_decompositions_over_the_worlds_table_give_every_answer() -> None:
    table = Table.of(DOCUMENTS)
    executed = 0
    for question in WORLD.questions:
        if question.steps and question.kind != "contradicted":
            done = run(question, table.answer)
            assert done.answer == question.answers[0], question
            assert done.answers == tuple(step.answer for step in question.steps)
            executed += 1
    assert executed == 100


def test_deleting_one_document_changes_exactly_the_answers_that_depend_on_it() -> None:
    asked = [question for question in WORLD.questions if question.steps and question.kind != "contradicted"]
    for gone in sorted({hop[0] for question in asked for hop in question.evidence[0]})[::9]:
        table = Table.of(document for document in DOCUMENTS if document.id != gone)
        for question in asked:
            depends = any(gone in step.documents for step in question.steps)
            try:
                answers: tuple[str | None, ...] = run(question, table.answer).answers
            except BadInput:
                answers = ()
            assert (answers != tuple(step.answer for step in question.steps)) == depends


@st.composite
def decomposed(draw: st.DrawFn) -> Question:
    """A question whose steps name any of those that stand before them in a hidden order."""
    hidden = draw(st.permutations(range(draw(st.integers(1, 6)))))
    texts = {}
    for turn, place in enumerate(hidden):
        named = draw(st.sets(st.sampled_from(hidden[:turn]), max_size=3)) if turn else set()
        texts[place] = " ".join([f"s{place}", *(f"#{other + 1}" for other in sorted(named))])
    return Question("q", "?", steps=steps(*(texts[place] for place in range(len(hidden)))))


@given(st.lists(decomposed(), max_size=4))
def test_questions_executed_together_are_answered_as_each_alone_in_as_many_rounds_as_the_longest_chain(
    asked: list[Question],
) -> None:
    calls: list[int] = []

    def all_at_once(batch: object) -> list[str]:
        calls.append(len(batch))  # type: ignore[arg-type]
        return [f"({one.text})" for one in batch]  # type: ignore[attr-defined]

    alone = [run(question, lambda text, _: f"({text})") for question in asked]
    assert run_together(asked, all_at_once) == alone
    assert sum(calls) == sum(len(one.order) for one in alone)

    def depth(question: Question, place: int) -> int:
        return 1 + max((depth(question, n - 1) for n in references(question.steps[place].text)), default=0)

    assert len(calls) == max((depth(question, len(question.steps) - 1) for question in asked), default=0)


def test_a_round_asks_what_can_be_answered_and_leaves_out_what_nobody_needs() -> None:
    asked = steps("A?", "B of #1?", "C?", "not needed", "Is #2 #3?")
    assert rounds(asked) == ((0, 2), (1,), (4,))
    seen: list[list[Asked]] = []
    run_together([Question("q", "?", steps=asked)], lambda batch: [*map(str.lower, _texts(seen, batch))])
    assert [[one.text for one in batch] for batch in seen] == [["A?", "C?"], ["B of a??"], ["Is b of a?? c??"]]
    with pytest.raises(BadInput, match='"none" has no steps'):
        run_together([Question("none", "?")], lambda batch: [""] * len(batch))


def _texts(seen: list[list[Asked]], batch: object) -> list[str]:
    seen.append(list(batch))  # type: ignore[call-overload]
    return [one.text for one in seen[-1]]


@given(st.integers(1, 6), st.data())
def test_an_order_is_found_exactly_where_one_exists_and_is_the_earliest(n: int, data: st.DataObject) -> None:
    others = [[j for j in range(n) if j != i] for i in range(n)]
    edges = [data.draw(st.sets(st.sampled_from(free), max_size=2)) if free else set() for free in others]
    asked = [Step(" ".join(f"#{j + 1}" for j in sorted(edges[i])) + " ?") for i in range(n)]
    valid = [
        order
        for order in permutations(range(n))
        if all(order.index(j) < order.index(i) for i in range(n) for j in edges[i])
    ]
    if valid:
        assert execution_order(asked) == min(valid)
    else:
        with pytest.raises(BadInput, match="wait for each other"):
            execution_order(asked)


def test_one_does_not_eat_ten_and_an_answer_is_not_filled_again() -> None:
    answers = [f"answer{k}" for k in range(1, 12)]
    assert filled("#1, #10 and #11's", answers) == "answer1, answer10 and answer11's"
    assert filled("#1 or #2", ["#2", "x"]) == "#2 or x"
    assert references("Is #10 after #1 and #10?") == (10, 1)


@given(st.lists(st.integers(1, 12), max_size=8), st.lists(st.text("ab ", max_size=3), min_size=12, max_size=12))
def test_filling_in_one_pass_is_replacing_from_high_to_low(named: list[int], answers: list[str]) -> None:
    text = by_hand = " and ".join(f"#{k}" for k in named)
    for k in range(12, 0, -1):
        by_hand = by_hand.replace(f"#{k}", answers[k - 1])
    assert filled(text, answers) == by_hand


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (steps("Who?", "Where is #2?"), 'Step 2, "Where is #2[?]", names its own answer'),
        (steps("Who is #3?", "#1?", "#2?"), "The steps #1, #2, #3 wait for each other"),
        (steps("Who?", "Is #1 like #5?"), "names #5; there are 2 steps"),
        (steps("Is it #0?"), "names #0"),
    ],
)
def test_references_that_cannot_be_resolved_are_refused(asked: tuple[Step, ...], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        run(Question("q", "?", steps=asked), lambda text, _: text)


def test_a_question_without_steps_is_refused() -> None:
    with pytest.raises(BadInput, match='"q7" has no steps'):
        run(Question("q7", "?"), lambda text, _: text)


def test_only_what_the_last_step_depends_on_is_asked() -> None:
    asked: list[str] = []

    def answer(text: str, _: Step) -> str:
        asked.append(text)
        return text.strip("?").upper()

    question = Question("q", "?", steps=steps("a?", "b?", "#1 c?"))
    assert needed(question.steps) == {0, 2}
    done = run(question, answer)
    assert (asked, done.answers, done.order) == (["a?", "A c?"], ("A", None, "A C"), (0, 2))


# Measures


def test_recall_is_the_best_annotators_share() -> None:
    evidence = ((("a", "b"), ("c",)), (("d",), ()), ((), ()))
    assert recall_at(["a", "c"], evidence) == pytest.approx(2 / 3)
    assert recall_at(["a", "d"], evidence) == 1
    assert recall_at(["x", "a"], evidence, k=1) == 0
    assert recall_at(["a"], (((), ()),)) == recall_at(["a"], ()) == 0
    many = ((tuple(f"d{i}" for i in range(16)),),)
    assert recall_at([f"d{i}" for i in range(16)], many) == 10 / 16


@given(
    st.lists(st.lists(st.lists(st.sampled_from("abcdef"), max_size=3), max_size=3), max_size=3),
    st.lists(st.sampled_from("abcdefgh"), unique=True),
    st.integers(1, 8),
)
def test_recall_equals_counting_by_hand(evidence: list[list[list[str]]], found: list[str], k: int) -> None:
    best = 0.0
    for annotator in evidence:
        gold: list[str] = []
        for id in (id for hop in annotator for id in hop):
            gold += [] if id in gold else [id]
        hits = 0
        for place, id in enumerate(found):
            hits += place < k and id in gold
        best = max(best, hits / len(gold) if gold else 0.0)
    assert recall_at(found, evidence, k) == pytest.approx(best)


def test_the_kind_of_a_step_is_what_most_annotators_say() -> None:
    first = (("A-1",), ("operation",), ("no_evidence", "operation"), ("operation",))
    second = (("operation",), ("operation",), ("operation",), ("B-1",))
    third = (("no_evidence",), ("B-2",), ("no_evidence",), ("no_evidence",))
    assert step_kinds((first, second, third)) == ("retrieval", "operation", "operation", "retrieval")
    assert step_kinds((first, second))[0] == "retrieval"
    both = (("operation", "A-1"),)  # who marks a document too does not call it an operation
    assert step_kinds((both, (("operation",),), (("B-1",),))) == ("retrieval",)
    assert step_kinds((both, (("operation",),), (("operation",),))) == ("operation",)


def test_implicitness_is_the_share_of_new_content_words() -> None:
    asked = "Did the painters of Rome use planes?"
    assert implicitness(Question("q", asked, steps=steps("Which painter was of Rome?", "Did #1 use a plane?"))) == 0
    new = Question(
        "q", asked, steps=steps("When did the painters live?", "When were planes invented?", "Is #2 before #1?")
    )
    assert implicitness(new) == 0.5
    assert math.isnan(implicitness(Question("q", asked, steps=steps("Is it #1?"))))
    assert stem("cities") == stem("city")
    assert stem("planned") == stem("plans") == stem("plan")
    assert stem("glass") == "glass"
    assert stem("cats") == stem("cat")
    assert stem("rated") == stem("rate") != "rate"
    longer = Question("q", "Did Rome fall?", steps=steps("When did Rome fall?", "When did Carthage burn and drown?"))
    assert implicitness(longer) == pytest.approx(3 / 5)  # of five content words used, where two are asked with


def test_bridge_questions_of_the_world_are_less_implicit_than_implicit_ones() -> None:
    def mean(kind: str) -> float:
        values = [implicitness(q) for q in QuestionWorld(1, 1000, (kind,), 60).questions]
        return sum(values) / len(values)

    assert mean("single") < mean("bridge") < mean("implicit")


def test_gold_documents_are_those_of_all_annotators_each_once_in_order() -> None:
    asked = Question("q", "?", evidence=((("b", "a"), ()), (("a",), ("c", "b"))))
    assert asked.gold == ("b", "a", "c")
    assert Question("q", "?").gold == ()


# SARI


def sari_by_hand(source: str, output: str, references: list[str]) -> float:
    """The definition, with lists and loops alone."""

    def grams(text: str, n: int) -> list[str]:
        tokens = text.lower().split()
        return [" ".join(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]

    total = 0.0
    for n in (1, 2, 3, 4):
        s, o = grams(source, n) * len(references), grams(output, n) * len(references)
        r = [gram for reference in references for gram in grams(reference, n)]
        kp, kr, dp = [], [], []
        for gram in set(s) | set(o):
            kept = min(s.count(gram), o.count(gram))
            lost = s.count(gram) - o.count(gram)
            if kept:
                kp.append(min(kept, r.count(gram)) / kept)
            if lost > 0:
                dp.append(max(0, lost - r.count(gram)) / lost)
        for gram in set(s) & set(r):
            kr.append(min(s.count(gram), o.count(gram), r.count(gram)) / min(s.count(gram), r.count(gram)))
        new, wanted = [g for g in set(o) if g not in s], [g for g in set(r) if g not in s]
        hits = sum(g in wanted for g in new)

        def mean(values: list[float]) -> float:
            return sum(values) / len(values) if values else 0.0

        def harmonic(a: float, b: float) -> float:
            return 2 * a * b / (a + b) if a + b else 0.0

        add = harmonic(hits / len(new) if new else 0.0, hits / len(wanted) if wanted else 0.0)
        total += harmonic(mean(kp), mean(kr)) + mean(dp) + add
    return total / 12


TEXTS = st.lists(st.sampled_from("aabcde"), min_size=1, max_size=8).map(" ".join)


@given(TEXTS, TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_sari_equals_the_definition_by_loops(source: str, output: str, references: list[str]) -> None:
    assert sari(source, output, references) == pytest.approx(sari_by_hand(source, output, references))


@pytest.mark.parametrize(
    ("output", "published"),
    [
        ("About 95 you now get in .", 0.2682782411698074),
        ("About 95 species are now agreed .", 0.5889995423074248),
        ("About 95 species are currently agreed .", 0.5071608864657479),
    ],
)
def test_sari_is_what_the_script_of_its_authors_gives_on_their_example(output: str, published: float) -> None:
    source = "About 95 species are currently accepted ."
    known, accepted = "About 95 species are currently known .", "About 95 species are now accepted ."
    assert sari(source, output, [known, accepted, "95 species are now accepted ."]) == pytest.approx(
        published, abs=1e-12
    )


def test_sari_of_a_rewriting_that_keeps_deletes_and_adds_as_the_reference_does_is_one() -> None:
    assert sari("a b c d e f g h", "x y z w a b c d", ["x y z w a b c d"]) == pytest.approx(1)
    assert sari("A B c D e F g H", "x y Z w a B c d", ["X Y Z W A b C d"]) == pytest.approx(1)  # whatever the case
    assert sari("a b c d e", "f g h i j", ["a b c d e"]) == 0
    with pytest.raises(BadInput, match="without a reference"):
        sari("a", "b", [])


# Files


def test_the_command_writes_a_corpus_and_questions_and_refuses_what_no_world_has(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    import surefoot.cli.world  # noqa: F401 - it adds its verb
    from surefoot.cli.app import app
    from surefoot.retrieval.corpus import Corpus

    def call(*words: str) -> BaseException | None:
        return CliRunner().invoke(app, ["world", *words, "--out", str(tmp_path / "w")]).exception

    assert isinstance(call("facts", "--kind", "brige"), BadInput)
    assert isinstance(call("fact"), BadInput)
    assert not (tmp_path / "w").exists()
    assert (
        call("facts", "--size", "300", "--seed", "3", "--count", "30", "--language", "en", "--language", "th") is None
    )
    world = QuestionWorld(3, 300, count=30, languages=("en", "th"))
    corpus = Corpus.read(tmp_path / "w" / "corpus.jsonl")
    assert [corpus[i] for i in range(len(corpus))] == list(world.documents)
    assert read_questions(tmp_path / "w" / "questions.jsonl") == world.questions


def test_questions_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    write_questions(WORLD.questions, tmp_path / "q.jsonl")
    assert read_questions(tmp_path / "q.jsonl") == WORLD.questions


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"text": "?"}, 'line 1: a question needs "id"'),
        ({"id": "a", "text": "?", "answer": "x"}, 'unknown key "answer". Did you mean "answers"'),
        ({"id": "a", "text": "?", "answers": "x"}, '"answers" is "x", which is not a list'),
        ({"id": "a", "text": "?", "evidence": ["x"]}, '"evidence" is "x", which is not a list'),
        ({"id": "a", "text": "?", "steps": ["x"]}, 'a step is "x"'),
        ({"id": "a", "text": "?", "steps": [{"text": "x", "document": []}]}, 'Did you mean "documents"'),
    ],
)
def test_a_mistake_in_a_file_of_questions_is_named_with_its_line(
    tmp_path: Path, line: dict[str, object], told: str
) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text(json.dumps(line), encoding="utf-8")
    with pytest.raises(BadInput, match=told):
        read_questions(path)


def test_two_questions_of_one_id_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    path.write_text('{"id": "a", "text": "?"}\n' * 2, encoding="utf-8")
    with pytest.raises(BadInput, match='line 2: the id "a" stands twice'):
        read_questions(path)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(BadInput, match="has no questions"):
        read_questions(path)


RECORD = {
    "qid": "q1",
    "term": "Rome",
    "question": "Did Rome have planes?",
    "answer": False,
    "facts": ["Rome fell in 476.", "Planes are of 1903."],
    "decomposition": ["When did Rome fall?", "When were planes invented?", "Is #2 before #1?"],
    "evidence": [
        [[["Rome-1", "Rome-2"], ["Rome-3"]], [["Plane-1"]], ["operation"]],
        [["no_evidence"], [["Plane-1"], "no_evidence"], ["operation"]],
    ],
}


def test_strategyqa_is_read_from_a_list_and_from_lines(tmp_path: Path) -> None:
    as_list, as_lines = tmp_path / "dev.json", tmp_path / "dev.jsonl"
    hidden = {"qid": "q2", "question": "Is it?"}
    as_list.write_text(json.dumps([RECORD, hidden], indent=1), encoding="utf-8")
    as_lines.write_text(f"{json.dumps(RECORD)}\n{json.dumps(hidden)}\n", encoding="utf-8")
    one, two = read_strategyqa(as_list)
    assert (one, two) == read_strategyqa(as_lines)
    assert one.answers == ("no",)
    assert one.evidence == ((("Rome-1", "Rome-2", "Rome-3"), ("Plane-1",), ()), ((), ("Plane-1",), ()))
    assert [step.documents for step in one.steps] == [("Rome-1", "Rome-2", "Rome-3"), ("Plane-1",), ()]
    assert one.reasoning[-1] == "So the answer is: no."
    assert (two.answers, two.steps) == ((), ())


def test_answers_of_a_reader_and_predicted_steps_are_read_where_the_records_have_them(tmp_path: Path) -> None:
    path = tmp_path / "dev.jsonl"
    stored = {"oracle_step_answers": ["476", "", "yes"], "bart_decomposition": ["When fell Rome?", "A?  Is #1 #2?"]}
    path.write_text(json.dumps({**RECORD, **stored}), encoding="utf-8")
    (question,) = read_strategyqa(path)
    assert [step.answer for step in question.steps] == ["476", "unknown", "no"]  # the last is the label, not theirs
    assert read_predicted(path) == {"q1": ("When fell Rome?", "A?", "Is #1 #2?")}
    path.write_text(json.dumps({**RECORD, "oracle_step_answers": ["476"]}), encoding="utf-8")
    with pytest.raises(BadInput, match="1 answers for 3 steps"):
        read_strategyqa(path)
    with pytest.raises(BadInput, match='no "bart_decomposition"'):
        read_predicted(path)


@has_strategyqa
def test_the_published_decomposer_scores_between_a_copy_of_the_question_and_the_gold_steps() -> None:
    path = SHARED / "dev.jsonl"
    questions, predicted = read_strategyqa(path), read_predicted(path)

    def mean(written: Callable[[Question], str]) -> float:
        gold = [" ".join(step.text for step in q.steps) for q in questions]
        return sum(sari(q.text, written(q), [g]) for q, g in zip(questions, gold, strict=True)) / len(questions)

    copied, best = mean(lambda q: q.text), mean(lambda q: " ".join(step.text for step in q.steps))
    assert copied < mean(lambda q: " ".join(predicted[q.id])) < best
    assert len(predicted) == 150


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"qid": ""}, 'record 1: a question needs "qid"'),
        ({"answer": "no"}, '"answer" is "no"; write true or false'),
        ({"evidence": [[["operation"]]]}, "not one list for each of the 3 steps"),
    ],
)
def test_a_broken_record_of_strategyqa_is_named(tmp_path: Path, change: dict[str, object], told: str) -> None:
    path = tmp_path / "dev.json"
    path.write_text(json.dumps([{**RECORD, **change}]), encoding="utf-8")
    with pytest.raises(BadInput, match=told):
        read_strategyqa(path)


@has_strategyqa
def test_the_published_rows_are_read_and_every_decomposition_can_be_put_in_order() -> None:
    questions = [*read_strategyqa(SHARED / "dev.jsonl"), *read_strategyqa(SHARED / "train_sample.jsonl")]
    assert len(questions) == 450
    assert all(len(execution_order(question.steps)) == len(question.steps) for question in questions)
    assert sum(len(question.steps) for question in questions) / 450 == pytest.approx(2.93, abs=0.05)
    perfect = [recall_at([i for a in q.evidence[:1] for hop in a for i in hop], q.evidence, 1000) for q in questions]
    assert sum(perfect) / 450 > 0.9
    assert all(0 < implicitness(question) <= 1 for question in questions if not math.isclose(implicitness(question), 0))


@has_strategyqa
def test_recall_of_the_published_rows_on_random_rankings_equals_a_count_from_the_raw_records() -> None:
    rng = random.Random(0)
    records = [json.loads(line) for line in (SHARED / "dev.jsonl").read_text(encoding="utf-8").splitlines()]
    for question, record in zip(read_strategyqa(SHARED / "dev.jsonl"), records, strict=True):
        pool = sorted(question.gold)
        found = rng.sample([*pool, *(f"other-{k}" for k in range(12))], len(pool) + 12)
        best = 0.0
        for annotator in record["evidence"]:
            ids = [id for step in annotator for mark in step if isinstance(mark, list) for id in mark]
            best = max(best, len({*ids} & {*found[:10]}) / len({*ids}) if ids else 0.0)
        assert recall_at(found, question.evidence) == best


# Filter


def test_filtering_fools_the_solver_and_leaves_the_oracle_as_it_was() -> None:
    asked = QuestionWorld(2, 3000, ("implicit",), 200).questions
    truth = {q.id: q.answers[0] for q in asked}

    def always_yes(_: Question) -> str:
        return "Yes."

    def oracle(question: Question) -> str:
        return truth[question.id]

    found = adversarial_filter(asked, [always_yes])
    assert {q.answers[0] for q in found.kept} == {"no"}
    assert len(found.kept) + len(found.dropped) == 200
    assert sum(found.solved.values()) == len(found.dropped)
    assert all(is_solved(q, oracle(q)) for q in found.kept)
    assert not adversarial_filter(asked, [always_yes, oracle]).kept
    assert adversarial_filter(asked, [always_yes, oracle], fooled=1).kept == found.kept


def test_a_question_without_an_answer_is_solved_by_saying_so() -> None:
    assert is_solved(Question("q", "Who?"), "Unknown.")
    assert not is_solved(Question("q", "Who?"), "")
    assert not is_solved(Question("q", "Who?", ("Ann",)), "unknown")


def test_solvers_are_trained_anew_on_what_was_kept() -> None:
    asked = [Question(str(k), f"q{k}", ("a" if k % 4 else "b",)) for k in range(40)]
    seen: list[int] = []

    def retrain(kept: object) -> list[object]:
        seen.append(len(kept))  # type: ignore[arg-type]
        return [lambda _: "a"]

    found = adversarial_filter(asked, [], retrain=retrain, every=3)  # type: ignore[arg-type]
    assert [q.id for q in found.kept[:3]] == ["0", "1", "2"]
    assert {q.answers[0] for q in found.kept[3:]} == {"b"}
    assert seen == [3, 6, 9, 12][: len(seen)]
    assert len(seen) == len(found.kept) // 3


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"solvers": []}, "No solver"),
        ({"solvers": [str], "fooled": 2}, "fooled is 2"),
        ({"solvers": [str], "every": 0}, "every is 0"),
    ],
)
def test_a_filter_that_cannot_work_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        adversarial_filter([], **settings)  # type: ignore[arg-type]


# Demonstrations


def test_demonstrations_show_gold_documents_and_distractors_and_name_nothing_of_the_tested_questions() -> None:
    world = QuestionWorld(0, 20_000, count=300)
    found = demonstrations(world, 12, distractors=3)
    names = {word for q in world.questions for text in (q.text, *q.answers) for word in text.split() if word.isalpha()}
    common = {word for form in ("The", "Would", "Who", "A") for word in (form,)}
    for question, documents in found:
        ids = [document.id for document in documents]
        gold = [id for annotator in question.evidence for hop in annotator for id in hop]
        assert len(ids) == len(set(ids)) == len(gold) + 3
        assert set(gold) <= set(ids)
        assert all(id.startswith("shown/") for id in ids)
        for step in question.steps:
            assert all(step.answer in next(d.text for d in documents if d.id == id) for id in step.documents)
        told = {step.answer for step in question.steps if step.documents and step.answer[:1].isupper()}
        assert not told & (names - common)
        assert question.reasoning[-1].startswith("So the answer is:")
    assert {d.question.kind for d in found} == set(world.kinds)
    assert found == demonstrations(world, 12, distractors=3)
    assert not {d.question.text for d in found} & {d.question.text for d in demonstrations(world, 12, seed=1)}


def test_demonstrations_for_a_large_world_name_none_of_its_entities() -> None:
    world = QuestionWorld(0, 1_000_000, ("bridge",))
    (section,) = world.sections
    for question, _ in demonstrations(world, 40):
        entity = question.steps[0].answer
        assert section.number("born-in", entity) is None
        assert section.number("founded-in", entity) is None


def test_demonstrations_that_would_name_the_worlds_own_entities_are_left_out() -> None:
    from surefoot.questions.demonstrations import names_known

    world = QuestionWorld(0, 1000, count=120)
    assert all(names_known(question, world) for question in world.questions if question.language == "en")
    assert sum(names_known(question, world) for question in QuestionWorld(5, 1000, count=120).questions) < 12
    with pytest.raises(BadInput, match="0 demonstrations"):
        demonstrations(world, 0)


def test_a_changed_answer_is_noticed_by_the_reader() -> None:
    question = next(q for q in WORLD.questions if q.kind == "bridge")
    first = WORLD.documents.find(question.evidence[0][0][0])
    lie = first._replace(text=first.text.replace(question.steps[0].answer, "Nowhereburg"))
    table = Table.of(lie if document.id == first.id else document for document in DOCUMENTS)
    assert run(question, table.answer).answers == ("Nowhereburg", "")
    assert replace(question, answers=()).steps == question.steps
