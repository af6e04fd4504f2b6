"""The treatment ircot: exact traces under a script, bridges that only it crosses, one text in any batch."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import surefoot as sf
import tiny
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.trace import Trace
from surefoot.probes.multi_hop.measure import read_answer
from surefoot.questions.demonstrations import Demonstration
from surefoot.questions.question import Question
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Document, Hit
from surefoot.texts import Asked, write_texts
from surefoot.treatments.retrieval.ircot import BASELINES, Examples, Ircot, Steps
from surefoot.treatments.retrieval.ircot_prompts import Packer, with_distractors
from surefoot.treatments.retrieval.ircot_queries import Hygiene, query_of, take
from surefoot.worlds.corpora import QuestionWorld

FILM = Document("film", "Grey Tide", "Grey Tide was made by Ann Lee.")
LEE = Document("lee", "Ann Lee", "Ann Lee was born in Oslo.")
SEA = Document("sea", "Sea", "Water with salt in it.")
LONG = Sampling(max_new_tokens=400)


class Shelf:
    """Finds documents by a table; what it does not know, it finds nothing for."""

    digest = "shelf"

    def __init__(self, found: dict[str, Sequence[Document]]) -> None:
        self.found = found
        self.asked: list[str] = []

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        self.asked += queries
        return [[Hit(document, 1.0) for document in self.found.get(query, ())][:k] for query in queries]


def shelf() -> Shelf:
    return Shelf({"the maker of Grey Tide born?": [FILM, SEA], "Grey Tide was made by Ann Lee.": [SEA, LEE]})


def script(prompt: sf.Prompt, _: Any) -> str:
    """Says what the documents before it allow, and more than one sentence of it."""
    text = prompt.text
    if "born in Oslo" not in text:
        return "Grey Tide was made by Ann Lee. Ann Lee was born in Rome. So the answer is: Rome."
    if "A: Grey Tide was made by Ann Lee. Ann Lee was born in Oslo." in text:
        return " So the answer is: Oslo.\n\nQ: Who?"
    return " Ann Lee was born in Oslo. So the answer is: Oslo." if "A: Grey" in text else "Oslo"


QUESTION = "Where was the maker of Grey Tide born?"
FIRST: dict[str, Sequence[Document]] = {
    "Where was the maker of Grey Tide born?": [FILM, SEA],
    "Grey Tide was made by Ann Lee.": [SEA, LEE],
}


def test_the_trace_of_a_script_is_exact() -> None:
    index = Shelf(FIRST)
    (text,) = Ircot(index, k=2).apply(sf.ScriptedModel(script)).generate([QUESTION], LONG)
    assert text.text == "Grey Tide was made by Ann Lee. Ann Lee was born in Oslo. So the answer is: Oslo."
    assert text.finish_reason == "stop"
    assert text.trace is not None
    assert [(e.kind, e.text.strip(), e.queries, tuple(d.id for d in e.documents)) for e in text.trace.events] == [
        ("search", "", (QUESTION,), ("film", "sea")),
        ("write", "Grey Tide was made by Ann Lee.", (), ("film", "sea")),
        ("search", "", ("Grey Tide was made by Ann Lee.",), ("lee",)),
        ("write", "Ann Lee was born in Oslo.", (), ("film", "sea", "lee")),
        ("search", "", ("Ann Lee was born in Oslo.",), ()),
        ("write", "So the answer is: Oslo.", (), ("film", "sea", "lee")),
        ("stop", "", (), ()),
    ]
    assert text.trace.events[-1].note == 'the sentence matches "answer is"'
    assert (text.trace.calls, text.trace.searches) == (3, 3)
    assert text.trace.tokens == 18 + 12 + 6  # as the script counts: pieces between blanks, also those that were cut off
    assert text.trace.documents == ("film", "sea", "lee")
    assert read_answer(text.text).answer == "Oslo"
    assert Trace.from_dict(json.loads(json.dumps(text.trace.to_dict()))) == text.trace


def test_a_direct_reader_answers_from_all_documents_and_baselines_are_settings() -> None:
    answers = {}
    for name, settings in BASELINES.items():
        (text,) = Ircot(Shelf(FIRST), k=2, **settings).apply(sf.ScriptedModel(script)).generate([QUESTION], LONG)
        assert text.trace is not None
        answers[name] = (read_answer(text.text).answer, text.trace.documents, text.trace.calls, text.trace.searches)
    assert answers["ircot"] == ("Oslo", ("film", "sea", "lee"), 3, 3)
    assert answers["ircot-qa"] == ("Oslo", ("film", "sea", "lee"), 4, 3)
    assert answers["oner"][1:] == (("film", "sea"), 8, 1)
    assert answers["oner-qa"][1:] == (("film", "sea"), 1, 1)
    assert answers["nor-qa"][1:] == ((), 1, 0)


@pytest.mark.parametrize(("sentences", "cap"), [(1, 15), (5, 15), (8, 4), (20, 7)])
def test_a_model_that_never_stops_meets_the_limits(sentences: int, cap: int) -> None:
    many = [Document(str(n), f"Title {n * 7919}", f"{n * 104729} {n}") for n in range(60)]

    class Endless(Shelf):
        def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
            self.asked += queries
            start = 3 * (len(self.asked) - 1)
            return [[Hit(d, 1.0) for d in many[start : start + k]] for _ in queries]

    steps = Steps(cap=cap, max_sentences=sentences)
    (text,) = (
        Ircot(index := Endless({}), k=3, steps=steps)
        .apply(sf.ScriptedModel(lambda p, _: f"The sea is number {len(p.text)} of the seas."))
        .generate(["Where?"], LONG)
    )
    assert text.finish_reason == "length"
    assert text.trace is not None
    assert text.trace.events[-1].note == f"the limit of {sentences} sentences"
    assert sum(event.kind == "write" for event in text.trace.events) == sentences == text.trace.calls
    assert len(text.trace.documents) == min(cap, 3 * sentences)
    assert len(index.asked) == min(sentences, -(-cap // 3))


def test_a_model_that_writes_nothing_stops_and_says_so() -> None:
    (text,) = Ircot(shelf()).apply(sf.ScriptedModel(lambda *_: "")).generate([QUESTION], LONG)
    assert text.trace is not None
    assert (text.text, text.trace.events[-1].note) == ("", "the model wrote nothing more")


def test_the_token_limit_of_the_sampling_bounds_the_chain() -> None:
    model = Ircot(shelf(), steps=Steps(look_ahead=5)).apply(tiny.causal())
    for text in model.generate([QUESTION, "Who?"], Sampling(max_new_tokens=12)):
        assert len(text.token_ids) <= 12
        assert text.trace is not None
        assert text.trace.events[-1].note in ("the limit of tokens", "the model wrote nothing more")


@pytest.fixture(scope="module")
def world() -> QuestionWorld:
    return QuestionWorld(seed=3, size=600)


def oracle(world: QuestionWorld) -> sf.ScriptedModel:
    """Says the next gold sentence whose document stands before it, and stops where it has none."""
    gold = {question.text: question for question in world.questions}

    def reply(prompt: sf.Prompt, _: Any) -> str:
        question = gold[re.findall(r"Q: (.*\?)", prompt.text)[-1]]
        written = prompt.text.split("A:")[-1]
        hops = question.evidence[0] if question.evidence else ()
        for place, sentence in enumerate(question.reasoning):
            if sentence not in written:
                seen = all(
                    world.documents.find(id).text in prompt.text for hop in hops[place : place + 1] for id in hop
                )
                return f" {sentence}" if seen else ""
        return ""

    return sf.ScriptedModel(reply)


def recall(world: QuestionWorld, kind: str, told: bool = False, **settings: Any) -> float:
    """Share of questions whose last gold document stood before the model; `told` adds the first step's answer."""
    questions = [question for question in world.questions if question.kind == kind][:25]
    model = Ircot(BM25.of(Corpus.of(list(world.documents))), **settings).apply(oracle(world))
    texts = model.generate([q.text + (f" {q.steps[0].answer}" if told else "") for q in questions], LONG)
    hits = [
        all(id in text.trace.documents for id in question.evidence[0][-1])
        for question, text in zip(questions, texts, strict=True)
        if text.trace is not None
    ]
    assert len(hits) == len(questions) >= 10
    return sum(hits) / len(hits)


