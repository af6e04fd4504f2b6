"""What stands before a question of ircot: demonstrations of a world and of released prompts, and a main paragraph."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import surefoot as sf
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.questions.demonstrations import Demonstration, demonstrations
from surefoot.questions.released_prompts import read_released_prompt
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Document
from surefoot.treatments.retrieval.ircot import Examples, Ircot, Steps
from surefoot.worlds.corpora import QuestionWorld

WORLD = QuestionWorld(seed=2, size=400, kinds=("bridge",), count=40)
INDEX = BM25.of(Corpus.of(list(WORLD.documents)))
LONG = Sampling(max_new_tokens=400)
PROMPTS = Path(__file__).parents[1].parent / "shared" / "data" / "ircot-prompts"
has_prompts = pytest.mark.skipif(not PROMPTS.exists(), reason="the released prompts are not beside the checkout")


def before(**settings: Any) -> str:
    """What is read for the first sentence of the first question."""
    return Ircot(INDEX, **settings).apply(sf.ScriptedModel(lambda *_: "")).render(WORLD.questions[0].text)


def test_demonstrations_of_a_world_are_shown_whole_among_their_own_distractors() -> None:
    shown = demonstrations(WORLD, 3, distractors=2)
    text = before(examples=Examples(shown))
    blocks = text.split("\n\n\n")
    assert len(blocks) == 4
    for one, block in zip(shown, blocks, strict=False):
        titles = re.findall(r"Wikipedia Title: (.*)", block)
        assert titles == [document.title for document in one.documents]
        assert len(titles) == 2 + 2
        assert block.endswith(f"Q: {one.question.text}\nA: {one.reasoning}")
    tested = set(re.findall(r"Wikipedia Title: (.*)", blocks[-1]))
    assert not tested & {document.title for one in shown for document in one.documents}


def test_without_distractors_a_world_gives_gold_documents_alone_and_the_treatment_mixes_in_others() -> None:
    shown = demonstrations(WORLD, 3, distractors=0)
    plain = before(examples=Examples(shown, distractors=0))
    mixed = before(examples=Examples(shown, distractors=1))
    count = "Wikipedia Title: "
    assert mixed.count(count) == plain.count(count) + 3
    assert not any(one.has_distractors for one in shown)
    assert before(examples=Examples(demonstrations(WORLD, 3, distractors=1), distractors=1)).count(count) == (
        mixed.count(count)
    )


def test_a_direct_reader_is_shown_answers_alone() -> None:
    (one,) = demonstrations(WORLD, 1)
    seen: list[str] = []

    def script(prompt: sf.Prompt, _: Any) -> str:
        seen.append(prompt.text)
        return "So the answer is: Rome."

    model = Ircot(INDEX, reader="direct", examples=Examples([one])).apply(sf.ScriptedModel(script))
    model.generate([WORLD.questions[0].text], LONG)
    assert f"A: {one.reasoning}\n\n\n" in seen[0]
    assert f"A: {one.question.answers[0]}\n\n\n" in seen[-1]


EXAMPLE = """# METADATA: {"qid": "7"}
Wikipedia Title: Grey Tide
Grey Tide was made by Ann Lee.

It won a prize.

Wikipedia Title: Ann Lee
Ann Lee was born in Oslo.

Q: Answer the following question by reasoning step-by-step.
Where was the maker of Grey Tide born?
A: Grey Tide was made by A. Lee. She was born in Oslo. So the answer is: Oslo.


