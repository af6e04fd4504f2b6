"""Works: texts whose reproduction is measured, each with its licence and where it comes from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path
from typing import Any

from surefoot.errors import BadInput
from surefoot.tasks.jsonl import Line, as_text, read_jsonl, read_text, refuse_unknown

BUNDLED = Path(__file__).with_name("works.jsonl")
UNSEEN = "unseen"
KEYS = ("id", "title", "text", "author", "group", "licence", "source", "popularity")
GROUP = "works"


@dataclass(frozen=True)
class Work:
    """A text. `popularity` holds numbers by name (editions, reviews, rank). `group` sorts works in the report; works of
    the group `unseen` are known to be in no training data."""

    id: str
    title: str
    text: str
    licence: str = ""
    source: str = ""
    author: str = ""
    group: str = GROUP
    popularity: Mapping[str, float] = field(default_factory=dict)


def read_works(place: str | Path | None = None, *, unlicensed: bool = False) -> tuple[Work, ...]:
    """The works of a `.jsonl`, `.csv` or `.txt` file, or of a folder of text files; without a place the bundled ones.

    JSON Lines and CSV have the columns id, title, text, licence, source and, if there are any, author and group; JSON
    has popularity as an object of numbers, CSV as columns such as `popularity_editions`, empty where unknown. A text
    file is one work, titled as its name; beside it, `NAME.licence` holds two lines, licence and source. A work without
    either is refused unless `unlicensed`: whose text it is must be known before it is copied into prompts and rows.

    Raises `BadInput` that names file and line.
    """
    path = BUNDLED if place is None else Path(place)
    works = tuple(_read(path))
    if not works:
        raise BadInput(f'"{path}" holds no works; give at least one.')
    twice = _twice([work.id for work in works])
    if twice is not None:
        raise BadInput(f'Two works of "{path}" have the id "{twice}"; rename one.')
    lacking = next((work for work in works if not (work.licence.strip() and work.source.strip())), None)
    if lacking is not None and not unlicensed:
        what = "licence" if not lacking.licence.strip() else "source"
        raise BadInput(
            f'The work "{lacking.id}" of "{path}" states no {what}; write down licence and source of every work, or '
            "say that you have the right to use it: unlicensed=true."
        )
    return works


def _read(path: Path) -> Iterator[Work]:
    if path.is_dir():
        for file in sorted(path.glob("*.txt")):
            yield _plain(file)
    elif path.suffix == ".txt":
        yield _plain(path)
    elif path.suffix == ".csv":
        for number, record in enumerate(csv.DictReader(io.StringIO(read_text(path), newline="")), start=2):
            yield _work(Line(f"{path}, line {number}", _nested(record, f"{path}, line {number}")))
    elif path.name.endswith((".jsonl", ".jsonl.gz")):
        for line in read_jsonl(path):
            yield _work(line)
    else:
        read_text(path)  # says so where there is no such file
        raise BadInput(f'"{path}" is no file of works; give a .jsonl, .csv or .txt file, or a folder of .txt files.')


def _plain(file: Path) -> Work:
    told = file.with_suffix(".licence")
    lines = [*(read_text(told).splitlines() if told.is_file() else ()), "", ""]
    return _checked(Work(file.stem, file.stem.replace("_", " "), read_text(file), lines[0], lines[1]), str(file))


def _work(line: Line) -> Work:
    where, record = line
    refuse_unknown(record, KEYS, where)
    for key in ("id", "text"):
        if key not in record:
            raise BadInput(f'{where}: a work needs "{key}".')
    texts = {key: as_text(record[key], key, where) for key in KEYS[:-1] if record.get(key) is not None}
    popularity = record.get("popularity") or {}
    if not isinstance(popularity, dict):
        raise BadInput(f'{where}: "popularity" is no object; write {{"editions": 12}}.')
    numbers = {name: _number(value, name, where) for name, value in popularity.items()}
    return _checked(Work(**{"title": texts["id"], "group": GROUP, **texts}, popularity=numbers), where)


def _nested(record: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A line of a CSV file with its popularity columns gathered."""
    if None in record:
        raise BadInput(f"{where}: more cells than columns; quote texts that hold commas.")
    plain = {key: value for key, value in record.items() if value and not _counts(key)}
    popularity = {key.removeprefix("popularity_"): value for key, value in record.items() if value and _counts(key)}
    return {**plain, "popularity": popularity}


def _counts(column: str) -> bool:
    return column == "popularity" or column.startswith("popularity_")


def _number(value: Any, name: str, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = nan
    if not isfinite(number):
        raise BadInput(f'{where}: the popularity "{name}" is {value!r}, which is no number; leave unknown ones empty.')
    return number


def _checked(work: Work, where: str) -> Work:
    if not work.text.strip():
        raise BadInput(f'{where}: the work "{work.id}" has no text.')
    return work


def _twice(ids: Sequence[str]) -> str | None:
    return next((id for place, id in enumerate(ids) if id in ids[:place]), None)
