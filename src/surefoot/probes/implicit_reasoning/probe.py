"""The implicit-reasoning probe: yes/no questions whose steps are implied, and where on the way a model fails.

The same questions are asked alone, with gold documents, with documents retrieved for each step, and as the last step of
their gold decomposition: with earlier answers filled in, with answers of the model's own, and as it is written, where
what #k stands for is not said and a model can only guess. Forced choice between yes and no.

Source: Geva et al. 2021, Did Aristotle Use a Laptop? (TACL, arXiv:2101.02235), for questions, conditions, Recall@10 and
SARI of decompositions. Theirs is a classifier that is trained (`surefoot.readers` trains one); here any model is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from surefoot.errors import BadInput, NotAvailable
from surefoot.models.base import LanguageModel
from surefoot.probes.asking import Cell
from surefoot.probes.matrix import MatrixProbe
from surefoot.tasks.task import Task

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.calibration import Calibration
    from surefoot.probes.implicit_reasoning.summary import ImplicitSummary
    from surefoot.runs.source import Rows


@dataclass(frozen=True)
class ImplicitReasoning(MatrixProbe):
    """The probe and its settings. Needs `logprobs`, and `generate` for the condition `steps`.

    `step_tokens`: of the answer to a step; too few end within a name that a talkative model is about to say.
    `decompose`: let the model write a decomposition of each question, in rows of the condition `question`, and compare
    it with the gold one by SARI; needs `generate`.
    """

    step_tokens: int = 32
    decompose: bool = False

    name = "implicit-reasoning"
    suite: ClassVar[str] = "world:implicit"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.step_tokens < 1:
            raise BadInput(f"step_tokens is {self.step_tokens}; a step's answer takes at least 1.")

    @property
    def row_schema(self) -> pa.Schema:
        """The columns of an answer, and `asked_steps` and `step_answers` (of `steps`: what was asked and answered),
        `decomposition` and its `sari`, 0 to 1."""
        import pyarrow as pa

        texts = pa.list_(pa.string())
        added = [
            ("asked_steps", texts),
            ("step_answers", texts),
            ("decomposition", pa.string()),
            ("sari", pa.float64()),
        ]
        schema = super().row_schema
        for name, kind in added:
            schema = schema.append(pa.field(name, kind))
        return schema

    @property
    def row_options(self) -> dict[str, Any]:
        return {"step_tokens": self.step_tokens, "decompose": self.decompose}

    def check(self, model: LanguageModel, tasks: Sequence[Task]) -> None:
        """As every matrix probe; refuses tasks that are not made of decomposed yes/no questions."""
        for task in tasks:
            if task.kind != "binary" or any("raw_step" not in example.fields for example in task.examples):
                raise BadInput(
                    f'The task "{task.name}" is not made of decomposed questions; give --task world:implicit, '
                    "strategyqa:FILE or surefoot.tasks.implicit.implicit_task(...)."
                )
        super().check(model, tasks)
        asks_steps = any(wording.id == "steps" for task in tasks for wording in task.wordings)
        if (self.decompose or asks_steps) and "generate" not in model.can:
            raise NotAvailable(
                f'"{model.name}" writes no text, which the condition steps and decompose=true need; leave them out, '
                'for instance by conditions="question,gold,other,filled,raw".'
            )

    def extend(self, model: LanguageModel, cells: Sequence[Cell], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows with steps executed and decompositions written."""
        from surefoot.probes.implicit_reasoning.rows import extended

        return extended(self, model, cells, rows)

    def summarise(self, rows: Rows | pa.Table, tasks: Sequence[Task], model: str) -> ImplicitSummary:
        """The finding from the rows; complete if every planned cell is there."""
        from surefoot.probes.implicit_reasoning.summarise import summarise
        from surefoot.runs.source import Rows

        rows = Rows.of(rows)
        return summarise(rows, tasks, model, self.seed, self.is_complete(rows, tasks))

    @staticmethod
    def calibrations() -> tuple[Calibration, ...]:
        """Models that guess, read, or can only take the last step, and the right readings."""
        from surefoot.probes.implicit_reasoning.calibrations import calibrations

        return calibrations()
