"""Annotation sheets: CSV that spreadsheet programs open, one passage of one question a line.

Columns: `key`, `query_id`, `lang`, `query`, `docid`, `title`, `text`, `relevance` (empty, for the annotator: 1 if the
passage answers the question, else 0), `note` (free). Passages of a question stand in an order that depends on ids
alone, without ranks or scores, which would lead the annotator.

Written: UTF-8, by default with a byte order mark, without which some programs take UTF-8 for the machine's own
encoding; a cell that a program would run as a formula has an apostrophe before it. Read: separated by commas,
semicolons or tabs, as programs of different countries save it; only `key` and `relevance` are read, whatever became of
the others.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from surefoot.errors import BadInput, nearest
from surefoot.judging.pool import Pooled, key_of
from surefoot.retrieval.retriever import Document
from surefoot.runs.folder import split
from surefoot.tasks.jsonl import read_text

COLUMNS = ("key", "query_id", "lang", "query", "docid", "title", "text", "relevance", "note")
LABELS: Mapping[str, bool] = {
    **dict.fromkeys(("1", "1.0", "1,0", "yes", "true", "relevant"), True),
    **dict.fromkeys(("0", "0.0", "0,0", "no", "false", "not relevant", "non-relevant", "non_relevant"), False),
}
"""What an annotator may write, in any case; spreadsheets turn 1 into 1.0, 1,0 or TRUE."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # and their wide forms
_BREAKS = str.maketrans({"\x00": "", "\r": " "})


class Judged(NamedTuple):
    """One line of a sheet: its key, the label (None for an empty cell), and where it stands, for messages."""

    key: str
    relevant: bool | None
    where: str


class Sheet(NamedTuple):
    """One annotator's sheet."""

    annotator: str
    lines: tuple[Judged, ...]


def write_sheet(path: Path, questions: Sequence[Pooled], keys: frozenset[str] | None = None, bom: bool = True) -> int:
    """Writes an empty sheet of the pool's passages, of those in `keys` where it is given, and gives their number.

    The file appears whole or not at all. Raises `BadInput` where another file has the name, which may hold judgements;
    the very same sheet may be written again.
    """
    rows = [row for one in questions for row in _rows(one) if keys is None or row[0] in keys]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    data = text.getvalue().encode("utf-8-sig" if bom else "utf-8")
    folder, name = split(path)
    folder.make()
    if folder.exists(name) and folder.read(name) != data:
        raise BadInput(f'"{path}" is there already and may hold judgements; give the sheet another name.')
    folder.write(name, data)
    return len(rows)


def read_sheet(path: Path) -> Sheet:
    """The labels of a sheet; the annotator is named after the file.

    Raises `BadInput` with the line for a missing column, a label that is none of `LABELS`, and a key that comes twice.
    """
    lines: dict[str, Judged] = {}
    for judged in _lines(path):
        before = lines.setdefault(judged.key, judged)
        if before is not judged:
            raise BadInput(
                f"{judged.where}: the key {judged.key} stands in {_line(before)} already; delete one of them."
            )
    if not lines:
        raise BadInput(f"{path} has no passages; give the sheet that was written, with its first line.")
    return Sheet(path.stem, tuple(lines.values()))


def _rows(question: Pooled) -> Iterator[tuple[str, ...]]:
    keyed = sorted((key_of(question, hit.document), hit.document) for hit in question.hits)
    for key, document in keyed:
        id, title, text = Document(*document)
        yield (key, question.id, question.language, question.text, id, title, text, "", "")


def _safe(cell: str) -> str:
    """The cell without NUL, and with an apostrophe where its first visible character would begin a formula."""
    cell = cell.translate(_BREAKS)
    return f"'{cell}" if cell.startswith(_FORMULA) or cell.lstrip().startswith(_FORMULA) else cell


def _lines(path: Path) -> Iterator[Judged]:
    text = read_text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        missing = next((name for name in ("key", "relevance") if name not in head), None)
        if missing:
            raise BadInput(f'{path}, line 1: there is no column "{missing}".{nearest(missing, filter(None, head))}')
        key, label = head.index("key"), head.index("relevance")
        first = reader.line_num + 1
        for cells in reader:
            where, first = f"{path}, line {first}", reader.line_num + 1
            if any(cell.strip() for cell in cells):
                whole = [*cells, *[""] * len(head)]  # some programs leave empty cells at the end away
                yield _judged(whole[key], whole[label], where)
    except csv.Error as error:
        raise BadInput(f"{path}, line {reader.line_num}: not CSV ({error}); save the sheet as CSV.") from None


def _judged(key: str, label: str, where: str) -> Judged:
    if not key.strip():
        raise BadInput(f"{where}: the key is empty; take the line from the sheet that was written.")
    said = label.strip().strip("'").lower()
    if said and said not in LABELS:
        raise BadInput(f'{where}: "{label.strip()}" is no judgement; write 1 (it answers the question) or 0.')
    return Judged(key.strip(), LABELS.get(said), where)


def _delimiter(text: str) -> str:
    """What separates the cells of the first line: of comma, semicolon and tab the most frequent."""
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _line(judged: Judged) -> str:
    return judged.where.rpartition(", ")[2]
