"""The context-preference probe: of two contexts that disagree, which one is an answer taken from, and why?

A question is answered closed book, behind its retrieved context, behind its generated one, and behind both. Questions
whose two answers come from their contexts, are not what memory says, and of which exactly one is right, make up AIG
(the generated context is right) and AIR (the retrieved one). The answer behind both is then attributed by equality:
no judge is needed. DiffGR sums it up (`preference.py`).

Source: Tan et al. 2024, Blinded by generated contexts (arXiv:2401.11911). Here every order of the two contexts can be
asked, several wordings are, and a small model may choose among options in place of writing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from surefoot.errors import BadInput, nearest
from surefoot.models.base import LanguageModel
from surefoot.probes.asking import Cell
from surefoot.probes.filling import planned
from surefoot.probes.matrix import MatrixProbe
from surefoot.tasks.contexts import CLOSED, CONDITIONS, GENERATED, HYBRID, RETRIEVED
from surefoot.tasks.task import Task

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.calibration import Calibration
    from surefoot.probes.context_preference.summary import ContextPreferenceSummary
    from surefoot.runs.source import Rows

Order = Literal["both", "random", "generated-first", "retrieved-first"]
ORDERS: tuple[str, ...] = get_args(Order)


@dataclass(frozen=True)
class ContextPreference(MatrixProbe):
    """The probe and its settings. Needs `logprobs` where questions have options, `generate` where they have none.

    `order`: in which order both contexts are shown: `both` asks either order and averages, so that the position drops
    out; `random` tosses a coin for each question by its id and the seed (the paper); or one fixed order. `parametric`
    drops questions whose closed-book answer is one of the two. A set with fewer than `least` questions that are
    decided for a context has no DiffGR. `slices`: parts of equal count by similarity gap. `encoder`: a folder of a
    sentence encoder, or `minilm`, for slices by meaning too; none without it.
    """

    order: Order = "both"
    parametric: bool = True
    least: int = 10
    slices: int = 4
    encoder: str = ""

    name = "context-preference"
    suite: ClassVar[str] = "contexts"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.order not in ORDERS:
            raise BadInput(f'"{self.order}" is not an order of contexts.{nearest(self.order, ORDERS)}')
        if self.least < 1:
            raise BadInput(f"least is {self.least}; ask for at least one question behind a DiffGR.")
        if self.slices < 1:
            raise BadInput(f"slices is {self.slices}; cut the questions into at least one part.")

    @property
    def row_options(self) -> Mapping[str, Any]:
        return {"order": self.order}

    def check(self, model: LanguageModel, tasks: Sequence[Task]) -> None:
        """As every matrix probe; refuses a task that is no condition, and runs that lack a context's own."""
        from surefoot.probes.context_preference.splitting import sentences_of

        names = [task.name for task in tasks]
        odd = next((name for name in names if name not in CONDITIONS), None)
        if odd is not None:
            raise BadInput(
                f'The task "{odd}" is no condition of the context-preference probe, which are {", ".join(CONDITIONS)}; '
                "name the suite contexts, or contexts:QUESTIONS.jsonl for questions of your own."
            )
        lacking = [name for name in (RETRIEVED, GENERATED) if name not in names]
        if lacking and names != [CLOSED]:
            raise BadInput(
                f'Which context an answer comes from is read from the tasks "{RETRIEVED}" and "{GENERATED}", and '
                f'"{lacking[0]}" is not among {", ".join(names)}; add it.'
            )
        sentences_of("One. Two.")  # refuses here, not after the run, where there is no splitter
        super().check(model, tasks)

    def stages(self, tasks: Sequence[Task], rows: Callable[[], Rows]) -> Iterator[Sequence[Task]]:
        """One stage: all questions closed book and behind each context, and behind both in the orders wanted."""
        yield self.asked(tasks)

    def asked(self, tasks: Sequence[Task]) -> list[Task]:
        """The tasks with the questions that they ask under this order; a task that asks none is left out."""
        return [part for task in tasks if (part := self._part(task)) is not None]

    def is_complete(self, rows: Rows, tasks: Sequence[Task]) -> bool:
        """Whether every planned row is there."""
        return rows.count >= planned(self.asked(tasks), self.filling)

    def extend(self, model: LanguageModel, cells: Sequence[Cell], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Free answers are read again without a lead-in and a full stop, and compared with the accepted ones."""
        from surefoot.probes.context_preference.reading import read_again

        return [read_again(cell, row) for cell, row in zip(cells, rows, strict=True)]

    def summarise(self, rows: Rows | pa.Table, tasks: Sequence[Task], model: str) -> ContextPreferenceSummary:
        """The finding from the rows; complete if every planned cell is there."""
        from surefoot.probes.context_preference.summarise import summarise_preference
        from surefoot.runs.source import Rows

        rows = Rows.of(rows)
        return summarise_preference(rows, tasks, model, self, self.is_complete(rows, tasks))

    @staticmethod
    def calibrations() -> tuple[Calibration, ...]:
        """Copiers of known loyalty, and the right readings."""
        from surefoot.probes.context_preference.calibrations import calibrations

        return calibrations()

    def _part(self, task: Task) -> Task | None:
        from surefoot.probes.context_preference.units import order_of

        if task.name not in HYBRID or self.order in ("both", task.name):
            return task
        if self.order != "random":
            return None
        examples = tuple(e for e in task.examples if order_of(e.id, self.seed) == task.name)
        return replace(task, examples=examples) if examples else None
