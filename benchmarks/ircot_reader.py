"""A real small model that reads: what interleaving finds, and how many of its sentences nothing supports.

    python benchmarks/ircot_reader.py                       SmolLM2, 4 demonstrations, 24 bridge questions
    python benchmarks/ircot_reader.py --questions 8 --demonstrations 2

The same questions, demonstrations, index and limits for IRCoT, OneR and NoR, and for IRCoT with a random sentence of
the corpus in place of the query. *Second*: the second gold document stood before the model. *Unsupported*: claims that
no document before the model states. *Untrue*: claims that the world's table does not entail. The test is paired over
questions: the exact one of McNemar.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from surefoot.decoding.sampling import Sampling
from surefoot.models.load import load
from surefoot.models.trace import Trace
from surefoot.questions.demonstrations import demonstrations
from surefoot.questions.question import Question
from surefoot.questions.support import hallucinations, true_in
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.stats.exact import mcnemar
from surefoot.treatments import treat
from surefoot.worlds.corpora import QuestionWorld

WAYS: Mapping[str, Mapping[str, Any]] = {
    "ircot": {},
    "random": {"query": "random"},
    "oner": {"retrieval": "once"},
    "nor": {"retrieval": "never"},
}


def second_read(question: Question, trace: Trace) -> bool:
    """Whether the second gold document stood before the model."""
    return set(question.evidence[0][1]) <= set(trace.documents)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=24)
    parser.add_argument("--demonstrations", type=int, default=4)
    parser.add_argument("--distractors", type=int, default=1)
    parser.add_argument("--k", type=int, default=8)
    parser.add_argument("--size", type=int, default=600)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--format", default="auto", help="plain: no chat template")
    args = parser.parse_args()
    world = QuestionWorld(args.seed, args.size, ("bridge",), args.questions)
    index = BM25.of(Corpus.of(list(world.documents)))
    shown = demonstrations(world, args.demonstrations, args.distractors)
    model = load(args.model, format=args.format)
    common: dict[str, Any] = {"index": index, "k": args.k, "similar": 0.0, "demonstrations": shown}
    asked = [question.text for question in world.questions]
    read: dict[str, list[bool]] = {}
    print("| | second | unsupported | untrue | texts with an untrue claim | sentences |\n|---|---|---|---|---|---|")
    for name, settings in WAYS.items():
        texts = treat("ircot", model, **{**common, **settings}, max_sentences=4).generate(asked, Sampling(160))
        traces = [text.trace or Trace() for text in texts]
        read[name] = [second_read(question, trace) for question, trace in zip(world.questions, traces, strict=True)]
        bare, false = hallucinations(traces), hallucinations(traces, true_in(world))
        kept = sum(event.kind == "write" for trace in traces for event in trace.events) / len(traces)
        told = (
            f"{sum(read[name])}/{len(asked)}",
            f"{bare.failed} of {bare.claims}",
            f"{false.failed} of {false.claims - false.untold}",
            f"{false.tainted}/{len(asked)}",
            f"{kept:.1f}",
        )
        print(f"| {name} | {' | '.join(told)} |", flush=True)
        for question, text in list(zip(world.questions, texts, strict=True))[:3]:
            print(f"    {question.text} -> {text.text!r}", flush=True)
    for other in ("oner", "random"):
        pairs = list(zip(read["ircot"], read[other], strict=True))
        gained, lost = sum(a > b for a, b in pairs), sum(a < b for a, b in pairs)
        print(f"ircot against {other}: gained {gained}, lost {lost}, p = {mcnemar(gained, lost):.2g}")


if __name__ == "__main__":
    main()
