"""A real small model that reads: what interleaving finds, and how many of its sentences nothing supports.

    python benchmarks/ircot_reader.py                       SmolLM2, 4 demonstrations, 24 bridge questions
    python benchmarks/ircot_reader.py --questions 8 --demonstrations 2
    python benchmarks/ircot_reader.py --train 240 --k 3 --out runs/ircot-reader       the same behind a short training

`--train` puts LoRA onto the model, trained on chains of thought of another world behind their documents and three
distractors, and shows no demonstrations. No name of a tested question is in the training.

The same questions, demonstrations, index and limits for IRCoT, OneR and NoR, and for IRCoT with a random sentence of
the corpus in place of the query. *Second*: the second gold document stood before the model. *Unsupported*: claims that
no document before the model states. *Untrue*: claims that the world's table does not entail. The test is paired over
questions: the exact one of McNemar.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surefoot.decoding.sampling import Sampling
from surefoot.models.base import LanguageModel
from surefoot.models.load import load
from surefoot.models.trace import Trace
from surefoot.questions.demonstrations import Demonstration, demonstrations
from surefoot.questions.question import Question
from surefoot.questions.support import hallucinations, true_in
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.stats.exact import mcnemar
from surefoot.text.prompt import Prompt
from surefoot.training.fit import FitSettings
from surefoot.training.pairs import tune_on_pairs
from surefoot.treatments import treat
from surefoot.treatments.retrieval.ircot_prompts import framed
from surefoot.treatments.retrieval.showing import with_documents
from surefoot.worlds.corpora import QuestionWorld

LAYOUT = "wikipedia"  # what ircot shows documents in unless told otherwise
WAYS: Mapping[str, Mapping[str, Any]] = {
    "ircot": {},
    "random": {"query": "random"},
    "oner": {"retrieval": "once"},
    "nor": {"retrieval": "never"},
}


def second_read(question: Question, trace: Trace) -> bool:
    """Whether the second gold document stood before the model."""
    return set(question.evidence[0][1]) <= set(trace.documents)


def chain_of(one: Demonstration) -> tuple[Prompt, str]:
    """What a model reads that reasons without demonstrations, and what it should write."""
    asked = framed(Prompt.of(one.question.text), direct=False, told=True)
    return with_documents(asked, one.documents, LAYOUT), one.reasoning


def trained(model: LanguageModel, world: QuestionWorld, count: int, out: Path | None) -> LanguageModel:
    """The model with LoRA that has seen `count` chains of thought once."""
    pairs = [chain_of(one) for one in demonstrations(world, count, 3)]
    watch = lambda step: print(f"  {step.step}/{step.steps} {step.losses} {step.seconds:.0f} s", flush=True)  # noqa: E731
    descent = FitSettings(steps=count // 4, batch=4)
    return tune_on_pairs(model, *zip(*pairs, strict=True), descent=descent, out=out, watch=watch)


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
    parser.add_argument("--train", type=int, default=0, help="chains of thought that the model is trained on first")
    parser.add_argument("--out", type=Path, help="where the training is kept")
    args = parser.parse_args()
    world = QuestionWorld(args.seed, args.size, ("bridge",), args.questions)
    index = BM25.of(Corpus.of(list(world.documents)))
    model = load(args.model, format=args.format)
    if args.train:
        model, shown = trained(model, world, args.train, args.out), ()
    else:
        shown = demonstrations(world, args.demonstrations, args.distractors)
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
