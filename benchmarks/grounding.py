"""Searching while writing: what kept prefixes and batches save.

    python benchmarks/grounding.py steps                     IRCoT and FLARE with fresh prompts and with kept prefixes
    python benchmarks/grounding.py steps --only "flare, three questions" --questions 1
    python benchmarks/grounding.py probe                     the multi-hop probe over 1,000 questions, and one at a time
    python benchmarks/grounding.py probe --only ircot --questions 64 --alone 4

SmolLM2 on the questions of a world. In `steps`, passages have about 100 words (six documents of the world each), and
prompts are as long as the papers': IRCoT's 15 demonstrations with 2 distractors each, FLARE's 8; with three questions
at once they and the answers are as long as those of ASQA, where FLARE keeps the first documents. `bare` has no
demonstrations and documents of one sentence. `probe` measures one at a time on a few questions and multiplies. Texts
are compared as well as times, which are of one thread's processor unless `--threads` is given; `read` are the tokens
that were computed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter, process_time
from typing import Any, NamedTuple

import torch

import surefoot as sf
from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Generation, LanguageModel
from surefoot.probes.multi_hop.probe import MultiHop
from surefoot.questions.demonstrations import demonstrations
from surefoot.questions.question import Question
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Document
from surefoot.tasks.questions import question_task
from surefoot.text.prompt import Part, Prompt
from surefoot.treatments.retrieval.grounded import Grounded
from surefoot.worlds.corpora import QuestionWorld

FACTS = 6  # documents of the world in a passage of about 100 words
BATCH = 128  # the probe's own
CLOCK: list[Callable[[], float]] = [process_time]  # what seconds are, set by --threads
KINDS = ("bridge", "comparison", "implicit")


class Setting(NamedTuple):
    """A treatment and what it is asked."""

    model: LanguageModel
    prompts: Sequence[Prompt | str]
    sampling: Sampling


class Timed(NamedTuple):
    """Texts, seconds of the processor, and tokens that were computed."""

    texts: list[Generation]
    seconds: float
    read: int


def timed(model: LanguageModel, work: Callable[[], list[Generation]]) -> Timed:
    """What some work takes."""
    start, before = CLOCK[0](), model.tokens.computed
    texts = work()
    return Timed(texts, CLOCK[0]() - start, model.tokens.computed - before)


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


def passages(world: QuestionWorld) -> list[Document]:
    """The world's documents, `FACTS` neighbours in one."""
    chunks = [world.documents[i : i + FACTS] for i in range(0, len(world.documents), FACTS)]
    return [Document(own[0].id, own[0].title, " ".join(f"{d.title}: {d.text}" for d in own)) for own in chunks]


def few(shots: Sequence[str], question: str) -> Prompt:
    """A question behind demonstrations."""
    told = Part("demonstration", "".join(shots)) if shots else Part("instruction", "Answer in short sentences.\n")
    return Prompt((told, Part("input", f"Question: {question}\n"), Part("cue", "Answer:")))


def settings(model: LanguageModel, world: QuestionWorld, count: int) -> dict[str, Setting]:
    """IRCoT and FLARE as their papers have them, and without demonstrations."""
    asked = [question.text for question in world.questions if question.kind in KINDS]
    index, single = BM25.of(Corpus.of(passages(world))), BM25.of(Corpus.of(list(world.documents)))
    shown = demonstrations(world, 24, 2, KINDS)
    one = [f"Question: {d.question.text}\nAnswer: {d.reasoning}\n\n" for d in shown[:8]]
    three = [
        f"Question: {' '.join(d.question.text for d in own)}\nAnswer: {' '.join(d.reasoning for d in own)}\n\n"
        for own in zip(*(shown[k::3] for k in range(3)), strict=True)
    ]
    stop, long = Sampling(96, stop=("\nQuestion:",)), Sampling(192, stop=("\nQuestion:",))
    keep = {"context": "keep-initial", "initial": "first-keep", "k": 5}
    return {
        "ircot": Setting(
            sf.treat("ircot", model, index=index, demonstrations=shown[:15]), asked[:count], Sampling(160)
        ),
        "flare": Setting(sf.treat("flare", model, index=index), [few(one, q) for q in asked[:count]], stop),
        "flare, three questions": Setting(
            sf.treat("flare", model, index=index, **keep),
            [few(three, " ".join(asked[k : k + 3])) for k in range(count)],
            long,
        ),
        "bare ircot": Setting(sf.treat("ircot", model, index=single), asked[:count], Sampling(128)),
        "bare flare": Setting(sf.treat("flare", model, index=single), [few([], q) for q in asked[:count]], stop),
    }


