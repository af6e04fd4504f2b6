"""A decomposer trained from scratch on a world's questions, measured on another world's: its steps, and what they find.

python benchmarks/decomposer.py [--steps 800] [--questions 3000] [--size 20000] [--count 120] [--out FOLDER]

Entities, years and trades are drawn apart (another seed), so that names are copied or not got right; the corpus is
crowded (`surefoot.worlds.corpus_crowd`). With --out a training that was stopped goes on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from surefoot.probes.implicit_reasoning.decomposer import Decomposer, scores, train_decomposer
from surefoot.probes.implicit_reasoning.scratch import scratch_model
from surefoot.questions.measures import recall_at
from surefoot.questions.question import Question
from surefoot.questions.searching import Searched
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.stats.bootstrap import bootstrap_mean
from surefoot.stats.intervals import wilson
from surefoot.tasks.implicit_items import filled_steps, queries_of
from surefoot.training.adapters import AdapterSettings
from surefoot.training.fit import FitSettings, FitStep
from surefoot.worlds.corpora import QuestionWorld
from surefoot.worlds.corpus_crowd import crowded


def main() -> None:
    """Trains, writes steps for held-out questions, and prints scores and Recall@10."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--questions", type=int, default=3000)
    parser.add_argument("--size", type=int, default=20_000, help="documents of the world that is trained on")
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--out", type=Path, default=None)
    told = parser.parse_args()
    shown = QuestionWorld(101, told.size, ("implicit",), told.questions).questions
    world = QuestionWorld(7, 2000, ("implicit",), told.count)
    base = scratch_model(shown)
    descent = FitSettings(told.steps, told.batch, told.rate, save_every=100)
    decomposer = train_decomposer(
        base, shown, part=AdapterSettings("weights"), descent=descent, out=told.out, watch=watch
    )
    predicted = decomposer.steps(world.questions)
    known = [q for q in shown if q.text in {other.text for other in world.questions}]
    print(f"{len(known)} held-out questions stand among those trained on")
    for name, steps in (("untrained", Decomposer(base).steps(world.questions)), ("trained", predicted)):
        found = scores(world.questions, steps)
        exact = wilson(round(found.exact * told.count), told.count)
        print(f"{name}: exact {exact.value:.3f} ({exact.low:.3f} to {exact.high:.3f}), SARI {found.sari:.3f}")
        alike = [form(steps[q.id]) == form([step.text for step in q.steps]) for q in world.questions]
        print(f"{name}: right but for names and numbers {sum(alike)} of {told.count}")
    recalls(world, predicted)
    for question in world.questions[:3]:
        print(question.text, *predicted[question.id], sep="\n  ")


def form(steps: Sequence[str]) -> list[list[str]]:
    """The steps without names and numbers: first words, words in small letters and references."""
    return [
        [w for n, w in enumerate(step.rstrip("?").split()) if n == 0 or w.islower() or w[0] == "#"] for step in steps
    ]


def watch(step: FitStep) -> None:
    """Prints the loss now and then."""
    if step.step % 50 == 0:
        print(f"step {step.step}, loss {step.losses['loss']:.3f}, {step.seconds:.0f} s", flush=True)


def recalls(world: QuestionWorld, predicted: dict[str, tuple[str, ...]]) -> None:
    """Prints Recall@10 by the question, by predicted steps, by gold steps, and by those with answers filled in."""
    index = BM25.of(Corpus.of(crowded(world.questions, world.documents)))
    searched = Searched.of(index, queries_of(world.questions, predicted))

    def ids(question: Question, way: str) -> list[str]:
        texts = {
            "IR-Q": (question.text,),
            "IR-D": predicted[question.id],
            "IR-ORA-D": tuple(step.text for step in question.steps),
            "filled": filled_steps(question),
        }
        return [document.id for document in searched.pooled(texts[way])]

    for way in ("IR-Q", "IR-D", "IR-ORA-D", "filled"):
        each = [recall_at(ids(question, way), question.evidence) for question in world.questions]
        found = bootstrap_mean(each)
        print(f"Recall@10 {way}: {found.value:.3f} ({found.low:.3f} to {found.high:.3f})")


if __name__ == "__main__":
    main()
