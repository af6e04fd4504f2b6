"""The unanswerable probe: does a model admit that no passage answers, and recognise when one does?

Formula: hallucination rate, the share of "present" where no passage answers; error rate, the share of "I don't know"
where one does; invalid outputs stay in both denominators (`rates.py`). Source: Thakur et al. 2023 (arXiv:2312.11361).
Relations: `context-conflict` asks whom a model believes; this one whether it sees that there is nothing to believe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from surefoot.errors import BadInput, nearest
from surefoot.models.base import Choice, LanguageModel
from surefoot.probes.asking import Cell, chosen_row
from surefoot.probes.matrix import MatrixProbe
from surefoot.probes.unanswerable.judgement import RULES, Rule, judgement
from surefoot.tasks.nomiracl import PAIRS, SUBSETS
from surefoot.tasks.task import Task

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.calibration import Calibration
    from surefoot.probes.unanswerable.summary import UnanswerableSummary
    from surefoot.runs.source import Rows

Baselines = Literal["none", "words", "all"]
BASELINES: tuple[str, ...] = get_args(Baselines)
INDEX = {"present": 0, "absent": 1, "invalid": None}


@dataclass(frozen=True)
class Unanswerable(MatrixProbe):
    """The probe and its settings. Needs `logprobs` (forced choice), or `generate` where answers are written.

    `answering`: `sum` or `mean` (length-normalised) of the two strings' log-probabilities, or `generate`. `rule` reads
    written answers (`judgement.py`). `baselines` that stand beside the model: `none`, `words`, or `all` with an
    encoder's similarity as well (`baselines.py`).
    """

    rule: Rule = "counted"
    baselines: Baselines = "words"

    name = "unanswerable"
    suite: ClassVar[str] = "unanswerable"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rule not in RULES:
            raise BadInput(f'"{self.rule}" is not a rule for reading judgements.{nearest(self.rule, RULES)}')
        if self.baselines not in BASELINES:
            raise BadInput(f'"{self.baselines}" is no choice of baselines.{nearest(self.baselines, BASELINES)}')

    @property
    def row_options(self) -> Mapping[str, Any]:
        return {"rule": self.rule}

    def check(self, model: LanguageModel, tasks: Sequence[Task]) -> None:
        """As every matrix probe; refuses a task that is no subset."""
        odd = next((task.name for task in tasks if task.name not in (*SUBSETS, *PAIRS)), None)
        if odd is not None:
            raise BadInput(
                f'The task "{odd}" is no subset of the unanswerable probe, which are {", ".join(SUBSETS)}; name the '
                "suite unanswerable, or nomiracl:FILE.jsonl for judged questions of your own."
            )
        super().check(model, tasks)

    def extend(self, model: LanguageModel, cells: Sequence[Cell], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Written answers are read by the rule."""
        if self.answering != "generate":
            return rows
        return [self._read(cell, row) for cell, row in zip(cells, rows, strict=True)]

    def summarise(self, rows: Rows | pa.Table, tasks: Sequence[Task], model: str) -> UnanswerableSummary:
        """The finding from the rows; complete if every planned cell is there."""
        from surefoot.probes.unanswerable.summarise import summarise_unanswerable
        from surefoot.runs.source import Rows

        rows = Rows.of(rows)
        return summarise_unanswerable(rows, tasks, model, self, self.is_complete(rows, tasks))

    @staticmethod
    def calibrations() -> tuple[Calibration, ...]:
        """Models whose judgements are planted, and the right readings."""
        from surefoot.probes.unanswerable.calibrations import calibrations

        return calibrations()

    def _read(self, cell: Cell, row: Mapping[str, Any]) -> dict[str, Any]:
        index = INDEX[judgement(str(row["text"]), self.rule)]
        found = chosen_row(cell.query, Choice(index, ()))
        return {**row, **{name: found[name] for name in ("outcome", "score", "predicted", "predicted_index")}}
