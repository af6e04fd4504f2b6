"""Corpora and BM25: files read or refused, and scores equal to a formula written down a second time."""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from retrieving import LETTERS, made, written
from surefoot.errors import BadInput
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Document
from surefoot.retrieval.terms import terms

FRUIT = Corpus.of(
    [
        Document("a", "Apples", "Apples are red. Apples are sweet."),
        Document("b", "", "Pears are green."),
        Document("c", "Plums", "Plums and pears and apples."),
        Document("d", "", ""),
    ]
)


def by_formula(corpus: Sequence[Document], query: str, k1: float, b: float) -> dict[str, float]:
    """BM25 from plain counting, document by document."""
    bags = {document.id: f"{document.title} {document.text}".lower().replace(".", "").split() for document in corpus}
    mean = sum(map(len, bags.values())) / len(bags)
    scores = dict.fromkeys(bags, 0.0)
    for term in query.lower().split():
        holding = sum(term in bag for bag in bags.values())
        idf = math.log(1 + (len(bags) - holding + 0.5) / (holding + 0.5))
        for id, bag in ((id, bag) for id, bag in bags.items() if term in bag):
            scores[id] += idf * bag.count(term) / (bag.count(term) + k1 * (1 - b + b * len(bag) / mean))
    return scores


@pytest.mark.parametrize(("k1", "b"), [(1.5, 0.75), (0.9, 0.4), (0.5, 0.0), (2.0, 1.0), (0.0, 0.5)])
def test_scores_and_order_are_those_of_the_formula(k1: float, b: float) -> None:
    for corpus, queries in ((FRUIT, ("apples", "green pears", "are apples apples")), (made(60), ("ab cd", "yz yz kl"))):
        order = {document.id: place for place, document in enumerate(corpus)}
        for query, hits in zip(queries, BM25.of(corpus, k1, b).search(queries, 100), strict=True):
            expected = {id: score for id, score in by_formula(corpus, query, k1, b).items() if score > 0}
            assert {hit.document.id: hit.score for hit in hits} == pytest.approx(expected, rel=1e-5)
            keys = [(-hit.score, order[hit.document.id]) for hit in hits]
            assert keys == sorted(keys)


def test_the_arrays_are_those_that_bm25s_makes_itself() -> None:
    import bm25s
    import numpy as np

    corpus = made(80)
    own = BM25.of(corpus).index
    direct = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
    direct.index([terms(document.text) for document in corpus], show_progress=False)
    for term in LETTERS:
        scores = [index.get_scores([term]) for index in (own, direct)]
        np.testing.assert_allclose(*scores, rtol=1e-6)


def test_fewer_than_k_are_found_where_fewer_share_a_term_and_a_smaller_k_is_the_beginning() -> None:
    index = BM25.of(made(200))
    (everything,) = index.search(["ab cd"], 10_000)
    assert 0 < len(everything) < 200
    for k in (1, 2, 7, len(everything) - 1):
        assert index.search(["ab cd"], k) == [everything[:k]]
    assert index.search(["nothing of it", ""], 5) == [[], []]


def test_a_query_is_ranked_alike_alone_and_among_others() -> None:
    index = BM25.of(made(50))
    queries = ["ab", "cd ef", "yz ab ab"]
    assert index.search(queries, 9) == [index.search([query], 9)[0] for query in queries]


@pytest.mark.parametrize(("k1", "b", "said"), [(-1, 0.5, "k1 is -1"), (1, 1.5, "b is 1.5"), (math.nan, 0, "k1 is nan")])
def test_settings_outside_the_formula_are_refused(k1: float, b: float, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        BM25.of(FRUIT, k1, b)
    with pytest.raises(BadInput, match="k is 0"):
        BM25.of(FRUIT).search(["pears"], 0)


def test_the_digest_tells_corpora_and_settings_apart() -> None:
    moved = Corpus.of([FRUIT[1], FRUIT[0], *FRUIT[2:]])
    merged = Corpus.of([Document("a", "ApplesA", "pples are red. Apples are sweet."), *FRUIT[1:]])
    digests = {BM25.of(FRUIT).digest, BM25.of(FRUIT, k1=1).digest, BM25.of(moved).digest, BM25.of(merged).digest}
    assert len(digests) == 4
    assert BM25.of(Corpus.of(list(FRUIT))).digest == BM25.of(FRUIT).digest


def _jsonl(path: Path, corpus: Corpus) -> Path:
    return written(path / "c.jsonl", corpus)


def _gzipped(path: Path, corpus: Corpus) -> Path:
    (path / "c.jsonl.gz").write_bytes(gzip.compress(_jsonl(path, corpus).read_bytes()))
    return path / "c.jsonl.gz"


def _parquet(path: Path, corpus: Corpus) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: [getattr(document, name) for document in corpus] for name in Document._fields}
    pq.write_table(pa.table(columns), path / "c.parquet", row_group_size=7)
    return path / "c.parquet"


