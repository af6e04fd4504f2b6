"""From judged sheets to a task file: labels together, agreement, verdicts, and what is still open."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from surefoot.errors import BadInput
from surefoot.judging.agreement import Agreement, agreement
from surefoot.judging.pool import Pooled, read_pool
from surefoot.judging.sheet import Sheet, read_sheet, write_sheet
from surefoot.judging.verdict import Rule, Verdicts, labels_of, verdicts
from surefoot.tasks.nomiracl_files import write_nomiracl


class Built(NamedTuple):
    """What came of the sheets: how many passages each annotator judged, agreement, and the verdicts."""

    judged: dict[str, int]
    agreement: Agreement
    verdicts: Verdicts
    passages: int


def build(
    pool: Path,
    sheets: Sequence[Path],
    out: Path,
    *,
    rule: Rule = "majority",
    decided: Path | None = None,
    disputes: Path | None = None,
    drop_open: bool = False,
) -> Built:
    """Writes the judged questions of `pool` as a file for `nomiracl:FILE`, and says what the sheets came to.

    `rule` makes one judgement of several (`verdict.py`), `decided` is the sheet of an adjudicator, who overrules it.
    `disputes` names a sheet that is written with the passages on which there is no decision. While one is open, or a
    passage judged by nobody, nothing is built, unless `drop_open` leaves out the questions with such passages.
    Raises `BadInput` with file and line. Example: `build(Path("pool.jsonl"), [Path("ann.csv")], Path("task.jsonl"))`.
    """
    if not sheets:
        raise BadInput("No sheet was given; give at least one that was judged.")
    questions, read = read_pool(pool), [read_sheet(path) for path in sheets]
    chief = None if decided is None else read_sheet(decided)
    labels = labels_of(read, questions)
    if chief is not None:
        labels_of([chief], questions)  # its keys are the pool's
    found = verdicts(questions, labels, rule, chief)
    if disputes is not None and found.undecided:
        write_sheet(disputes, questions, frozenset(found.undecided))
    if not drop_open:
        _refuse_open(found, read, questions, disputes)
    if not found.questions:
        raise BadInput(
            "No question has all its passages judged, so that there is nothing to build; judge more of them."
        )
    write_nomiracl(out, found.questions)
    judged = {sheet.annotator: sum(line.relevant is not None for line in sheet.lines) for sheet in read}
    return Built(judged, agreement(questions, labels), found, sum(len(one.hits) for one in questions))


def _refuse_open(found: Verdicts, sheets: Sequence[Sheet], questions: Sequence[Pooled], disputes: Path | None) -> None:
    lines = [line for sheet in sheets for line in sheet.lines]

    def first(keys: Sequence[str]) -> str | None:
        wanted = frozenset(keys)
        return next((line.where for line in lines if line.key in wanted), None)

    if found.unjudged:
        place = first(found.unjudged)
        where = f"{place}: no judgement" if place else f"No sheet has the passage {found.unjudged[0]}"
        of = f"{len(found.unjudged):,} of {sum(len(one.hits) for one in questions):,} passages are judged by nobody"
        raise BadInput(f"{where}; {of}: judge them, or leave their questions out: --drop-open.")
    if found.undecided:
        listed = f"they stand in {disputes}, judge them there" if disputes else "write them to a sheet: --disputes FILE"
        raise BadInput(
            f"{first(found.undecided)}: annotators differ on this and {len(found.undecided) - 1:,} more "
            f"passages; {listed} and give it as --decided FILE, or leave their questions out: --drop-open."
        )
