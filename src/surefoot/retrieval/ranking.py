"""From scores to ranks: the best k with ties in corpus order, and rankings put together."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from surefoot.errors import BadInput
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Hit


class Ranking(NamedTuple):
    """Places in the corpus, best first, and their scores: (k',) int64 and (k',) float."""

    places: np.ndarray
    scores: np.ndarray


def best(scores: np.ndarray, k: int, places: np.ndarray | None = None) -> Ranking:
    """The `k` highest of `scores` (n,), ties by place; `places` (n,), ascending, says which place each belongs to."""
    found = _highest(scores, k)
    found = found[np.argsort(-scores[found], kind="stable")]
    return Ranking(found if places is None else places[found], scores[found])


def _highest(scores: np.ndarray, k: int) -> np.ndarray:
    """Indices of the `k` highest scores in ascending order; of equal ones at the edge, the first."""
    if k >= len(scores):
        return np.arange(len(scores))
    edge = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > edge)
    return np.sort(np.concatenate([above, np.flatnonzero(scores == edge)[: k - len(above)]]))


def hits(ranking: Ranking, corpus: Corpus) -> list[Hit]:
    """The documents of a ranking with their scores."""
    pairs = zip(ranking.places.tolist(), ranking.scores.tolist(), strict=True)
    return [Hit(corpus[place], score) for place, score in pairs]


def check_k(k: int) -> None:
    """Refuses to look for less than one document."""
    if k < 1:
        raise BadInput(f"k is {k}; look for 1 document or more.")
