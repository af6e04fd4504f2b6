"""Rankings of several retrievers put together, by ranks or by scores.

With the first `depth` documents of each member i and its weight w_i:
    reciprocal-rank:  score(d) = sum_i w_i / (60 + rank_i(d)), ranks from 1 (Cormack et al. 2009)
    weighted:         score(d) = sum_i w_i (s_i(d) - min_i) / (max_i - min_i), min and max over what i found
A document that a member has not found gets nothing from it; where all that it found score the same, each gets 1. Ranks
need no comparable scores; scores keep how sure a member is. Relations: `BM25` for rare words and names, `Dense` for
other words of the same meaning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from surefoot.errors import BadInput, nearest
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.ranking import Ranking, best, check_k, hits
from surefoot.retrieval.retriever import Hit, Retriever

FUSIONS = ("reciprocal-rank", "weighted")
CONSTANT = 60  # of reciprocal ranks


class Ranker(Retriever, Protocol):
    """A retriever that gives places in its corpus; `BM25`, `Dense` and `Hybrid` are ones."""

    @property
    def corpus(self) -> Corpus: ...

    def rank(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """The best `k` of each query as places and scores, best first."""
        ...


@dataclass(frozen=True)
class Hybrid:
    """A retriever over the common corpus of its members; `weights` are 1 each by default.

    Raises `BadInput` for no members, members over different corpora, an unknown fusion, or weights that do not fit.
    """

    members: tuple[Ranker, ...]
    fusion: str = "reciprocal-rank"
    weights: tuple[float, ...] = ()
    depth: int = 100

    def __post_init__(self) -> None:
        if not self.members:
            raise BadInput("A hybrid retriever has no members; give at least one, such as BM25.of(corpus).")
        if len({member.corpus.digest for member in self.members}) > 1:
            raise BadInput("The members of a hybrid retriever search different corpora; index the same one with each.")
        check_fusion(self.fusion)
        if self.weights and len(self.weights) != len(self.members):
            raise BadInput(f"{len(self.weights)} weights for {len(self.members)} members; give one each.")
        if any(not 0 <= weight < float("inf") for weight in self.weights) or (self.weights and not any(self.weights)):
            raise BadInput(f"The weights are {self.weights}; give 0 or more, and not 0 to all.")
        if self.depth < 1:
            raise BadInput(f"depth is {self.depth}; look at 1 document of each member or more.")

    @property
    def corpus(self) -> Corpus:
        """What all members search."""
        return self.members[0].corpus

    @property
    def digest(self) -> str:
        """SHA-256 over the members and how they are put together."""
        parts = (self.fusion, *self._weights(), self.depth, *(member.digest for member in self.members))
        return hashlib.sha256(" ".join(map(str, ("hybrid", *parts))).encode()).hexdigest()

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The best `k` of what the members find, best first, ties in corpus order."""
        return [hits(ranking, self.corpus) for ranking in self.rank(queries, k)]

    def rank(self, queries: Sequence[str], k: int) -> list[Ranking]:
        """As `search`, by places in the corpus. Members are asked for `depth` documents, or `k` where that is more."""
        check_k(k)
        found = [member.rank(queries, max(k, self.depth)) for member in self.members]
        return [self._fused(rankings, k) for rankings in zip(*found, strict=True)]

    def _fused(self, rankings: Sequence[Ranking], k: int) -> Ranking:
        shares = [
            weight * (reciprocal(ranking) if self.fusion == "reciprocal-rank" else scaled(ranking))
            for weight, ranking in zip(self._weights(), rankings, strict=True)
        ]
        places, inverse = np.unique(np.concatenate([ranking.places for ranking in rankings]), return_inverse=True)
        scores = np.bincount(inverse, weights=np.concatenate(shares), minlength=len(places))
        return best(scores, k, places)

    def _weights(self) -> tuple[float, ...]:
        return tuple(map(float, self.weights)) or (1.0,) * len(self.members)


def check_fusion(fusion: str) -> None:
    """Refuses a fusion that is not known, naming the nearest."""
    if fusion not in FUSIONS:
        raise BadInput(f'There is no fusion "{fusion}".{nearest(fusion, FUSIONS)}')


def reciprocal(ranking: Ranking) -> np.ndarray:
    """1 / (60 + rank) of each document found, ranks from 1."""
    return 1.0 / (CONSTANT + np.arange(1, len(ranking.places) + 1))


def scaled(ranking: Ranking) -> np.ndarray:
    """The scores from 0 for the last document found to 1 for the first; 1 where all are equal."""
    scores = ranking.scores.astype(np.float64)
    if not len(scores) or scores.max() == scores.min():
        return np.ones(len(scores))
    share: np.ndarray = (scores - scores.min()) / (scores.max() - scores.min())
    return share
