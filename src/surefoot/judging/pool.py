"""The pool: for each question the passages that a retriever finds, which are then judged.

A pool is a JSON Lines file, a question a line: `query_id`, `query`, `lang`, and `passages` with `docid`, `title`,
`text` and the retriever's `score`, best first. It keeps texts exactly; an annotation sheet, which passes through
spreadsheet programs, is only read for its keys and labels. Source of the procedure: Thakur et al. 2023
(arXiv:2312.11361), section 3, after Zhang et al. 2023 (MIRACL).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from surefoot.errors import BadInput
from surefoot.questions.jsonl import read_questions
from surefoot.questions.question import Question
from surefoot.retrieval.retriever import Document, Hit, Retriever
from surefoot.runs.folder import split
from surefoot.tasks.jsonl import Line, as_text, read_jsonl, read_tsv


class Pooled(NamedTuple):
    """A question and the passages found for it, best first."""

    id: str
    text: str
    language: str
    hits: tuple[Hit, ...]


class Pool(NamedTuple):
    """The questions for which something was found, and the ids of the others."""

    questions: tuple[Pooled, ...]
    empty: tuple[str, ...] = ()


def read_queries(path: Path) -> tuple[Question, ...]:
    """Questions from JSON Lines (`id`, `text`, perhaps `language`) or from TSV lines of id and text.

    Raises `BadInput` with the line for a mistake or an id that stands twice.
    """
    if path.suffix != ".tsv":
        return read_questions(path)
    found: dict[str, Question] = {}
    for where, (id, text) in read_tsv(path, ("id", "text")):
        if id in found:
            raise BadInput(f'{where}: the id "{id}" stands twice; give every question its own.')
        found[id] = Question(id, text)
    if not found:
        raise BadInput(f"{path} has no questions; write at least one line.")
    return tuple(found.values())


def pooled(questions: Sequence[Question], retriever: Retriever, k: int = 10) -> Pool:
    """The best `k` passages of each question; fewer where fewer are found. A question without any is in `empty`."""
    found = retriever.search([one.text for one in questions], k)
    made = [Pooled(q.id, q.text, q.language, tuple(hits)) for q, hits in zip(questions, found, strict=True)]
    return Pool(tuple(one for one in made if one.hits), tuple(one.id for one in made if not one.hits))


def key_of(question: Pooled, document: Document) -> str:
    """What names a question with a passage in a sheet: a letter and 15 hexadecimal digits of a hash of both.

    It begins with a letter, so that no spreadsheet takes it for a number or a date, and depends on the texts, so that
    labels never go to another text than the one that was read.
    """
    parts = (question.id, question.text, *document)
    return "k" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:15]


def write_pool(path: Path, questions: Iterable[Pooled]) -> None:
    """Writes the pool; the file appears whole or not at all."""
    folder, name = split(path)
    folder.make()
    with folder.create(name) as file:
        for one in questions:
            passages = [{"docid": d.id, "title": d.title, "text": d.text, "score": float(s)} for d, s in one.hits]
            record = {"query_id": one.id, "query": one.text, "lang": one.language, "passages": passages}
            file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def read_pool(path: Path) -> tuple[Pooled, ...]:
    """The questions of a pool. Raises `BadInput` with file and line."""
    found = tuple(_question(line) for line in read_jsonl(path))
    if not found:
        raise BadInput(f"{path} has no questions; write it with: surefoot nomiracl-sheet.")
    twice = next((id for id, n in Counter(one.id for one in found).items() if n > 1), None)
    if twice is not None:
        raise BadInput(f'{path}: the question "{twice}" stands twice; give each an id of its own.')
    return found


def _question(line: Line) -> Pooled:
    where, record = line
    missing = next((key for key in ("query_id", "query", "passages") if not record.get(key)), None)
    if missing or not isinstance(record["passages"], list):
        raise BadInput(f'{where}: a question of a pool needs "{missing or "passages"}"; write it with nomiracl-sheet.')
    id, text = (as_text(record[key], key, where) for key in ("query_id", "query"))
    return Pooled(id, text, str(record.get("lang") or "en"), tuple(_hit(one, where) for one in record["passages"]))


def _hit(record: object, where: str) -> Hit:
    if not isinstance(record, dict) or not record.get("docid") or not record.get("text"):
        raise BadInput(f'{where}: a passage needs "docid" and "text".')
    score = record.get("score") or 0
    if not isinstance(score, int | float):
        raise BadInput(f"{where}: the score of a passage is {json.dumps(score)[:40]}; it must be a number.")
    return Hit(Document(str(record["docid"]), str(record.get("title") or ""), str(record["text"])), float(score))
