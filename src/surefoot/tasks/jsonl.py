"""JSON Lines, JSON and tab-separated files, read so that a mistake is reported with its file and line."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from surefoot.errors import BadInput, nearest


class Line(NamedTuple):
    """One record and where it stands, for messages: `where` is `file.jsonl, line 7`."""

    where: str
    record: dict[str, Any]


def read_text(path: Path) -> str:
    """The file's text (UTF-8; `.gz` is unpacked). Raises `BadInput` where there is no such file or it is not UTF-8."""
    if not path.is_file():
        there = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise BadInput(f'There is no file "{path}".{nearest(path.name, there) if there else ""}')
    try:
        raw = path.read_bytes()
        return (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f'"{path}" is not UTF-8 text (byte {error.start}); save it as UTF-8.') from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise BadInput(f'"{path}" cannot be unpacked ({error}); is it cut short?') from None


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises `BadInput` with the line of the mistake."""
    try:
        value = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise BadInput(f"{path}, line {error.lineno}: not JSON ({error.msg}).") from None
    if not isinstance(value, dict):
        raise BadInput(f"{path} holds no JSON object; write {{...}}.")
    return value


def read_jsonl(path: Path) -> tuple[Line, ...]:
    """The records of a JSON Lines file; blank lines are skipped.

    Raises `BadInput` that names file and line where a line is not a JSON object.
    """
    lines = []
    for number, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        where = f"{path}, line {number}"
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            raise BadInput(f"{where}: not JSON ({error.msg} at column {error.colno}).") from None
        if not isinstance(record, dict):
            raise BadInput(f"{where}: not a JSON object; write one {{...}} a line.")
        lines.append(Line(where, record))
    return tuple(lines)


class Values(NamedTuple):
    """One line of a table without a header and where it stands."""

    where: str
    values: tuple[str, ...]


def read_tsv(path: Path, columns: Sequence[str]) -> tuple[Values, ...]:
    """The lines of a file of tab-separated values without quotes; blank lines are skipped.

    Raises `BadInput` that names file and line where a line has another number of values than `columns` or an empty one.
    """
    lines = []
    for number, text in enumerate(read_text(path).split("\n"), start=1):
        if not text.strip():
            continue
        values = tuple(value.strip() for value in text.rstrip("\r").split("\t"))
        if len(values) != len(columns) or not all(values):
            raise BadInput(f"{path}, line {number}: write {', '.join(columns)} with a tab between two.")
        lines.append(Values(f"{path}, line {number}", values))
    return tuple(lines)


def refuse_unknown(record: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    """Raises `BadInput` for the first key that is not among `known`, naming the nearest."""
    names = set(known)
    for key in record:
        if key not in names:
            raise BadInput(f'{where}: unknown key "{key}".{nearest(key, names)}')


def as_text(value: Any, name: str, where: str) -> str:
    """A string, or a number written as one. Raises `BadInput` for anything else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadInput(f'{where}: "{name}" is {json.dumps(value)[:40]}, which is not text.')
    return str(value)


def as_texts(value: Any, name: str, where: str) -> tuple[str, ...]:
    """A list of texts. Raises `BadInput` for anything else."""
    if not isinstance(value, list | tuple):
        raise BadInput(f'{where}: "{name}" is {json.dumps(value)[:40]}, which is not a list; write ["...", "..."].')
    return tuple(as_text(item, name, where) for item in value)