WIDE = Steps(cap=45)


def test_an_oracle_reaches_the_bridge_document_and_one_search_does_not(world: QuestionWorld) -> None:
    assert recall(world, "bridge", k=15, steps=WIDE) == 1.0
    assert recall(world, "bridge", k=45, steps=WIDE, retrieval="once") <= 0.15
    assert recall(world, "bridge", k=8) >= 0.85
    assert recall(world, "bridge", k=15, retrieval="once") <= 0.1


def test_a_question_that_names_the_bridge_needs_one_search(world: QuestionWorld) -> None:
    assert recall(world, "bridge", told=True, k=15, retrieval="once") >= 0.95


def test_comparisons_tie(world: QuestionWorld) -> None:
    assert recall(world, "comparison", k=8) == recall(world, "comparison", k=8, retrieval="once") >= 0.9


PROMPTS = [QUESTION, "Who made Grey Tide?", "Is salt in it?\n"]


@pytest.mark.parametrize("kind", [tiny.causal, lambda: tiny.causal(chat=True), tiny.t5])
@pytest.mark.parametrize("reader", ["none", "direct", "cot"])
def test_a_batch_is_its_questions_one_by_one_and_kept_prefixes_change_nothing(kind: Any, reader: str) -> None:
    index = BM25.of(Corpus.of([FILM, LEE, SEA]))
    steps = Steps(max_sentences=3, look_ahead=7)
    model = kind()
    treated = Ircot(index, k=1, reader=reader, steps=steps, examples=Examples(instruct=False)).apply(model)
    sampling = Sampling(max_new_tokens=8)
    together = treated.generate(PROMPTS, sampling)
    assert getattr(model, "prefixes", None) is None
    for prompt, text in zip(PROMPTS, together, strict=True):
        (alone,) = treated.generate([prompt], sampling)
        assert (alone.text, alone.token_ids) == (text.text, text.token_ids)
        assert alone.trace is not None
        assert text.trace is not None
        assert [event.queries for event in alone.trace.events] == [event.queries for event in text.trace.events]


