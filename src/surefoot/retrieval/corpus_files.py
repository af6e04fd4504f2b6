"""Files of documents, read a line or a batch at a time; a mistake is reported with its line or row."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from surefoot.errors import BadInput, nearest
from surefoot.retrieval.retriever import Document

SUFFIXES = (".jsonl", ".jsonl.gz", ".parquet")


class Placed(NamedTuple):
    """A document and where it stands, for messages: `corpus.jsonl, line 7`."""

    where: str
    document: Document


def stream(path: Path) -> Iterator[Placed]:
    """The documents of a file in its order. Raises `BadInput` for a file of another kind or that is not there."""
    if not path.is_file():
        there = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        raise BadInput(f'There is no file "{path}".{nearest(path.name, there) if there else ""}')
    if path.name.endswith(".parquet"):
        return _parquet(path)
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        return _lines(path)
    raise BadInput(f'"{path}" is no corpus; give a file that ends in {", ".join(SUFFIXES)}.')


def _lines(path: Path) -> Iterator[Placed]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        number = 0
        try:
            for number, raw in enumerate(file, start=1):
                if raw.strip():
                    where = f"{path}, line {number}"
                    yield Placed(where, _document(_record(raw, where), where))
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BadInput(f'"{path}" cannot be unpacked behind line {number} ({error}); is it cut short?') from None


def _record(raw: bytes, where: str) -> Mapping[str, Any]:
    try:
        record = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise BadInput(f"{where}: not UTF-8 text (byte {error.start} of the line); save the file as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise BadInput(f"{where}: not JSON ({error.msg} at column {error.colno}).") from None
    if not isinstance(record, dict):
        raise BadInput(f'{where}: not a JSON object; write {{"id": ..., "text": ...}}, one a line.')
    return record


def _parquet(path: Path) -> Iterator[Placed]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        columns = [name for name in Document._fields if name in file.schema_arrow.names]
        for name in ("id", "text"):
            if name not in columns:
                raise BadInput(f'"{path}" has no column "{name}".{nearest(name, file.schema_arrow.names)}')
        number = 0
        for batch in file.iter_batches(batch_size=10_000, columns=columns):
            for record in batch.to_pylist():
                number += 1
                where = f"{path}, row {number}"
                yield Placed(where, _document(record, where))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise BadInput(f'"{path}" cannot be read as Parquet ({str(error).splitlines()[0]}).') from None


def _document(record: Mapping[str, Any], where: str) -> Document:
    for name in ("id", "text"):
        if record.get(name) is None:
            raise BadInput(f'{where}: no "{name}".{nearest(name, record)}')
    return Document(*(_text(record.get(name), name, where) for name in Document._fields))


def _text(value: Any, name: str, where: str) -> str:
    """A string, or an id that is a whole number; a title may be missing."""
    if isinstance(value, str):
        return value
    if name == "title" and value is None:
        return ""
    if name == "id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise BadInput(f'{where}: "{name}" is {json.dumps(value, default=str)[:40]}, which is not text.')
