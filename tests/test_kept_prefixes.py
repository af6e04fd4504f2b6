"""What stays in a prompt between two steps is read once: tokens that are computed, and texts that stay the same."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

import surefoot as sf
import tiny
from surefoot.decoding.sampling import Sampling
from surefoot.models.causal import CausalModel
from surefoot.models.prefix_store import BLOCK
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Document
from surefoot.text.prompt import Part
from surefoot.treatments.retrieval.grounded import Grounded

SHOWN = "".join(f"Q: Who is number {n}?\nA: Number {n} is the one behind {n - 1}.\n\n" for n in range(12))
INDEX = BM25.of(Corpus.of([Document(str(n), f"Page {n}", f"It tells of a{n} and of b{n}.") for n in range(30)]))
SAMPLING = Sampling(max_new_tokens=48, temperature=1.2, seed=3)
STEPS = {"max_sentences": 4, "look_ahead": 12, "stop": "^$", "cap": 8}
TREATMENTS: dict[str, dict[str, Any]] = {
    "ircot": {"index": INDEX, "k": 1, **STEPS},
    "flare": {"index": INDEX, "k": 1, "theta": 1.0, "look_ahead": 12},
    "flare keep-initial": {"index": INDEX, "k": 2, "theta": 1.0, "look_ahead": 12, "context": "keep-initial"},
}


def prompts(count: int) -> list[sf.Prompt]:
    asked = (f"Q: Which page tells of a{n}?\n" for n in range(count))
    return [sf.Prompt((Part("demonstration", SHOWN), Part("input", text), Part("cue", "A:"))) for text in asked]


def model() -> CausalModel:
    made = tiny.causal(copy.deepcopy(tiny.llama_weights()))
    made.model.config.max_position_embeddings = 4096
    return made


@contextmanager
def nothing_kept(_: Grounded) -> Iterator[None]:
    yield


def written(
    name: str, asked: Sequence[sf.Prompt], sampling: Sampling = SAMPLING
) -> tuple[list[tuple[int, ...]], int, float]:
    """Token ids, tokens that were computed, and calls for each prompt."""
    below = model()
    texts = sf.treat(name.split(maxsplit=1)[0], below, **TREATMENTS[name]).generate(asked, sampling)
    calls = sum(text.trace.calls for text in texts if text.trace is not None)
    return [text.token_ids for text in texts], below.tokens.computed, calls / len(asked)


@pytest.mark.parametrize("name", TREATMENTS)
def test_a_question_of_several_steps_reads_its_demonstrations_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, computed, calls = written(name, prompts(1))
    monkeypatch.setattr(Grounded, "keeping", nothing_kept)
    fresh, whole, _ = written(name, prompts(1))
    assert kept == fresh
    assert calls >= 4
    shared = len(SHOWN) // BLOCK * BLOCK
    assert whole - computed >= (calls - 1) * shared
    assert whole > 2 * computed


@pytest.mark.parametrize("name", ["ircot", "flare"])
def test_all_questions_of_a_request_read_the_demonstrations_once_between_them(name: str) -> None:
    """34 questions, of which 32 go forward together; alone, each reads them once."""
    short = Sampling(max_new_tokens=6)
    alone = [written(name, [prompt], short) for prompt in prompts(34)]
    texts, together, _ = written(name, prompts(34), short)
    assert texts == [own[0] for own, _, _ in alone]
    assert together <= sum(computed for _, computed, _ in alone) - 33 * (len(SHOWN) // BLOCK * BLOCK)