def test_finished_texts_are_taken_and_others_written_anew_to_the_same_end(tmp_path: Path) -> None:
    asked = [Asked(str(n), sf.Prompt.of(text)) for n, text in enumerate([QUESTION, "What?"])]
    model = Ircot(Shelf(FIRST), k=2).apply(sf.ScriptedModel(script))
    out = tmp_path / "texts.jsonl"
    texts = write_texts(model, asked, LONG, out)
    again = write_texts(Ircot(Shelf(FIRST), k=2).apply(sf.ScriptedModel(script)), asked, LONG, out)
    assert texts[0].trace is not None
    assert again[0] == texts[0]
    assert again == texts


def test_wh_words_go_and_reasoning_is_not_searched_for() -> None:
    rules = Hygiene()
    facts = ["Ann made it.", "Thus it is hers.", "3 + 4 = 7 films."]
    assert query_of("Who is Ann?", facts, "last", rules) == "Ann made it."
    assert query_of("Who is Ann?", facts[1:], "last", rules) == "Ann?"
    assert query_of("Who is Ann?", facts[:1], "question+cot", rules) == "Ann? Ann made it."
    assert query_of("Who is Ann?", facts[:2], "cot", rules) == "Ann made it. Thus it hers."
    off = Hygiene(wh_words=False, skip_reasoning=False)
    assert query_of("Who is Ann?", facts, "last", off) == "3 + 4 = 7 films."
    assert query_of("Who is Ann?", [], "last", off) == "Who is Ann?"
    assert query_of("Who is", [], "last", rules) == "Who is"


def test_near_duplicates_long_documents_and_the_cap() -> None:
    twin = Document("twin", "Grey Tides", "Grey Tide was made by Ann  Lee.")
    other = Document("other", "Red Sand", FILM.text)
    long = Document("long", "Long", "word " * 700)
    middle = Document("middle", "Middle", "a b c d e")
    taken = take([twin, other, long, middle, SEA], [FILM], 3, Hygiene(words=3))
    assert [document.id for document in taken.documents] == ["other", "middle"]
    assert taken.documents[1].text == "a b c"
    assert taken.notes == (
        "other was cut to 3 of its 7 words",
        "long has 700 words and was not taken",
        "middle was cut to 3 of its 5 words",
        "sea is over the cap of 3 documents",
    )
    assert [d.id for d in take([twin], [FILM], 3, Hygiene(similar=0)).documents] == ["twin"]
    assert not take([FILM], [FILM], 3, Hygiene(similar=0)).documents


