"""The phrasing probe: how far accuracy moves when only the wording of the instruction moves.

For a model, a task with items x and wordings w, every cell (w, x) is answered. With a(w) the accuracy over items,
the probe reports mean, standard deviation and range of a(w) over the wordings that ask for the task, beside what
item sampling alone would give; the accuracy under wordings that ask for something else; and how single answers flip.

Source: Sun, Shaib & Wallace, Evaluating the Zero-shot Robustness of Instruction-tuned Language Models, 2024
(arXiv:2306.11270), sections 3 and 4. Here the options' exact log-probability is the default where the released code
multiplies step probabilities (`answering="paper"`), and options are shuffled by item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.probes.asking import Answering, check_answering, needs
from surefoot.probes.filling import Filling, Memory, Watcher, fill, planned
from surefoot.probes.first_prompts import first_prompts, prompts_to_json
from surefoot.probes.phrasing_summary import PhrasingSummary, summarise, to_dict
from surefoot.probes.reading import Reading
from surefoot.tasks.task import Task

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.calibration import Calibration
    from surefoot.runs import RunSettings


@dataclass(frozen=True)
class Phrasing:
    """The probe and its settings.

    `answering` is how an answer is got: `sum`, `mean` or `end` of an option's log-probability, the released `paper`
    scorer, or `generate` (write, then parse). `recheck` is the share of cells computed a second time in other company
    for the noise floor. Needs `logprobs`, or `generate` where texts are written.
    """

    answering: Answering = "sum"
    recheck: float = 0.01
    seed: int = 0
    batch_cells: int = 128

    name = "phrasing"

    def __post_init__(self) -> None:
        check_answering(self.answering)
        if not 0 <= self.recheck <= 1:
            raise BadInput(f"recheck is {self.recheck}; give the share of cells to compute twice, from 0 to 1.")
        if self.batch_cells < 1:
            raise BadInput(f"batch_cells is {self.batch_cells}; ask at least one cell at a time.")

    @property
    def filling(self) -> Filling:
        return Filling(self.answering, self.recheck, self.seed, self.batch_cells)

    def check(self, model: LanguageModel, tasks: Sequence[Task]) -> None:
        """Refuse a model or tasks that the probe cannot measure, before anything is computed."""
        from surefoot.probes.fitting import refuse_overlong
        from surefoot.tasks.lint import check

        for task in tasks:
            if not any(wording.is_right for wording in task.wordings):
                raise BadInput(
                    f'The task "{task.name}" has no wording that asks for it as it is, and the spread is over those; '
                    "give it some of the class right, or keep them with --classes."
                )
            model.require(needs(task, self.answering), by=f'The phrasing probe of "{task.name}"')
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
            memory = Memory()
            fill(model, tasks, memory, self.filling, watch)
            return self._reading(model, tasks, memory_table(memory), settings, None)
        return self._measure_into(out, model, tasks, settings, watch)

    def _measure_into(
        self, out: str, model: LanguageModel, tasks: Sequence[Task], settings: RunSettings, watch: Watcher | None
    ) -> Reading:
        from surefoot.runs import Run, read_rows

        with Run.open(out, settings) as run:
            run.write_json("prompts.json", prompts_to_json(first_prompts(model, tasks)))
            fill(model, tasks, run, self.filling, watch)
            reading = self._reading(model, tasks, read_rows(out), settings, out)
            run.finish(to_dict(reading.summary))
        return reading

    @staticmethod
    def calibrations() -> tuple[Calibration, ...]:
        """Models of known behaviour and the right readings."""
        from surefoot.probes.phrasing_calibrations import calibrations

        return calibrations()

    def settings(self, model: LanguageModel, tasks: Sequence[Task], call: Mapping[str, Any]) -> RunSettings:
        """What determines the rows, for the run record."""
        from surefoot.runs import ModelSettings, RunSettings, TaskSettings

        card = model.card
        return RunSettings(
            probe=self.name,
            model=ModelSettings(card.name, card.revision, card.dtype, card.device, card.format, card.format_digest),
            tasks=tuple(TaskSettings(t.name, t.hash, len(t.examples), len(t.wordings)) for t in tasks),
            scorer=self.answering,
            seed=self.seed,
            options={"recheck": self.recheck, **card.determinants},
            suite=str(call.get("task", "")),
            arguments=dict(call),
        )

    def summarise(self, rows: pa.Table, tasks: Sequence[Task], model: str) -> PhrasingSummary:
        """The finding from the rows; complete if every planned cell is there."""
        return summarise(rows, tasks, model, rows.num_rows >= planned(tasks, self.filling), seed=self.seed)

    def _reading(
        self, model: LanguageModel, tasks: Sequence[Task], rows: pa.Table, settings: RunSettings, out: str | None
    ) -> Reading:
        from surefoot.runs.record import new_record, read_record

        record = read_record(out) if out else new_record(settings)
        return Reading(self.summarise(rows, tasks, model.name), rows, record, first_prompts(model, tasks), out)


def memory_table(memory: Memory) -> pa.Table:
    """The rows in memory as a table of `ROW_SCHEMA`."""
    import pyarrow as pa

    from surefoot.runs.rows import ROW_SCHEMA

    return pa.Table.from_pylist(memory.rows, schema=ROW_SCHEMA)
