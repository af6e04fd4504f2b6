"""A small encoder that learns to read: implicit yes/no questions under every context, after an auxiliary stage or not.

    python benchmarks/yesno_reader.py                     MiniLM, staged; about 10 minutes of a core that is left alone
    python benchmarks/yesno_reader.py --single 0          the same without the auxiliary stage
    python benchmarks/yesno_reader.py --permute           labels permuted: chance
    python benchmarks/yesno_reader.py --boolq train.jsonl --encoder FOLDER --device cuda --max-tokens 512

Stages: single-step yes/no questions of a world (or BoolQ's), then implicit questions of a world under the conditions
`--train`, the best epoch by another world's questions. Measured with the implicit-reasoning probe on questions of a
third world, whose names are drawn apart. A reader of spans, trained on questions of one hop, answers the steps of the
condition `steps`. Differences are paired over questions.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import surefoot as sf
from surefoot.metrics.answers import exact_match
from surefoot.models.base import LanguageModel
from surefoot.probes.implicit_reasoning.summary import ImplicitSummary
from surefoot.readers.pairs import PairEncoder, load_encoder
from surefoot.readers.rows import YesNoRow, boolq_rows, majority, single_step_rows, span_rows, task_rows
from surefoot.readers.saved import save_reader
from surefoot.readers.spans import SpanReader
from surefoot.readers.stepwise import StepwiseReader
from surefoot.readers.training import Recipe, Stage, train
from surefoot.readers.yes_no import YesNoReader
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.stats.bootstrap import paired_bootstrap
from surefoot.stats.intervals import Interval, wilson
from surefoot.tasks.implicit import implicit_task
from surefoot.tasks.task import Task
from surefoot.training.fit import FitStep
from surefoot.worlds.corpora import QuestionWorld

CONDITIONS = ("question", "gold", "other", "ir-q", "retrieved", "filled", "raw", "steps")
TRAINED, CHOSEN, TESTED, SINGLE = 101, 103, 7, 105  # seeds of worlds
KINDS = ("is said", "founded before", "before", "same")  # of single steps, which take turns
PAIRED = (
    ("gold", "retrieved"),
    ("retrieved", "question"),
    ("gold", "question"),
    ("other", "question"),
    ("filled", "raw"),
)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path, help="the folder of another encoder than MiniLM")
    parser.add_argument("--single", type=int, default=2400, help="single-step questions; 0: no auxiliary stage")
    parser.add_argument("--boolq", type=Path, help="BoolQ's JSON Lines in their place")
    parser.add_argument("--auxiliary-epochs", type=int, default=2)
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--epochs", type=int, default=4, help="over the implicit questions")
    parser.add_argument("--train", default="gold,filled", help="conditions that are trained on")
    parser.add_argument("--dev", type=int, default=40, help="questions by which the epoch is chosen")
    parser.add_argument("--spans", type=int, default=40, help="questions of one hop for the reader of spans")
    parser.add_argument("--count", type=int, default=200, help="questions that are measured")
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--frozen", type=int, default=1, help="lower layers that stay as they are, with embeddings")
    parser.add_argument("--max-tokens", type=int, default=176)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--permute", action="store_true", help="permute the labels of every stage")
    parser.add_argument("--out", type=Path, help="where the readers are kept")
    return parser.parse_args()


def asked(seed: int, count: int) -> Task:
    """The implicit questions of a world, searched with BM25."""
    world = QuestionWorld(seed, 2000, ("implicit",), count)
    documents = {document.id: document for document in world.documents}
    index = BM25.of(Corpus.of(list(documents.values())))
    return implicit_task(world.questions, documents=documents, retriever=index, conditions=CONDITIONS)


def single(seed: int, count: int = 1) -> QuestionWorld:
    """A world of questions of one hop."""
    return QuestionWorld(seed, 2000, ("single",), count)


def permuted(rows: Sequence[YesNoRow]) -> tuple[YesNoRow, ...]:
    """The same rows with their answers exchanged at random."""
    answers = [row.answer for row in rows]
    random.Random(0).shuffle(answers)
    return tuple(YesNoRow(row.pair, answer) for row, answer in zip(rows, answers, strict=True))


def stages_of(told: argparse.Namespace) -> list[Stage[YesNoRow]]:
    """The auxiliary stage, if any, and that of implicit questions."""
    conditions = told.train.split(",")
    auxiliary = boolq_rows(told.boolq) if told.boolq else single_step_rows(single(SINGLE), told.single)
    rows, dev = (task_rows(asked(*which), conditions) for which in ((TRAINED, told.questions), (CHOSEN, told.dev)))
    change = permuted if told.permute else tuple
    first = [Stage("single steps", change(auxiliary), told.auxiliary_epochs)] if auxiliary else []
    return [*first, Stage("implicit", change(rows), told.epochs, dev)]


def trained_classifier(encoder: PairEncoder, told: argparse.Namespace, recipe: Recipe) -> YesNoReader:
    """The classifier behind all stages, with its accuracy on single steps of the tested world."""
    made = train(YesNoReader.new(encoder, seed=told.seed, name="reader"), stages_of(told), recipe, watch)
    for log in made.stages:
        print(f"{log.name}: dev {[round(one, 3) for one in log.accuracies]}, epoch {log.kept} kept")
    marks = made.reader.correct(single_step_rows(single(TESTED), 80))
    for turn, kind in enumerate(KINDS):
        own = marks[turn :: len(KINDS)]
        print(f"single step, {kind}: {shown(wilson(sum(own), len(own)))} of {len(own)}")
    return made.reader


def trained_spans(encoder: PairEncoder, told: argparse.Namespace, recipe: Recipe) -> SpanReader:
    """The reader of spans, with its accuracy on the tested world."""
    rows = span_rows(single(SINGLE, told.spans))
    reader = train(SpanReader.new(encoder, seed=told.seed), [Stage("spans", rows, 3)], recipe, watch).reader
    held = span_rows(single(TESTED, 100))
    print(f"spans, none where there is none: {shown(wilson(sum(reader.correct(held)), len(held)))} of {len(held)}")
    answered = [row for row in held if row.answer]
    found = [span.text for span in reader.read([row.pair for row in answered])]
    right = sum(exact_match(text, row.answer) for text, row in zip(found, answered, strict=True))
    print(f"spans, where there is an answer: {shown(wilson(right, len(answered)))} of {len(answered)}")
    return reader


def watch(stage: str, step: FitStep) -> None:
    """Prints the loss now and then."""
    if step.step % 10 == 0 or step.step == step.steps:
        cpu = time.process_time()
        print(f"  {stage} {step.step}/{step.steps} loss {step.losses['loss']:.3f}, {cpu:.0f} s of CPU", flush=True)


def shown(one: Interval) -> str:
    """In percent."""
    return f"{100 * one.value:.1f} ({100 * one.low:.1f} to {100 * one.high:.1f})"


def measure(model: LanguageModel, task: Task) -> None:
    """Prints a line for each condition, differences, and how some steps were answered."""
    reading = sf.probe("implicit-reasoning", model, task, recheck=0)
    summary: ImplicitSummary = reading.summary
    print(f"\n{model.name}\n| condition | right | said yes |\n|---|---:|---:|")
    for one in summary.findings:
        print(f"| `{one.condition}` | {shown(one.accuracy)} | {one.yes} of {one.questions} |")
    rows = sorted(reading.rows.to_pylist(), key=lambda row: str(row["item"]))
    right = {c: [row["outcome"] == "right" for row in rows if row["wording"] == c] for c in CONDITIONS}
    for left, other in PAIRED:
        print(f"{left} - {other}: {shown(paired_bootstrap(right[other], right[left]))}")
    for row in [row for row in rows if row["wording"] == "steps"][:3]:
        print("   ", row["asked_steps"], row["step_answers"], row["outcome"])


def main() -> None:
    """Trains both readers, and measures them together and the majority."""
    told = arguments()
    encoder = load_encoder(told.encoder, max_tokens=told.max_tokens, device=told.device)
    recipe = Recipe(
        learning_rate=told.rate, batch=told.batch, accumulate=1, seed=told.seed, frozen_layers=told.frozen, cut_frac=0.1
    )
    model = StepwiseReader(
        trained_classifier(encoder, told, recipe), trained_spans(encoder, told, recipe), name="reader"
    )
    if told.out:
        save_reader(model, told.out)
    task = asked(TESTED, told.count)
    measure(model, task)
    without_steps = tuple(wording for wording in task.wordings if wording.id != "steps")
    measure(majority(task_rows(asked(TRAINED, told.questions), ["question"])), replace(task, wordings=without_steps))
    print(f"{time.process_time():.0f} s of CPU in all")


if __name__ == "__main__":
    main()
