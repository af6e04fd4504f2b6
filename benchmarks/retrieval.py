"""Building and searching indexes over the documents of a world, beside bm25s and faiss called directly.

    python benchmarks/retrieval.py --sizes 10000,100000,1000000
    python benchmarks/retrieval.py --sizes 10000,100000 --json runs/retrieval.json

Each build runs in a process of its own, so that its peak memory is its own; starting Python and importing are left out
of its time. Searches take turns, query batch by query batch, and the medians are compared. bm25s is given queries that
are cut into terms already; ours cuts them. The vectors are random unit vectors, so that no encoder is measured; faiss
searches an `IndexFlatIP` that holds a copy of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

BATCHES, BATCH, K, WIDTH = 9, 20, 10, 384


class Given:
    """An encoder that gives vectors which are there already; a text is the number of one."""

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        return self.vectors[[int(text) for text in texts]]


def write_corpus(path: Path, size: int) -> None:
    """The documents of a world as JSON Lines."""
    from surefoot.worlds.corpora import QuestionWorld

    with path.open("w", encoding="utf-8") as file:
        for document in QuestionWorld(seed=0, size=size).documents:
            file.write(json.dumps(document._asdict(), ensure_ascii=False) + "\n")


def build(what: str, corpus: Path, out: Path) -> dict[str, float]:
    """Seconds and peak memory (MiB above what was there before) of one build, in this process."""
    import bm25s

    import surefoot.retrieval.table  # noqa: F401 - importing pyarrow is no part of a build
    from measuring import forget_peak, held_mib, peak_mib
    from surefoot.retrieval.corpus_files import stream
    from surefoot.retrieval.index import build_index
    from surefoot.retrieval.terms import terms

    def ours() -> None:
        build_index(corpus, out)

    def direct() -> None:
        index = bm25s.BM25(method="lucene")
        index.index([terms(placed.document.text) for placed in stream(corpus)], show_progress=False)
        index.save(out, show_progress=False)

    forget_peak()
    before, start = held_mib(), perf_counter()
    (ours if what == "ours" else direct)()
    return {"seconds": perf_counter() - start, "mib": peak_mib() - before}


def in_turns(calls: dict[str, Callable[[int], Any]]) -> dict[str, float]:
    """Queries a second of each call (median over batches), the calls taking turns."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for batch in range(-1, BATCHES):  # the first round only warms up
        for name, call in calls.items():
            start = perf_counter()
            call(max(0, batch))
            if batch >= 0:
                spent[name].append(perf_counter() - start)
    return {name: BATCH / median(seconds) for name, seconds in spent.items()}


def search_bm25(ours: Path, direct: Path, questions: Sequence[str]) -> dict[str, float]:
    """Queries/s of an index opened from disk and of bm25s on its own arrays, both mapped into memory."""
    import bm25s

    from surefoot.retrieval.index import open_index
    from surefoot.retrieval.terms import terms

    index, theirs = open_index(ours), bm25s.BM25.load(direct, mmap=True, show_progress=False)
    batches = [list(questions[i : i + BATCH]) for i in range(0, BATCH * BATCHES, BATCH)]
    cut = [[terms(question) for question in batch] for batch in batches]
    return in_turns(
        {
            "ours": lambda i: index.search(batches[i], K),
            "direct": lambda i: theirs.retrieve(cut[i], k=K, show_progress=False),
        }
    )


def search_dense(ours: Path) -> dict[str, float]:
    """Queries/s of exact search over random unit vectors, one for each document of the index `ours`."""
    import faiss

    from surefoot.retrieval.dense import Dense
    from surefoot.retrieval.index import open_index

    corpus = open_index(ours).corpus
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((len(corpus), WIDTH), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = rng.standard_normal((BATCH * BATCHES, WIDTH), dtype=np.float32)
    index, flat = Dense(corpus, Given(queries), vectors), faiss.IndexFlatIP(WIDTH)
    flat.add(vectors)
    batches = [list(map(str, range(i, i + BATCH))) for i in range(0, BATCH * BATCHES, BATCH)]
    rows = [queries[i : i + BATCH] for i in range(0, BATCH * BATCHES, BATCH)]
    return in_turns({"ours": lambda i: index.search(batches[i], K), "direct": lambda i: flat.search(rows[i], K)})


def measure(size: int) -> dict[str, Any]:
    """All numbers of one size."""
    from surefoot.worlds.corpora import QuestionWorld

    world = QuestionWorld(seed=0, size=size, count=BATCH * BATCHES)
    questions = [question.text for question in world.questions]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.jsonl"
        write_corpus(corpus, size)
        found: dict[str, Any] = {"documents": size}
        for what in ("ours", "direct"):
            words = [sys.executable, __file__, "--build", what, str(corpus), str(Path(folder) / what)]
            ended = subprocess.run(words, check=True, capture_output=True, text=True)
            found[f"build {what}"] = json.loads(ended.stdout)
        found["bm25"] = search_bm25(Path(folder) / "ours", Path(folder) / "direct", questions)
        found["dense"] = search_dense(Path(folder) / "ours")
    return found


def table(results: Sequence[dict[str, Any]]) -> str:
    """Markdown; a ratio above 1 means that ours takes longer."""
    lines = [
        "| documents | build s | bm25s | peak MiB | bm25s | BM25 queries/s | bm25s | ratio "
        "| dense queries/s | faiss | ratio |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for one in results:
        ours, direct, bm25, dense = one["build ours"], one["build direct"], one["bm25"], one["dense"]
        cells = [f"{one['documents']:,}", f"{ours['seconds']:.1f}", f"{direct['seconds']:.1f}"]
        cells += [f"{ours['mib']:,.0f}", f"{direct['mib']:,.0f}"]
        for rates in (bm25, dense):
            cells += [f"{rates['ours']:,.0f}", f"{rates['direct']:,.0f}", f"{rates['direct'] / rates['ours']:.2f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measures every size and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", default="10000,100000")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--build", nargs=3, metavar=("WHAT", "CORPUS", "OUT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.build:
        print(json.dumps(build(given.build[0], Path(given.build[1]), Path(given.build[2]))))
        return
    results = [measure(int(size)) for size in given.sizes.split(",")]
    if given.json:
        given.json.write_text(json.dumps(results, indent=1))
    print(table(results))


if __name__ == "__main__":
    main()
