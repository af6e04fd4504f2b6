"""The released result rows of R0, and which of them count."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from surefoot.errors import BadInput

DATA_HELP = (
    "Give a folder that holds results.csv, or a checkout of https://github.com/jiudingsun01/InstructionEval "
    "(commit a1b6882), whose folder result_csv is read."
)
COLUMNS = ("Model", "Dataset", "Collection", "Type", "ID", "Performance", "Include?")
OBSERVED_TYPES = frozenset({"QA", "BC", "Classification"})


class ResultRow(NamedTuple):
    """One wording's accuracy on one data set."""

    section: str
    model: str
    dataset: str
    collection: str
    type: str
    number: str
    accuracy: float

    @property
    def group(self) -> str:
        """`observed` for wordings from a tuning collection; otherwise the type in lower case."""
        return "observed" if self.type in OBSERVED_TYPES else self.type.lower()


def read_rows(data: Path) -> list[ResultRow]:
    """The rows that count.

    Rows without `Include?` TRUE are lists of instructions and hold no score. The score "PD" (T0-3B only) was never
    filled in. Any other text in the place of a score is an error.
    """
    rows = [row for path, section in _files(data) for row in _read(path, section)]
    if not rows:
        raise BadInput(f'No result row was found under "{data}". {DATA_HELP}')
    return rows


def accuracies(rows: list[ResultRow], section: str, model: str, group: str) -> Mapping[str, list[float]]:
    """Data set -> the accuracy of each wording of this group.

    A wording that was run twice (Flan-T5-XXL, BBQ_Lite, NIV2/QA/31 and 32) counts once, with the mean of its rows.
    """
    found: dict[str, dict[tuple[str, str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if (row.section, row.model, row.group) == (section, model, group):
            found[row.dataset][row.collection, row.type, row.number].append(row.accuracy)
    return {dataset: [fmean(values) for values in wordings.values()] for dataset, wordings in found.items()}


def _files(data: Path) -> Iterator[tuple[Path, str | None]]:
    """The CSV files with the section that their rows belong to; None where a column says it."""
    table = data if data.is_file() else data / "results.csv"
    if table.is_file():
        yield table, None
        return
    for folder, section in (("Main", "Main"), ("Adversial", "Adversarial")):  # the source's spelling
        for path in sorted((data / "result_csv" / folder).rglob("*.csv")):
            yield path, section


def _read(path: Path, section: str | None) -> Iterator[ResultRow]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        columns = COLUMNS if section else (*COLUMNS, "section")
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise BadInput(f'"{path}" has no column "{missing[0]}"; give the released result rows unchanged.')
        for line in reader:
            if line["Include?"] == "TRUE" and line["Performance"] != "PD":
                accuracy = _accuracy(line["Performance"], path, reader.line_num)
                model, dataset, collection, type, number = (line[name] for name in COLUMNS[:5])
                yield ResultRow(section or line["section"], model, dataset, collection, type, number, accuracy)


def _accuracy(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = float("nan")
    if not isfinite(value):
        raise BadInput(f'"{path}", line {line}: the score "{text}" is not a number; give the released rows unchanged.')
    return value