def test_the_limits_of_documents_are_reached_before_they_are_passed() -> None:
    """600 words are taken and 601 are not, 350 are whole and 351 cut; nine letters of ten alike are one document."""
    sized = {count: Document(str(count), f"{count:b}", f"w{count} " * count) for count in (350, 351, 600, 601)}
    taken = take([*sized.values()], [], 15, Hygiene())
    assert [(d.id, len(d.text.split())) for d in taken.documents] == [("350", 350), ("351", 350), ("600", 350)]
    assert taken.notes[-1] == "601 has 601 words and was not taken"
    assert len(taken.notes) == 3
    one, other = Document("1", "a" * 10, "b" * 10), Document("2", "a" * 9 + "c", "b" * 9 + "c")
    assert not take([other], [one], 15, Hygiene()).documents
    assert take([one, other], [], 15, Hygiene()).documents == (one,)  # found by one search
    assert take([other], [one], 15, Hygiene(similar=90.1)).documents == (other,)
    assert take([one._replace(id="3", title="z" * 10)], [one], 15, Hygiene()).documents  # texts alone are not enough
    assert len(take([*sized.values()], [one], 3, Hygiene()).documents) == 2  # the cap counts those held


SHOWN = [
    Demonstration(
        Question(
            f"q{n}",
            f"Question {n}?",
            (str(n),),
            evidence=(((f"d{n}",),),),
            reasoning=(f"Because {n}.", f"So the answer is: {n}."),
        ),
        (Document(f"d{n}", f"T{n}", f"Text {n}."),),
    )
    for n in range(4)
]


def test_demonstrations_have_their_own_documents_and_others_as_distractors() -> None:
    for one, mixed in zip(SHOWN, with_distractors(SHOWN, 2), strict=True):
        assert set(one.documents) < set(mixed.documents)
        assert len(set(mixed.documents)) == 3
    assert all(len(one.documents) == 4 for one in with_distractors(SHOWN, 3))
    with pytest.raises(BadInput, match="3 documents and 5 distractors"):
        with_distractors(SHOWN, 5)
    shared = [SHOWN[0], SHOWN[1]._replace(documents=(*SHOWN[1].documents, *SHOWN[0].documents))]
    shared[1] = shared[1]._replace(question=replace(SHOWN[1].question, evidence=((("d0", "d1"),),)))
    with pytest.raises(BadInput, match="0 documents and 1 distractors"):
        with_distractors(shared[::-1][:1] + shared[:1], 1)  # the other one shows nothing that it has not


def test_a_document_that_two_others_share_is_one_distractor() -> None:
    common = Document("c", "Common", "Common text.")
    shown = [
        SHOWN[0],
        *(
            one._replace(
                documents=(*one.documents, common),
                question=replace(one.question, evidence=((tuple(d.id for d in (*one.documents, common)),),)),
            )
            for one in SHOWN[1:3]
        ),
    ]
    for seed in range(30):
        drawn = [document.id for document in with_distractors(shown, 2, seed)[0].documents]
        assert len(set(drawn)) == len(drawn) == 3
        assert set(drawn) <= {"d0", "d1", "d2", "c"}


@pytest.mark.parametrize(
    ("budget", "shown", "kept"),
    [(None, 2, 2), (41, 2, 2), (40, 1, 2), (21, 1, 2), (20, 0, 2), (11, 0, 2), (10, 0, 1), (2, 0, 0)],
)
def test_demonstrations_go_first_and_whole_then_documents(budget: int | None, shown: int, kept: int) -> None:
    pages = [Document("a", "", "one two three four"), Document("b", "", "one two three four five")]
    packer = Packer("wikipedia", lambda text: len(text.split()), budget)
    texts = ["x " * 10, "y " * 20]
    packed = packer.pack(sf.Prompt.of("two words"), 2, texts, pages)
    assert (packed.demonstrations, len(packed.kept)) == (shown, kept)
    assert len(packed.prompt.text.split()) <= (budget or 41)
    assert packed.kept + packed.dropped == tuple(pages)
    short = packer.pack(sf.Prompt.of("two words"), 2, ["x"], pages)
    assert short.demonstrations == int(len(short.kept) == 2 and (budget or 41) >= 12)  # none where a document is out


