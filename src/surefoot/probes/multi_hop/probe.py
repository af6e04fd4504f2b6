"""The multi-hop probe: questions whose answer takes several documents, answered by a model that may search or not.

For every question: exact match and word F1 of the answer, read behind the marker "answer is" (else the first line);
recall of the gold documents among those that stood before the model, over all hops and hop by hop; claims that no
document before the model supports; and what the answer took (sentences written, calls, searches, tokens). A model
without a trace reads nothing, so that it has neither recall nor claims.

Source: Trivedi et al. 2023, Interleaving retrieval with chain-of-thought reasoning (arXiv:2212.10509), for answer F1
and the recall of gold paragraphs; Yang et al. 2018, HotpotQA (arXiv:1809.09600), for the scores of answers. Here the
recall is over what the model read, not over what an index returned.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from surefoot.errors import BadInput
from surefoot.models.base import Generation, LanguageModel
from surefoot.probes.asking import Cell
from surefoot.probes.matrix import MatrixProbe
from surefoot.probes.multi_hop.measure import Cost, cost, read_answer, recall, score_answer
from surefoot.questions.support import hallucinations
from surefoot.tasks.questions import question_of
from surefoot.tasks.task import Task

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.calibration import Calibration
    from surefoot.probes.multi_hop.summary import MultiHopSummary
    from surefoot.runs.source import Rows


@dataclass(frozen=True)
class MultiHop(MatrixProbe):
    """The probe; its settings are those of every matrix probe. Needs `generate`."""

    name = "multi-hop"
    suite: ClassVar[str] = "world:facts"

    @property
    def row_schema(self) -> pa.Schema:
        """The columns of an answer (`score` is the word F1, right means exact match), and `exact_match`, `marked`
        (the answer stood behind the marker), `recall` and `hop_recall` (null where nothing could be read or found),
        `claims` and `unsupported` ones (`surefoot.questions.support`; null without a trace), `steps`, `calls`,
        `searches`, `tokens`, the `question`, its `gold_documents` by id, and the `trace` as JSON
        (null without one)."""
        import pyarrow as pa

        counts = [(name, pa.int32()) for name in ("claims", "unsupported", *Cost._fields)]
        shares = [("exact_match", pa.float64()), ("marked", pa.bool_()), ("recall", pa.float64())]
        texts = pa.list_(pa.string())
        told = [("question", pa.string()), ("gold_documents", texts), ("trace", pa.string())]
        schema = super().row_schema
        for name, kind in (*shares, ("hop_recall", pa.list_(pa.float64())), *counts, *told):
            schema = schema.append(pa.field(name, kind))
        return schema

    def check(self, model: LanguageModel, tasks: Sequence[Task]) -> None:
        """As every matrix probe; refuses tasks that are not made of questions."""
        for task in tasks:
            if task.kind != "generation" or any("known" not in example.fields for example in task.examples):
                raise BadInput(
                    f'The task "{task.name}" is not made of questions with evidence; give --task world:facts, a file '
                    "of questions (questions:FILE.jsonl) or surefoot.tasks.questions.question_task(...)."
                )
        super().check(model, tasks)

    def extend(self, model: LanguageModel, cells: Sequence[Cell], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows with scores, recall and cost, from the trace of what was written."""
        return [extended(cell, row) for cell, row in zip(cells, rows, strict=True)]

    def summarise(self, rows: Rows | pa.Table, tasks: Sequence[Task], model: str) -> MultiHopSummary:
        """The finding from the rows; complete if every planned cell is there."""
        from surefoot.probes.multi_hop.summarise import summarise
        from surefoot.runs.source import Rows

        rows = Rows.of(rows)
        return summarise(rows, tasks, model, self.seed, self.is_complete(rows, tasks))

    @staticmethod
    def calibrations() -> tuple[Calibration, ...]:
        """Readers that find all, one or none of the documents, and the right readings."""
        from surefoot.probes.multi_hop.calibrations import calibrations

        return calibrations()


def extended(cell: Cell, row: dict[str, Any]) -> dict[str, Any]:
    """A row with what the probe measures."""
    generation: Generation = row["generation"]
    question, answer = question_of(cell.example), read_answer(generation.text)
    exact, f1 = score_answer(answer.answer, question)
    trace = generation.trace
    told = None if trace is None else hallucinations([trace])
    found = None if trace is None else recall(frozenset(trace.documents), question.evidence)
    outcome = "unparsed" if not answer.answer else "right" if exact == 1 else "wrong"
    return {
        **row,
        "outcome": outcome,
        "score": f1 if answer.answer else None,
        "predicted": answer.answer or None,
        "exact_match": exact,
        "marked": answer.marked,
        "recall": None if found is None else found.whole,
        "hop_recall": None if found is None else list(found.hops),
        "claims": None if told is None else told.claims,
        "unsupported": None if told is None else told.failed,
        **cost(generation)._asdict(),
        "question": question.text,
        "gold_documents": list(question.gold),
        "trace": None if trace is None else json.dumps(trace.to_dict(), ensure_ascii=False),
    }
