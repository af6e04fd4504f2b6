"""The phrasing probe: how far accuracy moves when only the wording of the instruction moves.

For a model, a task with items x and wordings w, every cell (w, x) is answered. With a(w) the accuracy over items,
the probe reports mean, standard deviation and range of a(w) over the wordings that ask for the task, beside what
item sampling alone would give; the accuracy under wordings that ask for something else; and how single answers flip.

Source: Sun, Shaib & Wallace, Evaluating the Zero-shot Robustness of Instruction-tuned Language Models, 2024
(arXiv:2306.11270), sections 3 and 4. Here the options' exact log-probability is the default where the released code
multiplies step probabilities (`answering="paper"`), and options are shuffled by item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from surefoot.probes.matrix import MatrixProbe
from surefoot.probes.phrasing.summary import PhrasingSummary, summarise
from surefoot.tasks.task import Task

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.calibration import Calibration
    from surefoot.runs.source import Rows


@dataclass(frozen=True)
class Phrasing(MatrixProbe):
    """The probe and its settings, which are those of every matrix probe."""

    name = "phrasing"

    @staticmethod
    def calibrations() -> tuple[Calibration, ...]:
        """Models of known behaviour and the right readings."""
        from surefoot.probes.phrasing.calibrations import calibrations

        return calibrations()

    def summarise(self, rows: Rows | pa.Table, tasks: Sequence[Task], model: str) -> PhrasingSummary:
        """The finding from the rows; complete if every planned cell is there."""
        from surefoot.runs.source import Rows

        rows = Rows.of(rows)
        return summarise(rows, tasks, model, self.is_complete(rows, tasks), seed=self.seed)
