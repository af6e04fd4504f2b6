"""What is searched and what a search gives; every index has this interface, whatever it ranks by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Document(NamedTuple):
    """One passage of a corpus; ids are unique in it, and the title may be empty."""

    id: str
    title: str
    text: str


class Hit(NamedTuple):
    """A document that was found, and its score under the index: higher is better, 0 or less may mean no match."""

    document: Document
    score: float


class Retriever(Protocol):
    """Ranks the documents of a corpus by queries.

    `digest` identifies corpus and settings, so that a run record tells two indexes apart.
    """

    @property
    def digest(self) -> str: ...

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """The best `k` documents of each query, best first, ties in corpus order; fewer where there are fewer."""
        ...
