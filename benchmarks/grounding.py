"""Searching while writing: what kept prefixes and batches save.

    python benchmarks/grounding.py                     SmolLM2, 12 bridge questions
    python benchmarks/grounding.py --questions 4

The sentences are SmolLM2's own, and no answer ends a chain early. Compared are texts as well as times: what is faster
must write the same. Times are of the processor, so that what else the machine does counts little; run on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import process_time
from typing import Any

from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Generation, LanguageModel
from surefoot.models.load import load
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.treatments import treat
from surefoot.treatments.retrieval.grounded import Grounded
from surefoot.worlds.corpora import QuestionWorld


def timed(work: Callable[[], list[Generation]]) -> tuple[float, list[Generation]]:
    start = process_time()
    texts = work()
    return process_time() - start, texts


@contextmanager
def afresh() -> Iterator[None]:
    """Every step reads its whole prompt."""
    kept = Grounded.keeping

    @contextmanager
    def nothing(_: Any) -> Iterator[None]:
        yield

    Grounded.keeping = nothing  # type: ignore[assignment]
    try:
        yield
    finally:
        Grounded.keeping = kept  # type: ignore[method-assign]


def told(what: str, slow: float, fast: float, old: Sequence[Generation], new: Sequence[Generation]) -> None:
    same = sum(a.text == b.text for a, b in zip(old, new, strict=True))
    print(f"| {what} | {slow:.1f} s | {fast:.1f} s | {slow / fast:.2f} | {same} of {len(old)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=12)
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--sentences", type=int, default=5)
    parser.add_argument("--look-ahead", type=int, default=24)
    args = parser.parse_args()
    world = QuestionWorld(seed=0, size=1000)
    index = BM25.of(Corpus.of(world.documents))
    asked = [question.text for question in world.questions if question.kind == "bridge"][: args.questions]
    model: LanguageModel = load("smollm2")
    ircot = treat(
        "ircot", model, index=index, k=args.k, max_sentences=args.sentences, look_ahead=args.look_ahead, stop="^$"
    )
    sampling = Sampling(max_new_tokens=args.sentences * args.look_ahead)
    ircot.generate(asked[:1], sampling)
    print("| | before | now | times | same text |\n|---|---|---|---|---|")
    one, alone = timed(lambda: [ircot.generate([text], sampling)[0] for text in asked])
    with afresh():
        fresh, plain = timed(lambda: [ircot.generate([text], sampling)[0] for text in asked])
        fresh_batch, plain_batch = timed(lambda: ircot.generate(asked, sampling))
    batch, together = timed(lambda: ircot.generate(asked, sampling))
    told("one at a time: fresh prompts, kept prefixes", fresh, one, plain, alone)
    told("in a batch: fresh prompts, kept prefixes", fresh_batch, batch, plain_batch, together)
    told("kept prefixes: one at a time, in a batch", one, batch, alone, together)
    steps = [text.trace.calls for text in together if text.trace]
    print(f"{len(asked)} questions, {sum(steps) / len(steps):.1f} calls each")


if __name__ == "__main__":
    main()
