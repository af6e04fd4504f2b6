"""Interrupted wherever, and gone on with: the text and the trace of a treatment that searches are those of one call."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import surefoot as sf
import tiny
from surefoot.decoding.batch import Batch
from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Generation
from surefoot.models.trace import Trace
from surefoot.models.writing import GenerationInterrupted
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Document, Hit
from surefoot.text.prompt import Part
from surefoot.texts import Asked, write_texts
from surefoot.treatments.retrieval.ircot import Examples, Ircot, Steps

PAGES = [Document(str(n), f"Page {n}", f"{'abcdefgh'[n]} is {n} odd or even") for n in range(8)]
INDEX = BM25.of(Corpus.of(PAGES))
PROMPTS = ["Is 3 odd?", "Is 4 even?", "c"]
SAMPLING = Sampling(max_new_tokens=24, temperature=0.9, seed=3)


@contextmanager
def stopping(owner: Any, name: str, at: int) -> Iterator[list[int]]:
    """Ctrl-C in the `at`-th call of a method, counted from 0; how many calls there were."""
    whole, calls = getattr(owner, name), [0]

    def counted(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] - 1 == at:
            raise KeyboardInterrupt
        return whole(*arguments, **named)

    setattr(owner, name, counted)
    try:
        yield calls
    finally:
        setattr(owner, name, whole)


def treated(treatment: str, **settings: Any) -> Any:
    if treatment == "ircot":
        steps = Steps(max_sentences=3, look_ahead=6, cap=5)
        return Ircot(INDEX, k=2, steps=steps, examples=Examples(instruct=False), **settings).apply(tiny.causal())
    pieces: dict[str, Any] = {"look_ahead": 6, "window": 5} if treatment == "flare" else {}
    return sf.treat(treatment, tiny.causal(), index=INDEX, k=2, **pieces, **settings)


def told(texts: Sequence[Generation]) -> list[Any]:
    """Texts with all that their traces say, but for probabilities."""
    events = [[replace(event, probabilities=()) for event in trace(text).events] for text in texts]
    counts = [(trace(text).calls, trace(text).searches, trace(text).tokens) for text in texts]
    return [(t.text, t.token_ids, t.finish_reason, own, n) for t, own, n in zip(texts, events, counts, strict=True)]


def chances(texts: Sequence[Generation]) -> list[float]:
    return [p for text in texts for event in trace(text).events for p in event.probabilities]


def trace(text: Generation) -> Trace:
    assert text.trace is not None
    return text.trace


WAYS: list[tuple[str, dict[str, Any]]] = [
    ("rag", {}),
    ("ircot", {}),
    ("ircot", {"reader": "direct"}),
    ("ircot", {"reader": "cot", "budget": 60}),
    ("ircot", {"retrieval": "once", "reader": "cot"}),
    ("ircot", {"retrieval": "never"}),
    ("flare", {"theta": 0.05, "context": "keep-initial", "budget": 70}),
    ("flare", {"theta": 1.0, "initial": "none"}),
    ("flare", {"mode": "previous-sentence"}),
    ("flare", {"mode": "previous-window"}),
]


def interrupted_at(model: Any, owner: Any, name: str, at: int) -> tuple[list[Generation], bool]:
    """The texts of a call that is interrupted once and gone on with, and whether it came to that."""
    with stopping(owner, name, at):
        try:
            return model.generate(PROMPTS, SAMPLING), False
        except GenerationInterrupted as stopped:
            begun = stopped.written
        except KeyboardInterrupt:  # before anything was written
            begun = None
    return model.generate(PROMPTS, SAMPLING, begun), True


@pytest.mark.parametrize(("treatment", "settings"), WAYS)
def test_a_text_interrupted_anywhere_ends_as_if_it_had_not_been(treatment: str, settings: dict[str, Any]) -> None:
    model = treated(treatment, **settings)
    whole = model.generate(PROMPTS, SAMPLING)
    for owner, name, places in ((Batch, "pick", (0, 8, 15)), (type(model), "search", (1, 2))):
        for at in places:
            again, came = interrupted_at(treated(treatment, **settings), owner, name, at)
            assert told(again) == told(whole)
            assert chances(again) == pytest.approx(chances(whole), abs=1e-5)
            assert came or name == "search"


def test_what_was_written_before_the_interruption_is_not_asked_for_again() -> None:
    model = treated("ircot")
    with stopping(Batch, "pick", -1) as all_picks:
        model.generate(PROMPTS, SAMPLING)
    with stopping(Batch, "pick", 15) as first, pytest.raises(GenerationInterrupted) as stopped:
        treated("ircot").generate(PROMPTS, SAMPLING)
    assert all(text.trace and text.finish_reason == "interrupted" for text in stopped.value.written)
    kept = sum(len(text.token_ids) for text in stopped.value.written)
    assert kept > 10
    with stopping(Batch, "pick", -1) as rest:
        model.generate(PROMPTS, SAMPLING, stopped.value.written)
    assert first[0] + rest[0] < all_picks[0] + 1 + 6  # at most the sentence that was cut short is written again


def test_the_file_of_texts_goes_on_within_a_chain_of_thought(tmp_path: Path) -> None:
    asked = [Asked(str(n), sf.Prompt.of(text)) for n, text in enumerate(PROMPTS)]
    for reader in ("none", "direct"):
        whole = write_texts(treated("ircot", reader=reader), asked, replace(SAMPLING, max_new_tokens=8))
        out = tmp_path / f"{reader}.jsonl"
        with stopping(Batch, "pick", 7), pytest.raises(GenerationInterrupted):
            write_texts(treated("ircot", reader=reader), asked, replace(SAMPLING, max_new_tokens=8), out)
        records = [json.loads(line) for line in out.read_text().splitlines()[1:]]
        assert any(event["kind"] == "write" for record in records for event in record["trace"]["events"])
        again = write_texts(treated("ircot", reader=reader), asked, replace(SAMPLING, max_new_tokens=8), out)
        assert told(again) == told(whole)


class Words(sf.ScriptedModel):
    """Stopped in its third answer."""

    def __init__(self, stop: int) -> None:
        self.left = stop
        super().__init__(self.reply)

    def reply(self, prompt: sf.Prompt, _: Any) -> str:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        count = prompt.text.rpartition("A:")[2].count(".")
        return f" Sentence {count} is odd. Another one." if count < 3 else " So the answer is: odd."


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_a_model_that_shows_no_tokens_goes_on_with_its_text(stop: int) -> None:
    def model(at: int) -> Any:
        return Ircot(INDEX, k=1, steps=Steps(cap=2)).apply(Words(at))

    (whole,) = model(0).generate(["Is 3 odd?"], SAMPLING)
    with pytest.raises(GenerationInterrupted) as stopped:
        model(stop).generate(["Is 3 odd?"], SAMPLING)
    (again,) = model(0).generate(["Is 3 odd?"], SAMPLING, stopped.value.written)
    assert again == whole
    assert sum(event.kind == "write" for event in trace(stopped.value.written[0]).events) == stop - 1


def test_a_search_that_finds_nothing_new_is_no_sign_that_a_sentence_waits() -> None:
    class Empty:
        digest = "empty"
        corpus: Sequence[Document] = PAGES

        def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
            return [[] for _ in queries]

    model = Ircot(Empty(), steps=Steps(max_sentences=3)).apply(Words(0))
    (whole,) = model.generate(["Is 3 odd?"], SAMPLING)
    with pytest.raises(GenerationInterrupted) as stopped:
        Ircot(Empty(), steps=Steps(max_sentences=3)).apply(Words(3)).generate(["Is 3 odd?"], SAMPLING)
    assert model.generate(["Is 3 odd?"], SAMPLING, stopped.value.written) == [whole]


class Asking(sf.ScriptedModel):
    """Asks for two searches, and is stopped in one of its answers."""

    def __init__(self, stop: int) -> None:
        self.left = stop
        self.prompts: list[str] = []
        super().__init__(self.reply)

    def reply(self, prompt: sf.Prompt, _: Any) -> str:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt
        self.prompts.append(prompt.text)
        behind = prompt.text.rpartition("A:")[2]
        return (
            "odd." if "even)]" in behind else "and [Search(d even)] no" if "odd)]" in behind else "It [Search(c odd)] x"
        )


@pytest.mark.parametrize("stop", [1, 2, 3])
@pytest.mark.parametrize("context", ["replace", "keep-initial"])
def test_searches_that_the_model_asked_for_stand_before_it_again(stop: int, context: str) -> None:
    asked = sf.Prompt((Part("input", "Is 3 odd?\n"), Part("cue", "A:")))

    def generate(model: Asking, begun: Sequence[Generation] | None = None) -> list[Generation]:
        settings: dict[str, Any] = {"mode": "instruct", "bias": 0.0, "cool_down": 0, "context": context}
        written: list[Generation] = sf.treat("flare", model, index=INDEX, k=2, **settings).generate(
            [asked], SAMPLING, begun
        )
        return written

    plain, after = Asking(0), Asking(0)
    whole = generate(plain)
    with pytest.raises(GenerationInterrupted) as stopped:
        generate(Asking(stop))
    assert generate(after, stopped.value.written) == whole
    assert whole[0].text == "It and odd."
    assert after.prompts == plain.prompts[stop - 1 :]
