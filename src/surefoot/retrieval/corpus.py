"""A corpus: documents with unique ids in a fixed order, told apart by a digest of all that they say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from surefoot.errors import BadInput
from surefoot.retrieval.corpus_files import Placed, stream
from surefoot.retrieval.retriever import Document

BATCH = 10_000  # documents that are held as objects while a file is read

Watch = Callable[[int], None]


@dataclass(frozen=True)
class Corpus(Sequence[Document]):
    """A sequence of documents; `digest` is the SHA-256 over ids, titles and texts in order, wherever they came from.

    A corpus from a file is an Arrow table (id, title, text), in memory or mapped from disk: a document becomes an
    object when it is asked for.
    """

    documents: Sequence[Document]
    digest: str

    @classmethod
    def of(cls, documents: Sequence[Document]) -> Corpus:
        """The corpus of documents that are there, or computed when asked for: they are read once, and not copied.

        Raises `BadInput` for no documents at all, an id that comes twice, or text that is no valid Unicode.
        """
        checked = Checks("The corpus")
        for number, document in enumerate(documents, start=1):
            checked.add(Placed(f"document {number}", document))
        return cls(documents, checked.digest())

    @classmethod
    def read(cls, path: str | Path, *, keep: str | Path | None = None, watch: Watch | None = None) -> Corpus:
        """The corpus in a file: JSON Lines (`.jsonl`, also `.gz`) or Parquet, with `id`, `text` and perhaps `title`.

        The file is read once, in pieces. `keep` names an Arrow file that is written on the way and mapped into memory
        instead of held there; `watch` is told the number of documents now and then. Raises `BadInput` with the line
        where one cannot be read, for an id that comes twice, and for a file without documents.
        """
        from surefoot.retrieval.table import Table, held, kept

        checks = Checks(f'"{path}"')
        batches = _batches(_checked(stream(Path(path)), checks), watch)
        table: Table = held(batches) if keep is None else kept(batches, Path(keep))
        return cls(table, checks.digest())

    def __len__(self) -> int:
        return len(self.documents)

    @overload
    def __getitem__(self, index: int) -> Document: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Document]: ...

    def __getitem__(self, index: Any) -> Any:
        return self.documents[index]

    def __iter__(self) -> Iterator[Document]:
        return iter(self.documents)


def searched(document: Document) -> str:
    """What of a document is searched: title and text."""
    return f"{document.title}\n{document.text}" if document.title else document.text


class Checks:
    """What is refused in a corpus, and the digest of what is not, in one pass."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.numbers: dict[bytes, int] = {}
        self.hash = hashlib.sha256()

    def add(self, placed: Placed) -> None:
        """Takes one more document; raises `BadInput` where its id was there or its text is no valid Unicode."""
        try:
            id, *rest = (part.encode("utf-8") for part in placed.document)
        except UnicodeEncodeError as error:
            raise BadInput(
                f"{placed.where}: half a character ({error.object[error.start]!r}); write it whole."
            ) from None
        number = len(self.numbers) + 1
        before = self.numbers.setdefault(id, number)
        if before != number:
            again = f'the id "{placed.document.id}" is also that of document {before}'
            raise BadInput(f"{placed.where}: {again}; give each its own.")
        self.hash.update(b"".join(b"%d:%b" % (len(part), part) for part in (id, *rest)))

    def digest(self) -> str:
        """The digest of all; raises `BadInput` where there was no document."""
        if not self.numbers:
            raise BadInput(f'{self.name} holds no documents; give at least one with "id" and "text".')
        return self.hash.hexdigest()


def _checked(placed: Iterable[Placed], checks: Checks) -> Iterator[Document]:
    for one in placed:
        checks.add(one)
        yield one.document


def _batches(documents: Iterable[Document], watch: Watch | None) -> Iterator[list[Document]]:
    batch: list[Document] = []
    done = 0
    for document in documents:
        batch.append(document)
        if len(batch) == BATCH:
            yield batch
            done, batch = done + len(batch), []
            if watch is not None:
                watch(done)
    if batch:
        yield batch
        if watch is not None:
            watch(done + len(batch))
