"""Similarity of two texts token by token, as BERTScore has it.

Formula: with unit vectors x_i of the one text's tokens and y_j of the other's,
R = mean_i max_j x_i . y_j, P = mean_j max_i x_i . y_j, F = 2 P R / (P + R).
Source: Zhang et al. 2020, BERTScore (arXiv:1904.09675), section 3, without importance weights and rescaling. The
vectors are those of the last layer of the encoder given; special tokens are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from surefoot.probes.context_preference.similarity import Similarities
from surefoot.probes.context_preference.splitting import sentences_of
from surefoot.probes.context_preference.units import Texts


class TokenEncoder(Protocol):
    def token_vectors(self, texts: Sequence[str]) -> Sequence[np.ndarray]:
        """For each text the unit vectors of its tokens, shape (tokens, width)."""
        ...


def greedy_match(one: np.ndarray, other: np.ndarray) -> float:
    """F of two texts' token vectors, (m, width) and (n, width); 0 where either has none or P + R is not positive."""
    if not (len(one) and len(other)):
        return 0.0
    cosines = one @ other.T
    recall, precision = float(cosines.max(axis=1).mean()), float(cosines.max(axis=0).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def token_matching(texts: Mapping[str, Texts], encoder: TokenEncoder) -> Similarities:
    """For each question the best match with a sentence of either context. Each text is encoded once."""
    sentences = {text: sentences_of(text) for one in texts.values() for text in (one.retrieved, one.generated)}
    questions = (one.question for one in texts.values())
    every = list(dict.fromkeys([*questions, *(part for parts in sentences.values() for part in parts)]))
    vectors = dict(zip(every, encoder.token_vectors(every), strict=True)) if every else {}

    def best(question: str, context: str) -> float:
        return max((greedy_match(vectors[question], vectors[part]) for part in sentences[context]), default=0.0)

    return {id: (best(one.question, one.retrieved), best(one.question, one.generated)) for id, one in texts.items()}