def test_what_is_left_out_for_the_budget_is_in_the_trace_and_a_long_question_is_refused() -> None:
    model = sf.ScriptedModel(script)
    (text,) = Ircot(Shelf(FIRST), k=2, budget=40, examples=Examples(SHOWN)).apply(model).generate([QUESTION], LONG)
    assert text.trace is not None
    notes = [event.note for event in text.trace.events if event.kind == "decide"]
    assert notes[0] == "no room in the budget for 4 demonstrations"
    assert len(set(notes)) == len(notes)  # told once
    with pytest.raises(BadInput, match="The question has 10 tokens and the budget is 4"):
        Ircot(Shelf(FIRST), budget=4, examples=Examples(instruct=False)).apply(model).generate([QUESTION])


def test_demonstrations_are_read_from_a_file_and_a_bad_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "shown.jsonl"
    records = [
        {"question": d.question.text, "documents": [{"title": p.title, "text": p.text} for p in d.documents],
         "reasoning": d.question.reasoning, "answer": d.question.answers[0]}
        for d in SHOWN
    ]  # fmt: skip
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    read = Ircot(shelf(), examples=Examples(str(file), distractors=1)).apply(sf.ScriptedModel(script))
    given = Ircot(shelf(), examples=Examples(SHOWN, distractors=1)).apply(sf.ScriptedModel(script))
    assert "Q: Question 3?\nA: Because 3. So the answer is: 3.\n\n\n" in read.render(QUESTION)
    assert read.render(QUESTION) == given.render(QUESTION)
    file.write_text('{"question": "x"}\n')
    with pytest.raises(BadInput, match=r"shown.jsonl, line 1: no demonstration"):
        Ircot(shelf(), examples=Examples(str(file))).apply(sf.ScriptedModel(script))


def test_the_marker_ends_a_chain_in_any_case_and_each_reader_is_told_how_to_answer() -> None:
    asked: list[str] = []

    def loud(prompt: sf.Prompt, _: Any) -> str:
        asked.append(prompt.text)
        return "It is. THE ANSWER IS: Oslo. More." if len(asked) == 1 else "THE ANSWER IS: Oslo. More of it."

    (text,) = Ircot(shelf(), reader="direct").apply(sf.ScriptedModel(loud)).generate([QUESTION], LONG)
    assert text.trace is not None
    assert [event.kind for event in text.trace.events].count("write") == 2
    assert [prompt.startswith("Answer by reasoning") for prompt in asked] == [True, True, False]
    assert asked[-1].startswith("Answer with a few words")


def test_the_defaults_are_those_of_the_paper_and_its_code() -> None:
    """Trivedi et al. 2023: 15 paragraphs, 8 sentences, searched for by the last one; the rules of its code."""
    assert Steps() == Steps(cap=15, max_sentences=8, look_ahead=64, stop="answer is", query="last")
    assert Hygiene() == Hygiene(wh_words=True, skip_reasoning=True, similar=90, words=350, longest=600)
    own = Ircot(shelf())
    assert (own.layout, own.retrieval, own.reader, own.examples.distractors) == ("wikipedia", "interleaved", "none", 2)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match='Did you mean "direct"'):
        Ircot(shelf(), reader="direkt")
    with pytest.raises(BadInput, match="max_sentences is 0"):
        Steps(max_sentences=0)
    with pytest.raises(BadInput, match="no regular expression"):
        Steps(stop="(")
    with pytest.raises(NotAvailable, match="leave self-consistency out, or apply it last"):
        Ircot(shelf()).apply(sf.treat("self-consistency", tiny.causal()))
    with pytest.raises(NotAvailable, match="ircot needs generate"):
        Ircot(shelf()).apply(sf.ScriptedModel(script, can=frozenset({"logprobs"})))