def told(what: str, slow: Timed, fast: Timed) -> None:
    """One line of the table."""
    same = sum(a.text == b.text for a, b in zip(slow.texts, fast.texts, strict=True))
    times, read = f"{slow.seconds:.1f} s | {fast.seconds:.1f} s", f"{slow.read} | {fast.read}"
    print(
        f"| {what} | {times} | {slow.seconds / fast.seconds:.2f} | {read} | {same} of {len(slow.texts)} |", flush=True
    )


def steps(model: LanguageModel, world: QuestionWorld, count: int, only: str) -> None:
    """Fresh prompts against kept prefixes, one question at a time and together."""
    print("| | fresh prompts | kept prefixes | times | read | read | same text |\n|---|---|---|---|---|---|---|")
    for name, (treated, prompts, sampling) in settings(model, world, count).items():
        if only not in ("", name):
            continue

        def alone() -> list[Generation]:
            return [treated.generate([prompt], sampling)[0] for prompt in prompts]  # noqa: B023

        def together() -> list[Generation]:
            return treated.generate(prompts, sampling)  # noqa: B023

        for what, work in (("one at a time", alone), ("together", together))[: 1 + (count > 1)]:
            with afresh():
                slow = timed(model, work)
            fast = timed(model, work)
            told(f"{name}, {what}", slow, fast)
        calls = sum(text.trace.calls for text in fast.texts if text.trace) / count
        length = sum(text.prompt_tokens for text in fast.texts) / count
        print(f"{name}: {calls:.1f} calls a question, {length:.0f} tokens in the last prompt of each", flush=True)


def probe(model: LanguageModel, world: QuestionWorld, count: int, alone: int, only: str) -> None:
    """The multi-hop probe over `count` questions at once, and over `alone` of them one at a time."""
    index = BM25.of(Corpus.of(list(world.documents)))
    questions = [question for question in world.questions if question.answers][:count]
    print("| | one at a time | at once | times | same answer |\n|---|---|---|---|---|")
    for name in ("bare", "rag", "ircot", "flare"):
        if only not in ("", name):
            continue
        treated = model if name == "bare" else sf.treat(name, model, index=index)
        sample = questions[:: max(1, len(questions) // alone)][:alone]
        seconds, apart = answers(treated, sample, 1)
        slow = seconds * len(questions) / len(sample)
        fast, rows = answers(treated, questions, BATCH)
        found = {row["item"]: row["text"] for row in rows}
        same = sum(found[row["item"]] == row["text"] for row in apart)
        print(f"| {name} | {slow:.0f} s | {fast:.0f} s | {slow / fast:.2f} | {same} of {len(apart)} |", flush=True)


def answers(model: LanguageModel, questions: Sequence[Question], batch: int) -> tuple[float, list[dict[str, Any]]]:
    """Seconds of the processor, and the rows, under one wording."""
    task = question_task(questions, new_tokens=64)
    task = replace(task, wordings=task.wordings[:1])
    start = CLOCK[0]()
    reading = MultiHop(recheck=0.0, batch_cells=batch).measure(model, [task])
    return CLOCK[0]() - start, reading.rows.to_pylist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("steps", "probe"))
    parser.add_argument("--questions", type=int, help="6 for steps, 1000 for probe")
    parser.add_argument("--alone", type=int, default=20, help="questions of the probe asked one at a time")
    parser.add_argument("--only", default="", help="the name of one line")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--threads", type=int, default=0, help="a clock on the wall, for a quiet machine")
    args = parser.parse_args()
    if args.threads:
        CLOCK[0] = perf_counter
    torch.set_num_threads(args.threads or 1)
    model = sf.load("smollm2", dtype=args.dtype)
    model.generate(["Hello"], Sampling(4))
    if args.what == "steps":
        steps(model, QuestionWorld(seed=0, size=1000), args.questions or 6, args.only)
    else:
        count = args.questions or 1000
        probe(model, QuestionWorld(seed=0, size=10_000, count=2 * count), count, min(args.alone, count), args.only)


if __name__ == "__main__":
    main()
