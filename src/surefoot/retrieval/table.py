"""Documents as an Arrow table, in memory or mapped from a file: what a corpus read from disk is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import pyarrow as pa

from surefoot.retrieval.retriever import Document

SCHEMA = pa.schema([(name, pa.large_string()) for name in Document._fields])


class Table(Sequence[Document]):
    """A sequence of documents over the columns of `table`."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.columns = [table[name] for name in Document._fields]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @overload
    def __getitem__(self, index: int) -> Document: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Document]: ...

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return list(self.part(start, max(0, stop - start)))
            return [self[i] for i in range(start, stop, step)]
        return Document(*(column[index].as_py() for column in self.columns))

    def part(self, start: int, length: int) -> Table:
        """A stretch of the documents, without a copy."""
        return Table(self.table.slice(start, length))

    def __iter__(self) -> Iterator[Document]:
        for batch in self.table.to_batches():
            yield from map(Document._make, zip(*(column.to_pylist() for column in batch.columns), strict=True))


def held(batches: Iterable[Sequence[Document]]) -> Table:
    """The documents of all batches, in memory."""
    return Table(pa.Table.from_batches(map(_batch, batches), SCHEMA))


def kept(batches: Iterable[Sequence[Document]], path: Path) -> Table:
    """The documents of all batches, written to an Arrow file and mapped from there."""
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, SCHEMA) as writer:
        for batch in batches:
            writer.write_batch(_batch(batch))
    return mapped(path)


def mapped(path: Path) -> Table:
    """The documents of an Arrow file, of which only what is asked for comes into memory."""
    return Table(pa.ipc.open_file(pa.memory_map(str(path))).read_all())


def _batch(documents: Sequence[Document]) -> pa.RecordBatch:
    return pa.record_batch([list(column) for column in zip(*documents, strict=True)], schema=SCHEMA)