# METADATA: {"qid": "8"}
Q: Who?
A: Ann
"""


def test_a_released_prompt_is_read_as_its_paragraphs_question_sentences_and_answer(tmp_path: Path) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text(EXAMPLE)
    one, bare = read_released_prompt(file)
    assert one.documents == (
        Document("7/0", "Grey Tide", "Grey Tide was made by Ann Lee.\n\nIt won a prize."),
        Document("7/1", "Ann Lee", "Ann Lee was born in Oslo."),
    )
    assert one.question.text == "Where was the maker of Grey Tide born?"
    assert one.question.reasoning == (
        "Grey Tide was made by A. Lee.", "She was born in Oslo.", "So the answer is: Oslo."
    )  # fmt: skip
    assert one.question.answers == ("Oslo",)
    assert (bare.documents, bare.question.answers, bare.question.reasoning) == ((), ("Ann",), ())
    with pytest.raises(BadInput, match=r'"Who\?" has no reasoning to show'):
        before(examples=Examples(str(file)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Q: Who?", "no line"),
        ('# METADATA: {"qid": ""}\nQ: Who?\nA: Ann', "no qid"),
        ('# METADATA: {"qid": "1"}\nQ:', "no qid"),
    ],
)
def test_a_broken_prompt_is_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "prompt.txt"
    file.write_text(text)
    with pytest.raises(BadInput, match=told):
        read_released_prompt(file)


@has_prompts
@pytest.mark.parametrize("name", ["hotpotqa", "2wikimultihopqa", "iirc"])
def test_the_papers_prompts_are_read_and_written_back_as_they_are(name: str) -> None:
    file = PROMPTS / name / "gold_with_1_distractors_context_cot_qa_codex.txt"
    shown = read_released_prompt(file)
    records = [json.loads(line) for line in (PROMPTS / f"annotations_{name}.jsonl").read_text().splitlines()]
    annotated = {record["question_id"]: record for record in records}
    assert len(shown) >= 15
    for one in shown:
        record = annotated[one.question.id]
        steps = [step["cot_sent"].strip() for step in record["reasoning_steps"]]
        assert one.reasoning == " ".join(steps) or one.reasoning.split() == " ".join(steps).split()
        assert one.question.answers[0] == re.sub(r".*answer is:? *|\.$", "", steps[-1])
        gold = {p["title"] for step in record["reasoning_steps"] for p in step["paragraphs"] if p["title"]}
        assert gold <= {document.title for document in one.documents}
    original = re.sub(r"# METADATA:.*\n", "", file.read_text())
    written = before(examples=Examples(str(file)), budget=0)
    squeezed = " ".join(written.split())
    assert all(" ".join(block.split()) in squeezed for block in original.split("\n\n\n"))


def test_a_main_paragraph_stands_first_whatever_is_found_and_its_title_is_searched_for(tmp_path: Path) -> None:
    question = WORLD.questions[0]
    main = Document("main", "Unheard Of", "It is where they met.")
    file = tmp_path / "pinned.jsonl"
    file.write_text(json.dumps({"question": question.text, "title": main.title, "text": main.text}) + "\n")
    for pinned in ({question.text: main}, str(file)):
        model = Ircot(INDEX, k=2, pinned=pinned, steps=Steps(max_sentences=2, cap=4)).apply(
            sf.ScriptedModel(lambda *_: "Somebody was born somewhere.")
        )
        text, other = model.generate([question.text, WORLD.questions[1].text], LONG)
        assert text.trace is not None
        assert other.trace is not None
        assert text.trace.events[0].queries == (f"Unheard Of {question.text}",)
        wrote = [[d.title for d in e.documents] for e in text.trace.events if e.kind == "write"]
        assert [titles[0] for titles in wrote] == ["Unheard Of"] * 2
        assert len(wrote[-1]) == 4
        assert "Unheard Of" not in [d.title for e in other.trace.events for d in e.documents]
        never = Ircot(INDEX, retrieval="never", pinned=pinned).apply(sf.ScriptedModel(lambda *_: ""))
        assert f"Wikipedia Title: Unheard Of\n{main.text}" in never.render(question.text)
    file.write_text('{"question": "x"}\n')
    with pytest.raises(BadInput, match=r"pinned.jsonl, line 1: no paragraph"):
        Ircot(INDEX, pinned=str(file)).apply(sf.ScriptedModel(lambda *_: ""))


def gold_reader(world: QuestionWorld = WORLD) -> sf.ScriptedModel:
    """Says the gold sentences in their order, whatever was found, so that only the queries differ."""
    gold = {question.text: question for question in world.questions}

    def script(prompt: sf.Prompt, _: Any) -> str:
        question = gold[re.findall(r"Q: (.*\?)", prompt.text)[-1]]
        written = prompt.text.rpartition("A:")[2]
        return next((f" {sentence}" for sentence in question.reasoning if sentence not in written), "")

    return sf.ScriptedModel(script)


def second_hop(world: QuestionWorld = WORLD, index: BM25 = INDEX, **settings: Any) -> float:
    """Share of bridge questions whose second document is found, with the gold chain of thought as it is written."""
    texts = Ircot(index, **settings).apply(gold_reader(world)).generate([q.text for q in world.questions], LONG)
    found = [set(text.trace.documents) for text in texts if text.trace]
    hits = [question.evidence[0][1][0] in own for question, own in zip(world.questions, found, strict=True)]
    return sum(hits) / len(hits)


def test_among_thousands_of_documents_one_search_is_at_chance_and_interleaving_finds_all() -> None:
    world = QuestionWorld(seed=3, size=4000, kinds=("bridge",), count=40)
    index = BM25.of(Corpus.of(list(world.documents)))
    assert second_hop(world, index, k=15, retrieval="once") <= 1 / 40
    assert second_hop(world, index, k=15, steps=Steps(cap=45)) >= 0.8
    assert second_hop(world, index, k=30, steps=Steps(cap=90)) == 1.0


def test_a_random_sentence_finds_the_second_document_at_chance_and_the_last_one_finds_it() -> None:
    chance = 2 * 15 / 400
    assert second_hop(k=15, steps=Steps(cap=60)) >= 0.95
    assert second_hop(k=15, steps=Steps(cap=60, query="random")) <= chance + 3 * (chance * (1 - chance) / 40) ** 0.5


def test_the_random_sentence_is_one_of_the_corpus_the_same_each_time_and_needs_a_corpus() -> None:
    model = Ircot(INDEX, steps=Steps(query="random")).apply(gold_reader())
    asked = [question.text for question in WORLD.questions[:3]]
    traces = [[text.trace for text in model.generate(order, LONG)] for order in (asked, asked[::-1])]
    assert traces[0] == traces[1][::-1]
    queries = [e.queries[0] for trace in traces[0] if trace for e in trace.events if e.kind == "search"][1::3]
    assert all(any(query in document.text for document in WORLD.documents) for query in queries)

    class Closed:
        digest = "closed"

        def search(self, queries: Any, k: int) -> list[Any]:
            return [[] for _ in queries]

    with pytest.raises(BadInput, match='query is "random"'):
        Ircot(Closed(), steps=Steps(query="random")).apply(gold_reader())


def test_a_demonstration_of_a_question_holds_its_gold_documents() -> None:
    question = WORLD.questions[0]
    one = Demonstration.of(question, {document.id: document for document in WORLD.documents})
    assert [document.id for document in one.documents] == [id for hop in question.evidence[0] for id in hop]
    assert not one.has_distractors
