"""What is found for questions and for the steps of their decompositions: each query once, all in one batch.

Source: Geva et al. 2021 (TACL, StrategyQA), section 5: IR-Q searches with the question, IR-D with each step of a
predicted decomposition and IR-ORA-D with each of the gold one; the hits of all steps together are sorted by score, a
document is kept where it stands first, and the first ten are read. Their queries drop English stop words, here a
setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from surefoot.questions.decomposition import REFERENCE
from surefoot.questions.measures import FUNCTION_WORDS
from surefoot.retrieval.retriever import Document, Hit, Retriever
from surefoot.text.words import words_of

FOUND = 10  # documents that are searched for a query, and kept of all steps


@dataclass(frozen=True)
class Searched:
    """The hits of queries, by query; `content_only` is what `query_of` was given."""

    hits: Mapping[str, Sequence[Hit]]
    content_only: bool = False

    @classmethod
    def of(cls, retriever: Retriever, texts: Iterable[str], content_only: bool = False, k: int = FOUND) -> Searched:
        """The best `k` documents of every text, searched in one batch; none for a text without a word."""
        queries = list(dict.fromkeys(filter(None, (query_of(text, content_only) for text in texts))))
        found = retriever.search(queries, k) if queries else []
        return cls(dict(zip(queries, found, strict=True)), content_only)

    def best(self, text: str) -> list[Document]:
        """What one text finds, best first."""
        return [hit.document for hit in self._hits(text)]

    def pooled(self, texts: Sequence[str], k: int = FOUND) -> list[Document]:
        """The hits of all texts together, best score first, each document once, the first `k`; ties in their order."""
        ranked = sorted((hit for text in texts for hit in self._hits(text)), key=lambda hit: -hit.score)
        return list({hit.document.id: hit.document for hit in ranked}.values())[:k]

    def _hits(self, text: str) -> Sequence[Hit]:
        return self.hits.get(query_of(text, self.content_only), ())


def query_of(text: str, content_only: bool = False) -> str:
    """A question or step as a query: without unfilled references, and with `content_only` without function words.

    >>> query_of("Was #1 born before the war?", content_only=True)
    'born war'
    """
    bare = REFERENCE.sub(" ", text)
    if content_only:
        return " ".join(word for word in words_of(bare) if word not in FUNCTION_WORDS)
    return text if bare == text else " ".join(bare.split())
