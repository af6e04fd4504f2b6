"""The rows of one run, read when they are asked for and no further."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from surefoot.runs.read import columns_of, count_rows, distinct, read_rows, scan_rows


class Rows:
    """Rows in a run folder, or in memory: `Rows("runs/x")`, `Rows(table)`.

    What is made of rows asks for the columns and the rows that it needs, one task at a time, so that its memory does
    not grow with the run.
    """

    def __init__(self, source: pa.Table | str) -> None:
        self._source = source

    @property
    def path(self) -> str | None:
        """The run folder; None for rows in memory."""
        return self._source if isinstance(self._source, str) else None

    @classmethod
    def of(cls, rows: Self | pa.Table) -> Self:
        """The rows, where they are a table yet."""
        return rows if isinstance(rows, cls) else cls(rows)

    def select(self, columns: Sequence[str], where: pc.Expression | None = None, limit: int | None = None) -> pa.Table:
        """These columns of the rows for which `where` holds, the first `limit` of them."""
        if isinstance(self._source, str):
            return scan_rows(self._source, columns, where, limit)
        found = self._source if where is None else self._source.filter(where)
        return found.select(list(columns)).slice(0, limit)

    def table(self) -> pa.Table:
        """All rows with all columns."""
        return read_rows(self._source) if isinstance(self._source, str) else self._source

    def has(self, *columns: str) -> bool:
        """Whether the rows have all of these columns; a run of an earlier version may not."""
        known = columns_of(self._source) if isinstance(self._source, str) else self._source.column_names
        return set(columns) <= set(known)

    @cached_property
    def count(self) -> int:
        """How many there are, rechecks among them, when this is first asked."""
        return count_rows(self._source) if isinstance(self._source, str) else int(self._source.num_rows)

    def names(self, column: str, where: pc.Expression | None = None) -> list[str]:
        """The distinct values of a text column, in the order in which they first stand."""
        if isinstance(self._source, str):
            return distinct(self._source, column, where)
        return [str(name) for name in pc.unique(self.select([column], where)[column]).to_pylist()]
