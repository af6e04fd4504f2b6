"""What implicit questions find and what reading it is worth, on worlds where both are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache

import pytest

import surefoot as sf
from surefoot.errors import BadInput
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.implicit_reasoning.summary import ImplicitSummary
from surefoot.questions.decomposition import run
from surefoot.questions.measures import recall_at
from surefoot.questions.question import Question, Step
from surefoot.questions.searching import FOUND, Searched, query_of
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Document, Hit
from surefoot.tasks.implicit import implicit_task
from surefoot.tasks.implicit_items import item_fields, step_passages, strangers
from surefoot.tasks.task import Task
from surefoot.text.prompt import Prompt
from surefoot.worlds.corpora import QuestionWorld
from surefoot.worlds.corpus_crowd import crowded
from surefoot.worlds.corpus_reader import Table

WORLD = QuestionWorld(2, 600, ("implicit",), 60)


@cache
def corpus() -> tuple[Document, ...]:
    return tuple(crowded(WORLD.questions, WORLD.documents))


def predicted() -> dict[str, tuple[str, ...]]:
    """The gold steps, of every sixth question with the first one forgotten and the others about it left unsaid."""
    return {
        q.id: tuple(step.text for step in (q.steps[1:] if place % 6 == 0 else q.steps))
        for place, q in enumerate(WORLD.questions)
    }


@cache
def task() -> Task:
    return implicit_task(
        WORLD.questions,
        documents={document.id: document for document in corpus()},
        retriever=BM25.of(Corpus.of(list(corpus()))),
        predicted=predicted(),
        name="crowded",
    )


def reader(prompt: Prompt, options: Sequence[str]) -> str:
    """Executes the gold decomposition on what stands in the context and nothing else; no where that is not enough."""
    if not options:
        return "unknown"
    asked = prompt.only("input").text
    question = next((q for q in WORLD.questions if q.text in asked), None)
    if question is None:
        return "no"
    context = prompt.only("context").text
    shown = [document for document in corpus() if document.text in context]
    try:
        return run(question, Table.of(shown).answer).answer or "no"
    except BadInput:
        return "no"


@cache
def summary() -> ImplicitSummary:
    found = sf.probe("implicit-reasoning", ScriptedModel(reader, "reader"), task(), recheck=0).summary
    assert isinstance(found, ImplicitSummary)
    return found


def test_steps_find_more_than_the_question_predicted_ones_less_than_gold_ones() -> None:
    (found,) = summary().retrieved
    assert found.question + 0.05 < found.predicted < found.written < found.pooled
    assert found.pooled > 0.9


def test_recall_is_that_of_a_search_for_each_question_by_itself() -> None:
    index = BM25.of(Corpus.of(list(corpus())))
    question = WORLD.questions[4]
    (by_question,) = index.search([question.text], FOUND)
    (example,) = [e for e in task().examples if e.id == question.id]
    found = json.loads(example.fields["known"])["found"]
    assert found["question"] == [hit.document.id for hit in by_question]
    best: dict[str, float] = {}
    for text in (query_of(step.text) for step in question.steps):
        for hit in index.search([text], FOUND)[0]:
            best[hit.document.id] = max(best.get(hit.document.id, -1.0), hit.score)
    ranked = sorted(best, key=lambda one: -best[one])[:FOUND]
    assert sorted(best[id] for id in found["written"]) == sorted(best[id] for id in ranked)


def expected(way: str) -> float:
    """How often a reader is right who needs all gold documents and says no without: from what was found in a way."""
    right = 0
    for question, example in zip(WORLD.questions, task().examples, strict=True):
        ids = json.loads(example.fields["known"])["found"][way]
        right += question.answers == ("no",) or set(question.gold) <= set(ids)
    return right / len(WORLD.questions)


def test_a_reader_gains_from_documents_as_far_as_they_are_found_and_nothing_from_those_of_others() -> None:
    accuracy = {one.condition: one.accuracy.value for one in summary().findings}
    assert accuracy["question"] == accuracy["other"] == 0.5
    assert accuracy["ir-q"] == expected("question")
    assert accuracy["ir-d"] == expected("predicted")
    assert accuracy["retrieved"] == expected("pooled")
    assert 0.5 <= accuracy["ir-q"] <= accuracy["ir-d"] < accuracy["retrieved"] < accuracy["gold"] == 1


def test_a_model_that_searches_by_itself_is_compared_with_the_bare_one_on_the_same_questions() -> None:
    index = BM25.of(Corpus.of(list(WORLD.documents)))
    asked = implicit_task(WORLD.questions, retriever=index, conditions=["question"])
    bare = ScriptedModel(reader, "reader")
    searching = sf.treat("rag", bare, index=index, k=FOUND, budget=100_000)
    before, after = (sf.probe("implicit-reasoning", model, asked, recheck=0) for model in (bare, searching))
    found = [json.loads(example.fields["known"])["found"]["question"] for example in asked.examples]
    right = sum(q.answers == ("no",) or set(q.gold) <= set(ids) for q, ids in zip(WORLD.questions, found, strict=True))
    gain = after.summary.finding("question").accuracy.value - before.summary.finding("question").accuracy.value
    assert before.summary.finding("question").accuracy.value == 0.5
    assert gain == pytest.approx(right / len(WORLD.questions) - 0.5)
    assert gain > 0
    assert f"{100 * gain:+.1f} points" in str(sf.compare(before, after))


def test_the_documents_of_another_question_are_none_of_ones_own_whatever_the_order() -> None:
    places = strangers(WORLD.questions)
    assert all(k is not None for k in places)
    pairs = {q.id: WORLD.questions[k or 0].id for q, k in zip(WORLD.questions, places, strict=True)}
    by_id = {q.id: q for q in WORLD.questions}
    assert all(set(by_id[one].gold).isdisjoint(by_id[other].gold) for one, other in pairs.items())
    turned = WORLD.questions[::-1]
    assert {q.id: turned[k or 0].id for q, k in zip(turned, strangers(turned), strict=True)} == pairs
    assert strangers(WORLD.questions[:1]) == [None]


def test_each_step_is_shown_with_its_own_passages_alone() -> None:
    seen: list[Prompt] = []

    def script(prompt: Prompt, options: Sequence[str]) -> str:
        seen.append(prompt)
        return "no" if options else "it"

    question = next(q for q in WORLD.questions if len(q.steps) == 4)
    documents = {document.id: document for document in corpus()}
    one = implicit_task([question], documents=documents, conditions=["steps"])
    sf.probe("implicit-reasoning", ScriptedModel(script), one, recheck=0)
    (example,) = one.examples
    own = step_passages(example)
    assert [text.count("\n") for text in own] == [1, 1, 1, 0]
    for place, step in enumerate(question.steps[:3]):
        (shown,) = [p for p in seen if p.only("input").text.strip() == f"Question: {step.text.replace('#1', 'it')}"]
        assert shown.only("context").text.strip() == f"Passages:\n{own[place]}".strip()
    assert seen[-1].only("context").text == ""


def test_the_last_step_is_read_with_its_passages_where_it_has_any() -> None:
    asked = Question(
        "q",
        "?",
        ("yes",),
        evidence=((("a",), ("b",)),),
        steps=(Step("A?", "it", ("a",)), Step("B of #1?", "yes", ("b",))),
    )
    documents = {id: Document(id, "", f"Text {id}.") for id in "ab"}
    one = implicit_task([asked], documents=documents)
    shown = one.query(one.examples[0], one.wording("filled")).prompt
    assert shown.text == "Answer yes or no.\n\nPassages:\nText b.\n\nQuestion: B of it?\nAnswer:"
    assert shown.only("context").text == "Passages:\nText b.\n\n"


def test_queries_lose_references_and_function_words_if_wanted() -> None:
    assert query_of("In which year was #12 founded?") == "In which year was founded?"
    assert query_of("In which year was #12 founded?", content_only=True) == "year founded"
    assert query_of("Rome?") == "Rome?"


class Recorded:
    """Finds one document for every query and keeps what it was asked."""

    digest = "recorded"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        self.asked += queries
        return [[Hit(Document("d", "", "D."), 1.0)] for _ in queries]


def test_texts_that_are_one_query_are_searched_once_and_an_empty_one_never() -> None:
    index = Recorded()
    found = Searched.of(index, ["Was it #1?", "Rome of #1", "Rome of #2", "Rome"], content_only=True)
    assert index.asked == ["rome"]
    assert found.best("Was it #1?") == []
    assert [d.id for d in found.pooled(["Rome of #1", "Rome"])] == ["d"]


def test_a_question_without_predicted_steps_is_searched_as_it_is() -> None:
    first, second = WORLD.questions[:2]
    one = implicit_task([first, second], retriever=Recorded(), predicted={first.id: ("Somewhere?",)})
    assert all(e.fields["predicted_passages"] for e in one.examples)
    alone = item_fields(second, {}, None, ())
    assert alone["predicted_passages"] == alone["searched_passages"] == ""


def test_a_crowd_names_the_subjects_of_gold_documents_and_states_nothing() -> None:
    made = crowded(WORLD.questions, WORLD.documents, each=3)
    same, added = made[: len(WORLD.documents)], made[len(WORLD.documents) :]
    assert [(d.id, d.text) for d in same] == [(d.id, d.text) for d in WORLD.documents]
    assert all(before.title in after.title for before, after in zip(WORLD.documents, same, strict=True))
    subjects = {WORLD.documents.find(id).title for q in WORLD.questions for id in q.gold}
    assert {document.title for document in added} == subjects
    assert len({document.text for document in added}) == len(added) == 3 * len(subjects)
    assert Table.of(made) == Table.of(WORLD.documents)
    with pytest.raises(BadInput, match="each is 0"):
        crowded(WORLD.questions, WORLD.documents, each=0)


def test_recall_of_a_perfect_ranking_is_below_one_where_more_than_ten_are_marked() -> None:
    marked = (tuple((f"d{k}",) for k in range(13)),)
    assert recall_at([f"d{k}" for k in range(13)], marked) == pytest.approx(10 / 13)
    assert recall_at([f"d{k}" for k in range(13)], (*marked, (("d4",),))) == 1
