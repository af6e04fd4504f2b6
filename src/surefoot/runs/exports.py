"""A run's rows as one file for other programs."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from surefoot.errors import BadInput, nearest
from surefoot.runs.derived import Joined, joined
from surefoot.runs.folder import Folder, split
from surefoot.runs.read import dataset_of, name_damage
from surefoot.runs.record import load_record

_BATCH = 4096  # rows in memory at a time


def export(run_path: str | os.PathLike[str], to: str | os.PathLike[str], format: str | None = None) -> int:
    """Write a run's rows, with the column `run`, to one file, and give their number.

    `format` is `parquet`, `csv` or `jsonl`; None takes it from the ending of `to`. In CSV every text is quoted, so that
    line breaks, quotes and the difference between an empty text (`""`) and none (nothing) survive; a list is a JSON
    list there. JSON has no infinities, so they are the texts `"Infinity"`, `"-Infinity"` and `"NaN"`. Columns that were
    derived afterwards (`surefoot.runs.derived`) stand behind the run's own.
    The file appears whole or not at all. Raises `BadInput`, `OutOfSpace`. Cost: streams; memory does not grow.
    """
    folder, name = split(to)
    write = _WRITERS.get(format or name.rpartition(".")[2])
    if write is None:
        asked = format or name
        raise BadInput(f'"{asked}" is not an export format.{nearest(asked, _WRITERS)}')
    source = Folder(run_path)
    load_record(source)
    dataset = dataset_of([source])
    folder.make()
    with folder.create(name) as file:
        try:
            write(joined(source, dataset.schema, _gather(dataset.to_batches(batch_size=_BATCH))), file)
        except (pa.ArrowException, OSError):
            name_damage([source])
            raise
    return int(dataset.count_rows())


def _gather(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of `_BATCH` or a little more, whatever the size of the shards."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(one.num_rows for one in held) >= _BATCH:
            yield pa.concat_batches(held)
            held = []
    if held:
        yield pa.concat_batches(held)


def _write_parquet(rows: Joined, file: IO[bytes]) -> None:
    with pq.ParquetWriter(file, rows.schema, compression="zstd") as writer:
        for batch in rows.batches:
            writer.write_batch(batch)


def _write_csv(rows: Joined, file: IO[bytes]) -> None:
    lists = [pa.types.is_list(field.type) for field in rows.schema]
    fields = [pa.field(f.name, pa.string()) if is_list else f for f, is_list in zip(rows.schema, lists, strict=True)]
    schema = pa.schema(fields)
    with pa_csv.CSVWriter(file, schema) as writer:
        for batch in rows.batches:
            columns = [_as_json(c) if is_list else c for c, is_list in zip(batch.columns, lists, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))


def _as_json(column: pa.Array) -> pa.Array:
    return pa.array([None if v is None else json.dumps(_plain(v)) for v in column.to_pylist()], pa.string())


def _write_jsonl(rows: Joined, file: IO[bytes]) -> None:
    for batch in rows.batches:
        for row in batch.to_pylist():
            line = json.dumps({key: _plain(value) for key, value in row.items()}, ensure_ascii=False, allow_nan=False)
            file.write(line.encode() + b"\n")


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


_WRITERS: Mapping[str, Callable[[Joined, IO[bytes]], None]] = {
    "parquet": _write_parquet,
    "csv": _write_csv,
    "jsonl": _write_jsonl,
}
