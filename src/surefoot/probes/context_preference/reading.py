"""What a freely written answer says: the first line without a lead-in such as `The answer is`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from surefoot.metrics.answers import exact_match
from surefoot.probes.asking import Cell, first_line

_LEAD = re.compile(r"^(?:.*?\b)?answer(?:\s+is\s*:?|\s*:)\s*(?=\S)", re.IGNORECASE)


def short_answer(text: str) -> str:
    """The first line that is not blank, behind `(the) answer is` or `answer:` if it has one, without a final stop."""
    return _LEAD.sub("", first_line(text), count=1).strip().rstrip(".").strip()


def read_again(cell: Cell, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a written answer to a question without options, scored by exact match; other rows as they are."""
    if cell.query.labels or row["predicted"] is None:
        return dict(row)
    answer = short_answer(str(row["text"]))
    score = max(exact_match(answer, accepted) for accepted in cell.query.answers)
    return {**row, "predicted": answer, "score": score, "outcome": "right" if score >= 1 else "wrong"}
