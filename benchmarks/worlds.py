"""What BM25 finds for the questions of a world: by the question, with the bridge entity named, and by the gold steps.

python benchmarks/worlds.py [--size 10000] [--count 600] [--k 15]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from surefoot.questions.decomposition import run
from surefoot.questions.measures import implicitness, recall_at
from surefoot.questions.question import Question
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.worlds.corpora import ALL_KINDS, QuestionWorld
from surefoot.worlds.corpus_reader import Table

HEAD = "| kind | gold documents | all | last | last, bridge named | all, by the steps | implicitness |"


def main() -> None:
    """Prints one row a kind."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--k", type=int, default=15)
    told = parser.parse_args()
    kinds = tuple(kind for kind in ALL_KINDS if kind != "unanswerable")
    world = QuestionWorld(0, told.size, kinds, told.count)
    index, table = BM25.of(Corpus.of(world.documents)), Table.of(world.documents)
    print(HEAD, "|---|---|---|---|---|---|---|", sep="\n")
    for kind in kinds:
        rows = [_row(question, index, table, told.k) for question in world.questions if question.kind == kind]
        means = [sum(column) / len(rows) for column in zip(*rows, strict=True)]
        print(f"| `{kind}` |", " | ".join(f"{mean:.2f}" for mean in means), "|")


def _row(question: Question, index: BM25, table: Table, k: int) -> tuple[float, ...]:
    """Gold documents; recall of all and of the last one; the last one with the bridge entity named; by the steps."""
    last = ((question.evidence[0][-1],),)
    asked, named = _found(index, question.text, k), question.text
    if question.kind in ("bridge", "implicit"):
        named += f" {_bridge(question)}"
    executed = run(question, table.answer).texts
    texts = [text for text, step in zip(executed, question.steps, strict=True) if text and step.documents]
    by_steps = [id for text in texts for id in _found(index, text, k // len(texts))]
    return (
        sum(len(hop) for hop in question.evidence[0]),
        recall_at(asked, question.evidence, k),
        recall_at(asked, last, k),
        recall_at(_found(index, named, k), last, k),
        recall_at(by_steps, question.evidence, k),
        implicitness(question),
    )


def _bridge(question: Question) -> str:
    """The answer that the last retrieval step needs, if it needs one."""
    retrieval = [step for step in question.steps if step.documents]
    number = retrieval[-1].text.partition("#")[2][:1]
    return question.steps[int(number) - 1].answer if number else ""


def _found(index: BM25, query: str, k: int) -> Sequence[str]:
    return [hit.document.id for hit in index.search([query], k)[0]]


if __name__ == "__main__":
    main()
