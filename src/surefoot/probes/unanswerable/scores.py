"""Scores of a question with its passages: how likely it looks, without a language model, that one of them answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from surefoot.retrieval.retriever import Document
from surefoot.retrieval.terms import terms
from surefoot.text.prompt import Prompt

if TYPE_CHECKING:
    import numpy as np

    from surefoot.retrieval.bm25 import BM25


class Asked(NamedTuple):
    """A question and its passages as they are shown, `Title: text`."""

    question: str
    passages: tuple[str, ...]


def asked_of(fields: Mapping[str, str]) -> Asked:
    """The question and passages of an item's fields."""
    return Asked(fields["question"], passages_in(fields["contexts"]))


def asked_in(prompt: Prompt) -> Asked:
    """The question and passages in a prompt; where the question stands twice, it counts once."""
    texts = [(part.role, part.text) for part in prompt if not part.heading]
    question = next((text for role, text in texts if role == "input"), "")
    return Asked(question, passages_in("".join(text for role, text in texts if role == "context")))


def passages_in(contexts: str) -> tuple[str, ...]:
    """The passages of a text `[1] ...`, blank line, `[2] ...`: each begins at the next number in order."""
    found, rest = [], contexts.removeprefix("[1] ")
    for number in range(2, contexts.count("\n\n[") + 3):
        one, mark, rest = rest.partition(f"\n\n[{number}] ")
        found.append(one)
        if not mark:
            break
    return tuple(found)


def chance(asked: Asked) -> float:
    """Uniform in 0..1, from a hash of question and passages."""
    return int(hashlib.sha256("\n".join((asked.question, *asked.passages)).encode()).hexdigest()[:12], 16) / 16**12


def overlap(asked: Asked) -> float:
    """The largest share of the question's terms that stand in one passage."""
    wanted = _terms(asked.question)
    return max(len(wanted & _terms(passage)) for passage in asked.passages) / max(1, len(wanted))


@dataclass(frozen=True)
class BM25Score:
    """The largest BM25 score of a passage, with the statistics of all passages shown anywhere; 0 without a match."""

    index: BM25
    places: Mapping[str, int]

    @classmethod
    def of(cls, asked: Sequence[Asked]) -> BM25Score:
        """Over the distinct passages of these questions. Needs the extra `retrieval`."""
        from surefoot.retrieval.bm25 import BM25
        from surefoot.retrieval.corpus import Corpus

        texts = dict.fromkeys(passage for one in asked for passage in one.passages)
        documents = [Document(str(place), "", text) for place, text in enumerate(texts)]
        return cls(BM25.of(Corpus.of(documents)), {text: place for place, text in enumerate(texts)})

    def __call__(self, asked: Asked) -> float:
        scores = self.index.scores(asked.question)
        return max((float(scores[self.places[one]]) for one in asked.passages if one in self.places), default=0.0)


@dataclass(frozen=True)
class Similarity:
    """The largest cosine of the question with a passage under all-MiniLM-L6-v2."""

    vectors: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, asked: Sequence[Asked]) -> Similarity:
        """Encodes every text of these questions once. Needs the encoder's package."""
        from surefoot.models.encoders import SentenceEncoder

        texts = list(dict.fromkeys(text for one in asked for text in (one.question, *one.passages)))
        return cls(dict(zip(texts, SentenceEncoder().encode(texts), strict=True)))

    def __call__(self, asked: Asked) -> float:
        question = self.vectors[asked.question]
        return max(float(question @ self.vectors[passage]) for passage in asked.passages)


@lru_cache(maxsize=10_000)
def _terms(text: str) -> frozenset[str]:
    return frozenset(terms(text))
