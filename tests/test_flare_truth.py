"""What FLARE is for, where the truth is planted: its signal, its queries, and what both are worth together."""

from __future__ import annotations

import random
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

import surefoot as sf
from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Generation
from surefoot.models.scripted import ScriptedModel
from surefoot.models.trace import Trace
from surefoot.models.writing import one_each
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Document
from surefoot.text.prompt import Part
from surefoot.treatments.wrapped import Wrapped
from surefoot.worlds.canaries import Learner, learn

PEOPLE = 40
SENTENCES = (
    "Person{} was born in Town{}.",
    "Town{} lies in County{}.",
    "Person{} studied Subject{}.",
    "Person{} worked for Firm{}.",
    "Firm{} builds Engine{}.",
    "Person{} won Prize{}.",
    "Prize{} honours Craft{}.",
)
LIVES = BM25.of(
    Corpus.of([Document(f"{n}/{j}", "", text.format(n, n)) for n in range(PEOPLE) for j, text in enumerate(SENTENCES)])
)


def biographer(prompt: sf.Prompt, _: Any) -> str:
    """Writes the sentences of a life in their order, each with a value that is wrong."""
    n = prompt.text.split("Tell me about Person")[1].split(".")[0]
    written = prompt.text.rpartition("A:")[2].count(".")
    rest = [text.format(n, n if j in (0, 3, 5) else "none") for j, text in enumerate(SENTENCES)][written:]
    return " ".join(rest)


def trace_of(text: Generation) -> Trace:
    assert text.trace is not None
    return text.trace


def recall(**settings: Any) -> float:
    """The share of sentences that had the document that they need before them."""
    model = sf.treat("flare", ScriptedModel(biographer), index=LIVES, k=2, **settings)
    asked = [sf.Prompt((Part("input", f"Tell me about Person{n}.\n"), Part("cue", "A:"))) for n in range(PEOPLE)]
    hit = 0
    for n, text in enumerate(model.generate(asked, Sampling(200))):
        writes = [[document.id for document in e.documents] for e in trace_of(text).events if e.kind == "write"]
        writes = writes * len(SENTENCES) if len(writes) == 1 else writes
        assert len(writes) == len(SENTENCES)
        hit += sum(f"{n}/{j}" in found for j, found in enumerate(writes))
    return hit / (PEOPLE * len(SENTENCES))


def test_the_next_sentence_finds_more_than_the_last_one_and_that_more_than_the_question() -> None:
    forward = recall(theta=1.0, query="raw")
    backward = recall(mode="previous-sentence")
    question = recall(mode="single")
    assert forward > 0.95
    assert forward > backward + 0.2
    assert backward > question + 0.1


SUBJECTS, VALUES = 24, 12
RELATIONS = ("was born in", "works at")
Table = dict[tuple[int, int], str]


def table(seed: int) -> Table:
    draw = random.Random(seed)
    return {(s, r): f"{'BW'[r]}{draw.randrange(VALUES)}" for s in range(SUBJECTS) for r in (0, 1)}


def known(s: int, r: int) -> bool:
    """Each subject is known by one of its relations."""
    return (s + r) % 2 == 0


def sentence(facts: Table, s: int, r: int) -> str:
    return f"S{s} {RELATIONS[r]} {facts[s, r]} ."


def question(s: int, r: int) -> str:
    return f"About S{s} {RELATIONS[r]} :"


def trained(tables: Sequence[Table]) -> Any:
    """A tiny model that read these tables, one after the other; the words are those of all facts."""
    words = {word for key in FACTS for word in f"{question(*key)} {sentence(FACTS, *key)}".split()}
    words |= {f"{letter}{value}" for letter in "BW" for value in range(VALUES)}
    symbols = ("<pad>", "<s>", "</s>", "<unk>", *sorted(words))
    texts = [f"{question(*key)} {sentence(facts, *key)} </s>" for facts in tables for key in facts]
    learner = Learner(epochs=1, batch=24)
    return learn(SimpleNamespace(symbols=symbols, training=texts), learner)  # type: ignore[arg-type]


def half(facts: Table, wanted: bool) -> Table:
    return {key: value for key, value in facts.items() if known(*key) == wanted}


FACTS = table(0)
RUMOURS = [half(table(seed), wanted=False) for seed in range(1, 161)]
"""The other half of the facts, with other values every time."""


