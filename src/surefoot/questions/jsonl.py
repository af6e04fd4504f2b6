"""Questions as JSON Lines, one a line, with the fields of `Question`; those that are empty are left out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from surefoot.errors import BadInput
from surefoot.questions.question import Question, Step
from surefoot.tasks.jsonl import as_text, as_texts, read_jsonl, refuse_unknown

QUESTION_KEYS = tuple(field.name for field in fields(Question))
STEP_KEYS = tuple(field.name for field in fields(Step))


def write_questions(questions: Iterable[Question], path: Path) -> None:
    """Writes a file that `read_questions` reads back to equal questions."""
    with path.open("w", encoding="utf-8") as file:
        for question in questions:
            record = {key: value for key, value in asdict(question).items() if value}
            record["steps"] = [{key: value for key, value in step.items() if value} for step in record.get("steps", ())]
            if not record["steps"]:
                del record["steps"]
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


def read_questions(path: Path) -> tuple[Question, ...]:
    """The questions of a file. Raises `BadInput` with file and line for a mistake or an id that stands twice."""
    questions: dict[str, Question] = {}
    for where, record in read_jsonl(path):
        question = _question(record, where)
        if question.id in questions:
            raise BadInput(f'{where}: the id "{question.id}" stands twice; give every question its own.')
        questions[question.id] = question
    if not questions:
        raise BadInput(f"{path} has no questions; write at least one line.")
    return tuple(questions.values())


def _question(record: Mapping[str, Any], where: str) -> Question:
    refuse_unknown(record, QUESTION_KEYS, where)
    missing = next((key for key in ("id", "text") if not record.get(key)), None)
    if missing:
        raise BadInput(f'{where}: a question needs "{missing}".')
    texts = {key: as_text(record[key], key, where) for key in ("id", "text", "kind", "language") if key in record}
    lists = {key: as_texts(record[key], key, where) for key in ("answers", "reasoning") if key in record}
    evidence = tuple(
        tuple(as_texts(hop, "evidence", where) for hop in _list(annotator, "evidence", where))
        for annotator in _list(record.get("evidence", []), "evidence", where)
    )
    steps = tuple(_step(step, where) for step in _list(record.get("steps", []), "steps", where))
    return Question(**texts, **lists, evidence=evidence, steps=steps)  # type: ignore[arg-type]


def _step(record: Any, where: str) -> Step:
    if not isinstance(record, dict) or not record.get("text"):
        raise BadInput(f'{where}: a step is {json.dumps(record)[:40]}; write {{"text": "...", ...}}.')
    refuse_unknown(record, STEP_KEYS, where)
    answer = as_text(record.get("answer", ""), "answer", where)
    return Step(
        as_text(record["text"], "text", where), answer, as_texts(record.get("documents", []), "documents", where)
    )


def _list(value: Any, name: str, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadInput(f'{where}: "{name}" is {json.dumps(value)[:40]}, which is not a list; write [...].')
    return value
