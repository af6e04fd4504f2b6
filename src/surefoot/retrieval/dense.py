"""Dense retrieval: documents ranked by the inner product of their vector with the query's.

score(q, d) = e(q) · e(d), with e a text encoder; for unit vectors this is the cosine. The search is exact: faiss
compares each query with every document (Johnson et al. 2017, arXiv:1702.08734). Needs an encoder; title and
text are encoded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from surefoot.errors import BadInput, needs_package
from surefoot.retrieval.corpus import Corpus, Watch, searched
from surefoot.retrieval.ranking import Ranking, check_k, hits
from surefoot.retrieval.retriever import Document, Hit

if TYPE_CHECKING:
    from surefoot.models.encoders import Encoder

BATCH = 256  # documents that are encoded between two notes of progress
PROBES = 8  # documents whose vectors tell encoders apart


@dataclass(frozen=True)
class Dense:
    """A retriever over `corpus`; `vectors` are (documents, width) float32, in memory or mapped from disk."""

    corpus: Corpus
    encoder: Encoder
    vectors: np.ndarray

    @classmethod
    def of(cls, corpus: Corpus, encoder: Encoder | None = None, *, watch: Watch | None = None) -> Dense:
        """The index of a corpus, in memory; all-MiniLM-L6-v2 encodes by default. `watch` is told documents done."""
        encoder = encoder or minilm()
        batches = []
        for start in range(0, len(corpus), BATCH):
            batches.append(encoded(encoder, corpus[start : start + BATCH]))
            if watch is not None:
                watch(min(start + BATCH, len(corpus)))
        return cls(corpus, encoder, np.concatenate(batches))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the corpus and the vectors of some documents, rounded, which stand for the encoder."""
        probes = np.round(self.vectors[_probes(len(self.corpus))], 2) + 0.0  # no -0.0
        return hashlib.sha256(f"dense {self.corpus.digest}".encode() + probes.astype("<f4").tobytes()).hexdigest()

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The best `k` documents of each query, best first, ties in corpus order; fewer where there are fewer."""
        return [hits(ranking, self.corpus) for ranking in self.rank(queries, k)]

    def rank(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """As `search`, by places in the corpus."""
        check_k(k)
        if not queries:
            return []
        wanted = _matrix(self.encoder.encode(list(queries)), len(queries))
        if wanted.shape[1] != self.vectors.shape[1]:
            shapes = f"{wanted.shape[1]} dimensions and the index {self.vectors.shape[1]}"
            raise BadInput(f"The encoder's vectors have {shapes}; use the encoder that the index was made with.")
        return nearest_vectors(wanted, self.vectors, k)

    def check_encoder(self) -> None:
        """Encodes some documents again; raises `BadInput` where their vectors are not those of the index."""
        probes = _probes(len(self.corpus))
        again = encoded(self.encoder, [self.corpus[place] for place in probes])
        kept = self.vectors[probes]
        if again.shape != kept.shape or not np.allclose(again, kept, atol=1e-2 * max(1e-9, float(np.abs(kept).max()))):
            raise BadInput(
                "The index was made with another encoder (documents encoded again have other vectors); give that one, "
                "or make the index anew."
            )


def nearest_vectors(wanted: np.ndarray, vectors: np.ndarray, k: int) -> list[Ranking]:
    """The `k` rows of `vectors` (n, width) of highest inner product with each row of `wanted` (queries, width)."""
    needs_package("faiss", extra="retrieval", by="Searching with vectors")
    import faiss

    k = min(k, len(vectors))
    ask = min(k + 1, len(vectors))  # one more tells whether equal scores are cut apart
    scores, places = faiss.knn(wanted, vectors, ask, metric=faiss.METRIC_INNER_PRODUCT)
    rankings = []
    for query in range(len(wanted)):
        own, at, reach = scores[query], places[query], ask
        while reach < len(vectors) and own[k - 1] == own[-1]:
            reach = min(2 * reach, len(vectors))
            found = faiss.knn(wanted[query : query + 1], vectors, reach, metric=faiss.METRIC_INNER_PRODUCT)
            own, at = found[0][0], found[1][0]
        order = np.lexsort((at, -own))[:k]
        rankings.append(Ranking(at[order], own[order]))
    return rankings


def encoded(encoder: Encoder, documents: Sequence[Document]) -> np.ndarray:
    """The vectors of documents, (documents, width) float32. Raises `BadInput` for what is no finite matrix."""
    return _matrix(encoder.encode([searched(document) for document in documents]), len(documents))


def minilm() -> Encoder:
    """all-MiniLM-L6-v2, from the package with its weights."""
    from surefoot.models.encoders import SentenceEncoder

    return SentenceEncoder()


def _matrix(vectors: np.ndarray, rows: int) -> np.ndarray:
    made = np.ascontiguousarray(vectors, dtype=np.float32)
    if made.ndim != 2 or len(made) != rows or not np.isfinite(made).all():
        raise BadInput(
            f"The encoder gave an array of shape {made.shape} for {rows} texts, or values that are not finite; "
            "encode(texts) must give one finite vector a text."
        )
    return made


def _probes(documents: int) -> list[int]:
    """Places spread evenly over the corpus."""
    return sorted({i * (documents - 1) // (PROBES - 1) for i in range(PROBES)})
