"""Judged questions from and to JSON Lines.

A line has `query_id`, `query`, and its passages in one of two forms: `passages`, in the order in which they are shown,
each with `docid`, `text`, `title` and `relevance` (0 or 1); or `positive_passages` and `negative_passages`, as NoMIRACL
has them, which are put into an order by ids, because positives first would tell. `lang`, `split` and `subset` may
stand there too; a stated subset (`relevant` or `non_relevant`) that the judgements contradict is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from surefoot.errors import BadInput, nearest
from surefoot.runs.folder import split
from surefoot.tasks.jsonl import Line, read_jsonl
from surefoot.tasks.nomiracl import ANSWERABLE, UNANSWERABLE, JudgedQuestion, Passage, mixed

STATED: Mapping[str, str] = {
    "relevant": ANSWERABLE,
    "non_relevant": UNANSWERABLE,
    ANSWERABLE: ANSWERABLE,
    UNANSWERABLE: UNANSWERABLE,
}


def read_nomiracl(path: Path) -> tuple[JudgedQuestion, ...]:
    """The questions of a file (`.gz` is unpacked). Raises `BadInput` with file and line."""
    found = tuple(_question(line) for line in read_jsonl(path))
    if not found:
        raise BadInput(f"{path} has no questions; write at least one line.")
    return found


def write_nomiracl(path: Path, questions: Iterable[JudgedQuestion]) -> None:
    """Writes the form with `passages`, which `read_nomiracl` reads back; the file appears whole or not at all."""
    folder, name = split(path)
    folder.make()
    with folder.create(name) as file:
        for one in questions:
            passages = [
                {"docid": p.id, "title": p.title, "text": p.text, "relevance": int(p.relevant)} for p in one.passages
            ]
            record = {"query_id": one.id, "query": one.text, "lang": one.language, "split": one.split}
            told = {**record, "subset": one.subset, "passages": passages}
            file.write(json.dumps(told, ensure_ascii=False).encode() + b"\n")


def _question(line: Line) -> JudgedQuestion:
    where, record = line
    missing = next((key for key in ("query_id", "query") if not record.get(key)), None)
    if missing:
        raise BadInput(f'{where}: a judged question needs "{missing}".')
    passages, ordered = _passages(line)
    others = {name: str(record[key]) for name, key in (("language", "lang"), ("split", "split")) if record.get(key)}
    try:
        question = JudgedQuestion(str(record["query_id"]), str(record["query"]), passages, **others)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
    stated = record.get("subset")
    if stated is not None and (not isinstance(stated, str) or stated not in STATED):
        raise BadInput(f'{where}: "{stated}" is not a subset.{nearest(str(stated), STATED)}')
    if stated is not None and STATED[stated] != question.subset:
        raise BadInput(f'{where}: the stated subset is "{stated}", and by its judgements it is {question.subset}.')
    return question if ordered else mixed(question)


def _passages(line: Line) -> tuple[tuple[Passage, ...], bool]:
    """The passages, and whether their order is that in which they are shown."""
    where, record = line
    if "passages" in record:
        given = [(one, _relevance(one, where)) for one in _listed(line, "passages")]
        return tuple(_passage(one, relevant, where) for one, relevant in given), True
    pairs = (("positive_passages", True), ("negative_passages", False))
    return tuple(_passage(one, relevant, where) for key, relevant in pairs for one in _listed(line, key)), False


def _listed(line: Line, key: str) -> list[Any]:
    value = line.record.get(key) or []
    if not isinstance(value, list):
        raise BadInput(f'{line.where}: "{key}" is {json.dumps(value)[:40]}, which is not a list of passages.')
    return value


def _relevance(record: Any, where: str) -> bool:
    value = record.get("relevance") if isinstance(record, dict) else None
    if value not in (0, 1):
        raise BadInput(f"{where}: the relevance of a passage is {value!r}; it must be 0 or 1.")
    return bool(value)


def _passage(record: Any, relevant: bool, where: str) -> Passage:
    if not isinstance(record, dict) or not record.get("docid") or not record.get("text"):
        raise BadInput(f'{where}: a passage needs "docid" and "text".')
    return Passage(str(record["docid"]), str(record["text"]), relevant, str(record.get("title") or ""))
