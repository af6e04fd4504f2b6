"""Shards: the Parquet files of a run, each written once and whole.

A shard is named by the place of its rows in the run: `000007.parquet`, or `000001-000040.parquet` for one that was
merged from forty. A merged shard takes the place of every shard that its name covers, from the moment it is there, so a
reader never sees a row twice, wherever the merging was killed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from surefoot.errors import BadInput, nearest
from surefoot.runs.cells import Cells
from surefoot.runs.folder import Folder
from surefoot.runs.rows import CELL, ROW_SCHEMA

ROWS = "rows"
DAMAGED = "damaged"
MERGED_ROWS = 4096  # a merged shard is built in memory, so it has an upper size
MERGED_BYTES = 1 << 23
_OUTCOMES = ("right", "wrong", "unparsed")
_NAME = re.compile(r"(\d{6,})(?:-(\d{6,}))?\.parquet")


class Shard(NamedTuple):
    """A shard's name, with the first and the last of the numbers that it covers."""

    first: int
    last: int

    @property
    def name(self) -> str:
        """The file's place in the run folder."""
        numbers = f"{self.first:06d}" if self.first == self.last else f"{self.first:06d}-{self.last:06d}"
        return f"{ROWS}/{numbers}.parquet"

    def covers(self, other: Shard) -> bool:
        """Whether this shard was merged from the other one, among others."""
        return self != other and self.first <= other.first and other.last <= self.last


class Shards(NamedTuple):
    """The shards of a run in the order of their rows, and those that a merged one has taken the place of."""

    live: tuple[Shard, ...]
    superseded: tuple[Shard, ...]


def shards_of(names: Iterable[str]) -> Shards:
    """Sort the file names of a run's `rows` folder. Names that are not a shard's are passed over."""
    found = []
    for name in names:
        match = _NAME.fullmatch(name)
        if match:
            found.append(Shard(int(match[1]), int(match[2] or match[1])))
    superseded = tuple(sorted(shard for shard in found if any(other.covers(shard) for other in found)))
    return Shards(tuple(sorted(set(found) - set(superseded))), superseded)


def live_shards(folder: Folder) -> tuple[Shard, ...]:
    """The shards to read, listed twice alike: one listing may straddle a merging that goes on beside it."""
    before = None
    while before != (names := folder.names(ROWS)):
        before = names
    return shards_of(names).live


def table_of(rows: Sequence[Mapping[str, Any]], schema: pa.Schema = ROW_SCHEMA) -> pa.Table:
    """The rows as a table of the schema. Raises `BadInput` for a row that does not fit, naming the column."""
    names = frozenset(schema.names)
    for row in rows:
        unknown = next((key for key in row if key not in names), None)
        if unknown is not None:
            raise BadInput(f'A row has no column "{unknown}".{nearest(unknown, names)}')
        if "outcome" in names and row.get("outcome") not in _OUTCOMES:
            raise BadInput(f'"{row.get("outcome")}" is not an outcome; a row says one of {", ".join(_OUTCOMES)}.')
    columns = [_column(field, [row.get(field.name) for row in rows]) for field in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def write_shard(folder: Folder, shard: Shard, table: pa.Table) -> None:
    """Store the table whole under the shard's name. Raises `OutOfSpace`; then nothing of it is there."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    folder.write(shard.name, sink.getvalue())


def read_shard(folder: Folder, shard: Shard, schema: pa.Schema = ROW_SCHEMA) -> pa.Table:
    """The shard's table, every page checked. Raises `DamagedShard` if the file is not what was written.

    Errors of the disk or the network are passed on as they are: an intact shard is never taken for a damaged one
    because it could not be fetched.
    """
    data = folder.read(shard.name)
    try:
        file = pq.ParquetFile(pa.BufferReader(data), page_checksum_verification=True)
        if not file.schema_arrow.equals(schema):
            raise DamagedShard("it has other columns than a row")
        return file.read()
    except (pa.ArrowException, OSError, ValueError) as error:  # pyarrow reports broken pages as OSError
        raise DamagedShard("it is not a whole Parquet file") from error


class DamagedShard(Exception):
    """A shard that cannot be used, and why."""


def add_cells(table: pa.Table, cells: Cells) -> bool:
    """Put the table's cells into `cells`; False, and `cells` as it was, if one is there already or occurs twice."""
    new = list(zip(*(table.column(name).to_pylist() for name in CELL), strict=True))
    if len(set(new)) < len(new) or any(cell in cells for cell in new):
        return False
    for cell in new:
        cells.add(cell)
    return True


def set_aside(folder: Folder, shard: Shard) -> str:
    """Move a shard to the folder `damaged`, under a name that is free there, and give that name."""
    folder.make(DAMAGED)
    taken = set(folder.names(DAMAGED))
    base = shard.name.removeprefix(f"{ROWS}/")
    name = next(n for n in _numbered(base) if n not in taken)
    folder.move(shard.name, f"{DAMAGED}/{name}")
    return f"{DAMAGED}/{name}"


def merge_shards(folder: Folder, sizes: Mapping[Shard, int], schema: pa.Schema = ROW_SCHEMA) -> None:
    """Merge neighbouring shards, up to `MERGED_ROWS` rows and about `MERGED_BYTES` each.

    `sizes` has the rows of every live shard.

    A merged shard's name covers those of its sources, so from the moment that it is stored they are not read any more.
    They are removed by the next scan of the run, which first checks every page of the merged shard.
    """
    first = read_shard(folder, min(sizes), schema)
    most = min(MERGED_ROWS, MERGED_BYTES * first.num_rows // max(1, first.nbytes))
    for group in _groups(sizes, most):
        merged = Shard(group[0].first, group[-1].last)
        write_shard(folder, merged, pa.concat_tables(read_shard(folder, shard, schema) for shard in group))


def _groups(sizes: Mapping[Shard, int], most: int) -> Iterator[list[Shard]]:
    group: list[Shard] = []
    total = 0
    for shard in sorted(sizes):
        if group and total + sizes[shard] > most:
            if len(group) > 1:
                yield group
            group, total = [], 0
        group.append(shard)
        total += sizes[shard]
    if len(group) > 1:
        yield group


def _column(field: pa.Field, values: list[Any]) -> pa.Array:
    try:
        column = pa.array(values, type=field.type)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(f'The column "{field.name}" takes values of type {field.type}: {reason}.') from None
    if column.null_count and not field.nullable:
        raise BadInput(f'A row lacks "{field.name}", which every row must have.')
    return column


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}.{number}"
        number += 1
