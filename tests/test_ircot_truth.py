"""What ircot is for, where the truth is planted: what it finds, and how little of its reasoning is made up.

The reader copies a fact from a document before it; where none states it, it writes what a tiny transformer remembers,
which was trained on half of the world's facts as they are and on the other half with another value each time.
"""

from __future__ import annotations

import random
from functools import cache
from types import SimpleNamespace
from typing import Any

import surefoot as sf
from surefoot.decoding.sampling import Sampling
from surefoot.models.trace import Trace
from surefoot.questions.support import Hallucinations, hallucinations, is_supported, true_in
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.stats.exact import mcnemar
from surefoot.treatments.retrieval.ircot import Examples, Ircot, Steps
from surefoot.treatments.retrieval.ircot_queries import Hygiene
from surefoot.worlds.canaries import Learner, learn
from surefoot.worlds.corpora import QuestionWorld
from surefoot.worlds.corpus_forms import document_forms, filled, read_question
from surefoot.worlds.corpus_reader import Table

WORLD = QuestionWorld(seed=6, size=200, kinds=("bridge",), count=40)
INDEX = BM25.of(Corpus.of(list(WORLD.documents)))
QUESTIONS = {question.text: question for question in WORLD.questions}
TABLES = 60  # times that the tiny transformer reads every fact
SECTION = WORLD.sections[0]


def stated(relation: str, subject: str, value: str = "") -> str:
    """A fact in the first form of its relation; without a value, what stands before it."""
    form = document_forms("en", relation)[0]
    return (
        filled(form, subject=subject, value=value)
        if value
        else filled(form.split("{value}")[0], subject=subject).strip()
    )


def is_known(number: int) -> bool:
    """Every other fact."""
    return random.Random(f"known/{number}").random() < 0.5


@cache
def reader() -> Reader:
    """With a tiny transformer that read every fact `TABLES` times, the unknown half with another value each time."""
    facts = [SECTION.truth(number) for number in range(len(SECTION.facts))]
    values = {
        fact.relation: sorted({other.value for other in facts if other.relation == fact.relation}) for fact in facts
    }
    draw = random.Random(0)
    texts = [
        stated(*(fact if is_known(number) else fact._replace(value=draw.choice(values[fact.relation]))))
        for _ in range(TABLES)
        for number, fact in enumerate(facts)
    ]
    spaced = [f"{text.removesuffix('.')} . </s>" for text in texts]
    symbols = ("<pad>", "<s>", "</s>", "<unk>", *sorted({word for text in spaced for word in text.split()} - {"</s>"}))
    memory = learn(SimpleNamespace(symbols=symbols, training=spaced), Learner(epochs=1, batch=32))  # type: ignore[arg-type]
    return Reader(memory)


class Reader:
    """Takes the steps of a question in their order: each from a document before it, else from memory."""

    def __init__(self, memory: Any) -> None:
        self.memory = memory
        self.recalled: dict[str, str] = {}

    def __call__(self, prompt: sf.Prompt, _: Any) -> str:
        """All that is left to say; the treatment keeps the first sentence where it interleaves."""
        question = QUESTIONS[prompt.only("input").text.removeprefix("Q: ").strip()]
        table = Table.of(document for document in WORLD.documents if document.text in prompt.only("context").text)
        written, said, answers = prompt.cue.partition("A:")[2], [], [""]
        for step in question.steps:
            asked = step.text.replace("#1", answers[-1])
            begin = stated(*(read_question(asked) or ("", "")))
            if begin in written:
                answers.append(written.partition(begin)[2].partition(".")[0].strip())
            else:
                answers.append(table.answer(asked) or self.recall(begin))
                said.append(f" {begin} {answers[-1]}.")
        return "".join([*said, f" So the answer is: {answers[-1]}."])

    def recall(self, begin: str) -> str:
        """What the tiny transformer writes behind the beginning of a fact."""
        if begin not in self.recalled:
            (text,) = self.memory.generate([begin], Sampling(6))
            self.recalled[begin] = text.text.partition(" .")[0].strip() or "nowhere"
        return self.recalled[begin]


WAYS: dict[str, dict[str, Any]] = {
    "ircot": {},
    "random": {"steps": Steps(query="random")},
    "oner": {"retrieval": "once"},
    "nor": {"retrieval": "never"},
}


@cache
def traces(way: str) -> tuple[Trace, ...]:
    """What happened on the 40 bridge questions."""
    settings = {"k": 8, "hygiene": Hygiene(similar=0), "examples": Examples(instruct=False), **WAYS[way]}
    texts = Ircot(INDEX, **settings).apply(sf.ScriptedModel(reader())).generate(list(QUESTIONS), Sampling(200))
    return tuple(text.trace for text in texts if text.trace)


def second(way: str) -> list[bool]:
    """For each question, whether its second gold document stood before the reader."""
    return [bool({*q.evidence[0][1]} & {*t.documents}) for q, t in zip(WORLD.questions, traces(way), strict=True)]


def unsupported(way: str) -> Hallucinations:
    return hallucinations(traces(way), is_supported)


def untrue(way: str) -> Hallucinations:
    return hallucinations(traces(way), true_in(WORLD))


def test_the_tiny_transformer_knows_half_of_the_facts() -> None:
    recall: dict[bool, list[bool]] = {True: [], False: []}
    for number in range(0, len(SECTION.facts), 3):
        fact = SECTION.truth(number)
        recall[is_known(number)].append(reader().recall(stated(fact.relation, fact.subject)) == fact.value)
    assert sum(recall[True]) / len(recall[True]) > 0.9
    assert sum(recall[False]) / len(recall[False]) < 0.3


def test_only_interleaving_by_what_was_written_finds_the_second_document() -> None:
    assert sum(second("ircot")) >= 38
    assert sum(second("oner")) <= 4
    assert sum(second("random")) <= 10
    assert mcnemar(*gained("ircot", "oner")) < 1e-6
    assert mcnemar(*gained("ircot", "random")) < 1e-6


def gained(one: str, other: str) -> tuple[int, int]:
    """Questions whose second document one way finds and the other does not, and the other way round."""
    pairs = list(zip(second(one), second(other), strict=True))
    return sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)


def test_the_less_is_read_the_more_of_the_reasoning_is_made_up() -> None:
    assert [untrue(way).claims for way in ("ircot", "oner", "nor")] == [80, 80, 80]
    assert untrue("ircot").failed < untrue("oner").failed < untrue("nor").failed
    assert untrue("ircot").tainted < untrue("oner").tainted < untrue("nor").tainted
    assert untrue("ircot").failed <= 4
    assert unsupported("ircot").failed < unsupported("oner").failed < unsupported("nor").failed == 80
    assert untrue("random").failed >= untrue("oner").failed - 6
