"""What a probe is, and the ground of all probes that fill the matrix (task x wording x item)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.probes.asking import Answering, Cell, check_answering, needs
from surefoot.probes.filling import Filling, Memory, Sink, Step, Watcher, fill, planned
from surefoot.probes.first_prompts import first_prompts, prompts_to_json
from surefoot.probes.reading import Reading
from surefoot.probes.summary import Summary
from surefoot.tasks.task import Task

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.calibration import Calibration
    from surefoot.runs import RunSettings
    from surefoot.runs.source import Rows


class Probe(Protocol):
    """A frozen dataclass of settings that measures one slip of a model.

    Its fields are written into the run record, and `probe_of` builds it from them again to read a run's rows. `suite`
    is what it measures where no task is named.
    """

    name: ClassVar[str]
    suite: ClassVar[str]

    @property
    def filling(self) -> Filling:
        """How the matrix is filled; progress and the preflight go by it."""
        ...

    def check(self, model: LanguageModel, tasks: Sequence[Task]) -> None:
        """Refuse a model or tasks that cannot be measured, before anything is computed."""
        ...

    def measure(
        self,
        model: LanguageModel,
        tasks: Sequence[Task],
        *,
        out: str | None = None,
        call: Mapping[str, Any] | None = None,
        watch: Watcher | None = None,
    ) -> Reading: ...

    def settings(self, model: LanguageModel, tasks: Sequence[Task], call: Mapping[str, Any]) -> RunSettings:
        """What determines the rows, for the run record."""
        ...

    def summarise(self, rows: Rows | pa.Table, tasks: Sequence[Task], model: str) -> Summary:
        """The finding from the rows, of a run that may be unfinished."""
        ...

    @staticmethod
    def calibrations() -> tuple[Calibration, ...]:
        """Models of known behaviour and the right readings."""
        ...


@dataclass(frozen=True)
class MatrixProbe(ABC):
    """A probe that has every item answered under every wording. A subclass says what follows from the rows.

    `answering` is how an answer is got: `sum`, `mean` or `end` of an option's log-probability, the released `paper`
    scorer, or `generate` (write, then parse). `recheck` is the share of cells computed a second time in other company
    for the noise floor. Needs `logprobs`, or `generate` where texts are written.
    """

    answering: Answering = "sum"
    recheck: float = 0.01
    seed: int = 0
    batch_cells: int = 128

    name: ClassVar[str]
    suite: ClassVar[str] = "demo"

    def __post_init__(self) -> None:
        check_answering(self.answering)
        if not 0 <= self.recheck <= 1:
            raise BadInput(f"recheck is {self.recheck}; give the share of cells to compute twice, from 0 to 1.")
        if self.batch_cells < 1:
            raise BadInput(f"batch_cells is {self.batch_cells}; ask at least one cell at a time.")

    @property
    def filling(self) -> Filling:
        return Filling(self.answering, self.recheck, self.seed, self.batch_cells)

    @property
    def row_schema(self) -> pa.Schema:
        """The columns of the rows: those of an answer."""
        from surefoot.runs.rows import ROW_SCHEMA

        return ROW_SCHEMA

    @property
    def row_options(self) -> Mapping[str, Any]:
        """Settings of the subclass that change rows; the others change only what is made of them."""
        return {}

    @abstractmethod
    def summarise(self, rows: Rows | pa.Table, tasks: Sequence[Task], model: str) -> Summary: ...

    @staticmethod
    @abstractmethod
    def calibrations() -> tuple[Calibration, ...]: ...

    def extend(self, model: LanguageModel, cells: Sequence[Cell], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows of a batch with what the probe measures beside the answers."""
        return rows

    def stages(self, tasks: Sequence[Task], rows: Callable[[], Rows]) -> Iterator[Sequence[Task]]:
        """The tasks in the order in which they are filled. A later stage may depend on `rows`, those that are there."""
        yield tasks

    def documents(self, rows: Rows, tasks: Sequence[Task], model: str) -> Mapping[str, Any]:
        """What else a finished run keeps of its rows, by file name, as plain JSON."""
        return {}

    def check(self, model: LanguageModel, tasks: Sequence[Task]) -> None:
        """Refuse a model or tasks that the probe cannot measure, before anything is computed."""
        from surefoot.probes.fitting import refuse_overlong
        from surefoot.tasks.lint import check

        for task in tasks:
            if not any(wording.is_right for wording in task.wordings):
                raise BadInput(
                    f'The task "{task.name}" has no wording that asks for it as it is, and the {self.name} probe '
                    "measures those; give it some of the class right, or keep them with --classes."
                )
            model.require(needs(task, self.answering), by=f'The {self.name} probe of "{task.name}"')
            check(task, scorer="paper" if self.answering == "paper" else "sum")
        refuse_overlong(model, tasks, self.answering)

    def measure(
        self,
        model: LanguageModel,
        tasks: Sequence[Task],
        *,
        out: str | None = None,
        call: Mapping[str, Any] | None = None,
        watch: Watcher | None = None,
    ) -> Reading:
        """Fill the matrix and summarise it.

        With `out` the rows are kept in a run folder, from which the same call goes on after an interruption; without,
        in memory. `call` is what the user asked for, kept in the run record; `watch` is told of each finished batch.
        """
        self.check(model, tasks)
        settings = self.settings(model, tasks, call or {})
        if out is None:
            return self._measure_here(model, tasks, settings, watch)
        return self._measure_into(out, model, tasks, settings, watch)

    def settings(self, model: LanguageModel, tasks: Sequence[Task], call: Mapping[str, Any]) -> RunSettings:
        """What determines the rows, for the run record."""
        from surefoot.runs import ModelSettings, RunSettings, TaskSettings
        from surefoot.runs.rows import ROW_SCHEMA

        card, schema = model.card, self.row_schema
        return RunSettings(
            probe=self.name,
            model=ModelSettings(card.name, card.revision, card.dtype, card.device, card.format, card.format_digest),
            tasks=tuple(TaskSettings(t.name, t.hash, len(t.examples), len(t.wordings)) for t in tasks),
            scorer=self.answering,
            seed=self.seed,
            options={"recheck": self.recheck, **self.row_options, **card.determinants},
            suite=str(call.get("task", "")),
            arguments=dict(call),
            settings=asdict(self),
            schema=None if schema.equals(ROW_SCHEMA) else schema,
        )

    def is_complete(self, rows: Rows, tasks: Sequence[Task]) -> bool:
        """Whether every planned row is there."""
        return rows.count >= planned(tasks, self.filling)

    def _fill(
        self, model: LanguageModel, tasks: Sequence[Task], sink: Sink, rows: Callable[[], Rows], watch: Watcher | None
    ) -> None:
        """Fill stage after stage; the watcher is told of all stages as of one."""
        before = last = Step("", "", 0, 0)

        def told(step: Step) -> None:
            nonlocal last
            last = step._replace(cells=before.cells + step.cells, computed=before.computed + step.computed)
            if watch:
                watch(last)

        for stage in self.stages(tasks, rows):
            before = last
            fill(model, stage, sink, self.filling, told, self.extend)

    def _measure_here(
        self, model: LanguageModel, tasks: Sequence[Task], settings: RunSettings, watch: Watcher | None
    ) -> Reading:
        import pyarrow as pa

        from surefoot.runs.record import new_record
        from surefoot.runs.source import Rows

        memory = Memory()

        def stored() -> Rows:
            return Rows(pa.Table.from_pylist(memory.rows, schema=self.row_schema))

        self._fill(model, tasks, memory, stored, watch)
        rows = stored()
        summary = self.summarise(rows, tasks, model.name)
        return Reading(summary, rows, new_record(settings), first_prompts(model, tasks))

    def _measure_into(
        self, out: str, model: LanguageModel, tasks: Sequence[Task], settings: RunSettings, watch: Watcher | None
    ) -> Reading:
        from surefoot.runs import Run
        from surefoot.runs.record import read_record
        from surefoot.runs.source import Rows

        with Run.open(out, settings) as run:
            model.keep_answers(out)
            prompts = first_prompts(model, tasks)
            run.write_json("prompts.json", prompts_to_json(prompts))
            self._fill(model, tasks, run, lambda: Rows(out), watch)
            run.compact()
            rows = Rows(out)
            summary = self.summarise(rows, tasks, model.name)
            for name, document in self.documents(rows, tasks, model.name).items():
                run.write_json(name, document)
            run.finish(summary.to_dict(), compact=False)
        return Reading(summary, rows, read_record(out), prompts, out)
