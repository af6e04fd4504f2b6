"""MMLU CSV files: question, four options and the letter of the answer, without a header (Hendrycks et al. 2021)."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from surefoot.errors import BadInput
from surefoot.tasks.jsonl import read_text
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction

LETTERS = "ABCD"


def read_mmlu(path: Path, wordings: tuple[Instruction, ...]) -> tuple[Task, ...]:
    """One task for each CSV: of the file, or of all `*.csv` in the folder. Cells are text: `None` stays `None`."""
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise BadInput(f'"{path}" holds no CSV file; give an MMLU file such as abstract_algebra_test.csv.')
    return tuple(_task(file, wordings) for file in files)


def subject_of(path: Path) -> str:
    """`abstract_algebra` for `abstract_algebra_test.csv`."""
    stem = path.name.removesuffix(".gz").removesuffix(".csv")
    for split in ("_test", "_dev", "_val"):
        stem = stem.removesuffix(split)
    return stem


def _task(path: Path, wordings: tuple[Instruction, ...]) -> Task:
    subject = subject_of(path)
    try:
        reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
        # The place of a row is its first line in the file: a cell may hold line breaks.
        examples: list[Example] = []
        line = 1
        for row in reader:
            if row:
                examples.append(_example(f"{subject}/{len(examples)}", row, f"{path}, line {line}"))
            line = reader.line_num + 1
    except csv.Error as error:
        raise BadInput(f"{path}, line {line}: not CSV ({error}).") from None
    return Task(
        name=f"mmlu/{subject}",
        kind="multiple_choice",
        examples=tuple(examples),
        wordings=wordings,
        input_template="{{ question }}",
        description=f"MMLU, {subject.replace('_', ' ')}",
        source="Hendrycks et al. 2021, arXiv:2009.03300",
    )


def _example(id: str, row: list[str], where: str) -> Example:
    if len(row) != 6:
        raise BadInput(
            f"{where}: {len(row)} columns; an MMLU row has six (question, A, B, C, D, letter of the answer)."
        )
    question, *options, letter = row
    if letter.strip() not in LETTERS or not letter.strip():
        raise BadInput(f'{where}: the answer "{letter}" is not one of A, B, C, D.')
    return Example(id, {"question": question}, tuple(options), LETTERS.index(letter.strip()))