def half_known() -> Any:
    """A model that read both halves equally often; only one of them can be known."""
    return trained([{**half(FACTS, wanted=True), **rumours} for rumours in RUMOURS])


@pytest.fixture(scope="module")
def learned() -> Any:
    return half_known()


def separation(model: Any) -> float:
    """AUC of the least probability in a draft: known facts against unknown ones."""
    keys = sorted(FACTS)
    asked = [sf.Prompt((Part("input", question(*key)),)) for key in keys]
    treated = sf.treat("flare", model, index=LIVES, theta=0.0, initial="none")
    lowest = {
        key: min(event.probabilities)
        for key, text in zip(keys, treated.generate(asked, Sampling(8)), strict=True)
        for event in trace_of(text).events
        if event.kind == "draft"
    }
    ours = [lowest[key] for key in keys if known(*key)]
    others = [lowest[key] for key in keys if not known(*key)]
    return sum((a > b) + (a == b) / 2 for a in ours for b in others) / (len(ours) * len(others))


def test_the_least_probability_of_a_draft_separates_known_facts_from_unknown_ones(learned: Any) -> None:
    assert separation(learned) > 0.8


def test_where_all_facts_are_shuffled_it_separates_nothing() -> None:
    assert separation(shuffled()) == pytest.approx(0.5, abs=0.2)


class Reader(Wrapped):
    """Copies a document that says what comes next, and otherwise writes what the model below remembers."""

    def __init__(self, base: Any) -> None:
        super().__init__(base, "reader", None)
        self.can = frozenset({"generate", "logprobs"})
        self.remembered: dict[str, Generation] = {}

    def generate(self, prompts: Any, sampling: Any = None, begun: Any = None) -> list[Generation]:
        return [self._write(p, s) for p, s in zip(prompts, one_each(sampling, len(prompts)), strict=True)]

    def _write(self, prompt: sf.Prompt, sampling: Sampling) -> Generation:
        s, behind = int(prompt.only("input").text.split()[1][1:]), prompt.cue.count(".")
        said = [self._sentence(prompt.only("context").text, s, r) for r in (0, 1)][behind:]
        words = [pair for own in said for pair in own][: sampling.max_new_tokens]
        text = " ".join(word for word, _ in words).replace(" .", ".")
        chances = [value for word, value in words if word != "."]
        return Generation(text, tuple(range(len(chances))), tuple(chances), "stop")

    def _sentence(self, context: str, s: int, r: int) -> list[tuple[str, float]]:
        start = f"S{s} {RELATIONS[r]} "
        if start in context:
            return [(word, -0.001) for word in f"{start}{context.split(start)[1].split(maxsplit=1)[0]} .".split()]
        asked = question(s, r)
        text = self.remembered.get(asked) or self.inner.generate([asked], Sampling(8))[0]
        self.remembered[asked] = text
        return list(zip(text.text.split(), text.logprobs, strict=False))


def outcome(learned: Any, **settings: Any) -> tuple[int, int]:
    """Of 48 facts about 24 subjects, how many a reader that remembers what was learned gets right, and its searches."""
    documents = [Document(f"{s}/{r}", "", sentence(FACTS, s, r)) for s, r in sorted(FACTS)]
    asked = [sf.Prompt((Part("input", f"About S{s} :\n"),)) for s in range(SUBJECTS)]
    model = sf.treat("flare", Reader(learned), index=BM25.of(Corpus.of(documents)), k=1, **settings)
    texts = model.generate(asked, Sampling(40))
    right = sum(sentence(FACTS, s, r).replace(" .", ".") in text.text for s, text in enumerate(texts) for r in (0, 1))
    return right, sum(trace_of(text).searches for text in texts)


def shuffled() -> Any:
    """A model that read 48 facts with other values every time."""
    return trained([{**half(table(1000 + n), wanted=True), **rumours} for n, rumours in enumerate(RUMOURS)])


def test_flare_is_as_right_as_searching_always_with_fewer_searches(learned: Any) -> None:
    bare, _ = outcome(learned, mode="none")
    single, _ = outcome(learned, mode="single")
    always, most = outcome(learned, theta=1.0, initial="none")
    flare, searches = outcome(learned, theta=0.8, initial="none")
    assert bare < single <= flare
    assert always == 2 * SUBJECTS
    assert flare >= 0.95 * always
    assert searches < 0.8 * most