@pytest.mark.parametrize("write", [_jsonl, _gzipped, _parquet])
@pytest.mark.parametrize("keep", [False, True])
def test_a_file_is_the_corpus_that_was_written(write: Callable[..., Path], keep: bool, tmp_path: Path) -> None:
    corpus = made(25)
    told: list[int] = []
    kept = tmp_path / "kept.arrow" if keep else None
    read = Corpus.read(write(tmp_path, corpus), keep=kept, watch=told.append)
    assert list(read) == list(corpus)
    assert [read[i] for i in range(len(read))] == list(corpus)
    assert read[3:9:2] == corpus[3:9:2]
    assert (read.digest, read[-1]) == (corpus.digest, corpus[-1])
    assert told == [25]


def test_a_title_may_be_missing_and_an_id_may_be_a_number(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text(
        '{"id": 7, "text": "seven", "more": [1]}\n\n{"id": "8", "title": null, "text": ""}\n'
    )
    assert list(Corpus.read(tmp_path / "c.jsonl")) == [Document("7", "", "seven"), Document("8", "", "")]


LINE = b'{"id": "1", "text": "one"}\n'


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "holds no documents"),
        (b"\n\n", "holds no documents"),
        (LINE + b"\n" + LINE, 'line 3: the id "1" is also that of document 1'),
        (LINE + b'{"id": "2", "text": "caf\xe9"}\n', r"line 2: not UTF-8 text \(byte 24"),
        (LINE + b'{"id": "2", "text": "\\ud800"}\n', "line 2: half a character"),
        (LINE + b'{"id": "2", "text": "tw\n', "line 2: not JSON"),
        (LINE + b'["2", "two"]\n', "line 2: not a JSON object"),
        (LINE + b'{"id": "2", "txt": "two"}\n', 'line 2: no "text". Did you mean "txt"'),
        (LINE + b'{"id": "2", "text": 2}\n', 'line 2: "text" is 2, which is not text'),
        (LINE + b'{"id": true, "text": "two"}\n', 'line 2: "id" is true'),
        (LINE + b'{"id": "2", "title": ["t"], "text": "two"}\n', 'line 2: "title" is'),
    ],
)
def test_a_broken_file_is_refused_with_its_line(raw: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_bytes(raw)
    with pytest.raises(BadInput, match=said):
        Corpus.read(tmp_path / "c.jsonl")


def test_files_that_are_no_corpus_are_refused(tmp_path: Path) -> None:
    whole = _gzipped(tmp_path, made(300))
    whole.write_bytes(whole.read_bytes()[:-20])
    (tmp_path / "c.csv").write_text("id,text\n")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing")
    for name, said in (
        ("c.jsonl.gz", "cannot be unpacked behind line"),
        ("c.csv", "is no corpus; give a file that ends in .jsonl"),
        ("d.jsonl", "There is no file .* Did you mean"),
        ("broken.parquet", "cannot be read as Parquet"),
    ):
        with pytest.raises(BadInput, match=said):
            Corpus.read(tmp_path / name)


def test_parquet_without_a_column_and_with_a_duplicate_is_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ["1"], "body": ["one"]}), tmp_path / "c.parquet")
    with pytest.raises(BadInput, match='has no column "text"'):
        Corpus.read(tmp_path / "c.parquet")
    pq.write_table(pa.table({"id": ["1", "2", "1"], "text": ["one", "two", "three"]}), tmp_path / "c.parquet")
    with pytest.raises(BadInput, match='row 3: the id "1"'):
        Corpus.read(tmp_path / "c.parquet")


def test_documents_in_memory_are_checked_too() -> None:
    with pytest.raises(BadInput, match="The corpus holds no documents"):
        Corpus.of([])
    with pytest.raises(BadInput, match='document 2: the id "x" is also that of document 1'):
        Corpus.of([Document("x", "", "one"), Document("x", "", "two")])
