"""The context-conflict probe: when a passage contradicts what a model knows, which of the two does it answer with?

For facts that the model knows closed book, with a passage that states another value of the same type, the answers are
the passage's (swapped), the model's own (original), or another. Memorisation ratio: original / (original + swapped).
The same questions behind a passage that agrees show what a treatment costs; sayings that must end in another word than
the known one (forced, memorised, other) are the same conflict with an instruction as the context.

Source: Longpre et al. 2021, Entity-based knowledge conflicts in question answering (arXiv:2109.05052), for swapped
values, pre-selection and the ratio; Shi et al. 2023, Trusting your evidence (arXiv:2305.14739), for the use of both
kinds of conflict to judge decoding; MemoTrap for the endings. Here a fact counts as known if its answer is right under
every closed-book wording, and a written answer may be a sentence that names one value.
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
from surefoot.tasks.task import Task
from surefoot.worlds.conflicts import CLOSED, CONDITIONS, PASSAGES

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.calibration import Calibration
    from surefoot.probes.context_conflict.summary import ContextConflictSummary
    from surefoot.runs.source import Rows

Match = Literal["named", "exact"]


@dataclass(frozen=True)
class ContextConflict(MatrixProbe):
    """The probe and its settings. Needs `logprobs` (forced choice), or `generate` where answers are written.

    `known` says which facts are put behind passages: `own`, those that the closed-book answers of this run have right;
    `all`; or the folder of another run of this probe, whose known facts are taken. A treated model is measured on the
    untreated model's facts with the untreated run's folder; a treatment that leaves prompts without a context alone, as
    `cad` does, has the same facts anyway. `compare` refuses runs with other facts. `match` reads written answers:
    `named`, the one value that the first line names; `exact`, the first line is the value or another accepted name of
    it, normalised.
    """

    known: str = "own"
    match: Match = "named"

    name = "context-conflict"
    suite: ClassVar[str] = "conflict"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.match not in get_args(Match):
            raise BadInput(f'"{self.match}" is not a way to read answers.{nearest(self.match, get_args(Match))}')

    @property
    def row_options(self) -> Mapping[str, Any]:
        """The facts that another run knows are named by a digest, so that its folder may move."""
        from surefoot.probes.context_conflict.known import digest, known_of_run

        known = self.known if self.known in ("own", "all") else digest(known_of_run(self.known))
        return {"known": known, "match": self.match}

    def check(self, model: LanguageModel, tasks: Sequence[Task]) -> None:
        """As every matrix probe; refuses a task that is no condition of this probe, and a selection without source."""
        from surefoot.probes.context_conflict.known import known_of_run

        names = [task.name for task in tasks]
        odd = next((name for name in names if name not in CONDITIONS), None)
        if odd is not None:
            raise BadInput(
                f'The task "{odd}" is no condition of the context-conflict probe, which are {", ".join(CONDITIONS)}; '
                "name the suite conflict, or conflict:FACTS.jsonl for facts of your own."
            )
        if self.known == "own" and _open(tasks) and CLOSED not in names:
            raise BadInput(
                f'What the model knows is read from the task "{CLOSED}", which is not among {", ".join(names)}; '
                "add it, or give known=all or the folder of a run."
            )
        super().check(model, tasks)
        if self.known not in ("own", "all"):
            known_of_run(self.known)

    def stages(self, tasks: Sequence[Task], rows: Callable[[], Rows]) -> Iterator[Sequence[Task]]:
        """What needs no selection first, then the passages, for the facts that are known by then."""
        if self.known == "all" or not _open(tasks):
            yield tasks
            return
        first = [task for task in tasks if task.name not in PASSAGES]
        if first:
            yield first
        yield from self._selected(tasks, self._known(tasks, rows()))

    def is_complete(self, rows: Rows, tasks: Sequence[Task]) -> bool:
        """Whether every planned row is there; which facts another run knows is seen by the rows themselves."""
        if self.known in ("own", "all"):
            stages = list(self.stages(tasks, lambda: rows))
        else:
            import pyarrow.compute as pc

            seen = frozenset(rows.names("item", pc.field("task").isin(PASSAGES)))
            if _open(tasks) and not seen:
                return False
            stages = [[task for task in tasks if task.name not in PASSAGES], *self._selected(tasks, seen)]
        return rows.count >= sum(planned(stage, self.filling) for stage in stages if stage)

    def extend(self, model: LanguageModel, cells: Sequence[Cell], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Written answers are read again, with other accepted names, and sayings by their last word."""
        from surefoot.probes.context_conflict.reading import read_again

        if self.answering != "generate":
            return rows
        return [read_again(cell, row, self.match) for cell, row in zip(cells, rows, strict=True)]

    def summarise(self, rows: Rows | pa.Table, tasks: Sequence[Task], model: str) -> ContextConflictSummary:
        """The finding from the rows; complete if every planned cell is there."""
        from surefoot.probes.context_conflict.summarise import summarise_conflicts
        from surefoot.runs.source import Rows

        rows = Rows.of(rows)
        return summarise_conflicts(rows, tasks, model, self, self.is_complete(rows, tasks))

    @staticmethod
    def calibrations() -> tuple[Calibration, ...]:
        """Models whose loyalty is planted, and the right readings."""
        from surefoot.probes.context_conflict.calibrations import calibrations

        return calibrations()

    def _known(self, tasks: Sequence[Task], rows: Rows) -> frozenset[str]:
        from surefoot.probes.context_conflict.known import known_items, known_of_run

        if self.known != "own":
            return known_of_run(self.known)
        return known_items(rows)

    @staticmethod
    def _selected(tasks: Sequence[Task], known: frozenset[str]) -> Iterator[Sequence[Task]]:
        """One stage of the tasks with passages, reduced to these facts; none where there is no such fact."""
        pairs = [(task, tuple(e for e in task.examples if e.id in known)) for task in _open(tasks)]
        stage = [replace(task, examples=examples) for task, examples in pairs if examples]
        if stage:
            yield stage


def _open(tasks: Sequence[Task]) -> list[Task]:
    """The tasks that show a passage about a fact."""
    return [task for task in tasks if task.name in PASSAGES]
