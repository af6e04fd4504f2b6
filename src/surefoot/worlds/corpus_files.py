"""A question world on disk: `corpus.jsonl`, which `surefoot index` reads, and `questions.jsonl`."""

from __future__ import annotations

import json
import os
from pathlib import Path

from surefoot.errors import BadInput
from surefoot.questions.jsonl import write_questions
from surefoot.worlds.corpora import QuestionWorld

CORPUS, QUESTIONS = "corpus.jsonl", "questions.jsonl"


def write_world(world: QuestionWorld, out: Path) -> None:
    """Writes both files into a folder, each whole or not at all. Raises `BadInput` where `out` is a file."""
    if out.exists() and not out.is_dir():
        raise BadInput(f'"{out}" is a file; name a folder.')
    questions = world.questions  # refused before anything is written
    out.mkdir(parents=True, exist_ok=True)
    part = out / f"{QUESTIONS}.part"
    write_questions(questions, part)
    os.replace(part, out / QUESTIONS)
    part = out / f"{CORPUS}.part"
    with part.open("w", encoding="utf-8") as file:
        for document in world.documents:
            file.write(json.dumps(document._asdict(), ensure_ascii=False) + "\n")
    os.replace(part, out / CORPUS)
