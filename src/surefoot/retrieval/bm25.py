"""BM25 over the terms of a corpus, scored in advance (bm25s).

score(q, d) = sum over the terms t of q, repeated ones each time, of
    idf(t) f(t, d) / (f(t, d) + k1 (1 - b + b |d| / avgdl)),  idf(t) = ln(1 + (N - n_t + 0.5) / (n_t + 0.5))
with f the count of t in d, |d| the terms of d, avgdl their mean over the N documents, n_t the documents with t.
Source: Robertson et al. 1994, in the form of Lucene (Kamphuis et al. 2020); Lù 2024, arXiv:2407.03618, for computing
each term's part in advance. Title and text are searched. A document without any term of the query is not found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.errors import BadInput, needs_package
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.counts import Counts, count
from surefoot.retrieval.ranking import Ranking, best, check_k, hits
from surefoot.retrieval.retriever import Hit
from surefoot.retrieval.terms import VERSION, terms


@dataclass(frozen=True)
class BM25:
    """A retriever over `corpus`; `index` is a `bm25s.BM25` with its arrays."""

    corpus: Corpus
    index: Any
    k1: float
    b: float

    @classmethod
    def of(cls, corpus: Corpus, k1: float = 1.5, b: float = 0.75) -> BM25:
        """The index of a corpus, in memory. Raises `BadInput` for `k1` below 0 or `b` outside 0..1."""
        check(k1, b)
        return cls(corpus, scored(count(corpus), k1, b), k1, b)

    @property
    def digest(self) -> str:
        """SHA-256 over the corpus, the settings, and the version of the terms."""
        return hashlib.sha256(f"bm25 {self.k1} {self.b} {VERSION} {self.corpus.digest}".encode()).hexdigest()

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The best `k` documents of each query that share a term with it, best first, ties in corpus order."""
        return [hits(ranking, self.corpus) for ranking in self.rank(queries, k)]

    def rank(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """As `search`, by places in the corpus."""
        check_k(k)
        return [self._rank(query, k) for query in queries]

    def scores(self, query: str) -> np.ndarray:
        """The score of every document, (documents,) float32; 0 where it shares no term with the query."""
        columns = self.index.get_tokens_ids(terms(query))
        if not columns:
            return np.zeros(len(self.corpus), dtype=np.float32)
        return np.asarray(self.index.get_scores_from_ids(columns))

    def _rank(self, query: str, k: int) -> Ranking:
        ranking = best(self.scores(query), k)
        matched = int((ranking.scores > 0).sum())
        return Ranking(ranking.places[:matched], ranking.scores[:matched])


def scored(counts: Counts, k1: float, b: float) -> Any:
    """A `bm25s.BM25` with the part of each (term, document) that is not 0: what its own `index` would give."""
    needs_package("bm25s", extra="retrieval", by="Searching with BM25")
    import bm25s

    matrix, words, lengths = counts
    shares = matrix.copy()
    norm = k1 * (1 - b + b * lengths / max(lengths.mean(), 1e-9))
    shares.data = (matrix.data / (matrix.data + np.repeat(norm, np.diff(matrix.indptr)))).astype(np.float32)
    by_term = shares.tocsc()
    documents_with = np.diff(by_term.indptr)
    idf = np.log(1 + (len(lengths) - documents_with + 0.5) / (documents_with + 0.5)).astype(np.float32)
    index = bm25s.BM25(k1=k1, b=b, method="lucene")
    index.scores = {
        "data": by_term.data * np.repeat(idf, documents_with),
        "indices": by_term.indices.astype(np.int32, copy=False),
        "indptr": by_term.indptr.astype(np.int64, copy=False),
        "num_docs": len(lengths),
    }
    index.vocab_dict = {word: column for column, word in enumerate(words)}
    index.unique_token_ids_set = set(range(len(words)))
    index.nonoccurrence_array = None
    return index


def check(k1: float, b: float) -> None:
    """Refuses values that the formula is not meant for."""
    if not 0 <= k1 < float("inf"):
        raise BadInput(f"k1 is {k1}; give 0 or more, 1.5 by default.")
    if not 0 <= b <= 1:
        raise BadInput(f"b is {b}; give 0 to 1, 0.75 by default.")
