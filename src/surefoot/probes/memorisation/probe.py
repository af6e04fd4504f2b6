"""The memorisation probe: how many words of a work a model writes down, beyond what unrelated English would give.

A work is an item, a way to ask for it a wording: its first n words (prefix probe), or its title alone (direct probe).
What is scored begins behind the prefix, and what the answer repeats of its prompt does not count. For an answer r and
the reference window v of the work, in words: the longest common subsequence, the longest contiguous run, the runs of at
least m words, the edit distance; each beside its chance level, the mean and 99th percentile over windows of unrelated
works of the same length, and for the run a p-value.

Source: Karamolegkou, Li, Zhou & Søgaard, Copyright Violations and Large Language Models, EMNLP 2023 (arXiv:2310.13771):
the two probes, the subsequence and its threshold of 50 words. Their subsequence passes 50 by chance against a chapter;
chance levels, contiguous runs, the excluded prefix and the correction over works are this project's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from surefoot.errors import BadInput, NotAvailable, nearest
from surefoot.models.base import LanguageModel
from surefoot.probes.asking import Cell
from surefoot.probes.matrix import MatrixProbe
from surefoot.tasks.task import Task

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.calibration import Calibration
    from surefoot.probes.memorisation.summary import MemorisationSummary
    from surefoot.runs.source import Rows

Budget = Literal["new", "inclusive"]
By = Literal["run", "subsequence"]
Source = Literal["others", "unseen", "bundled"]
_CHOICES = {"budget": get_args(Budget), "by": get_args(By), "null": get_args(Source)}


@dataclass(frozen=True)
class Memorisation(MatrixProbe):
    """The probe and its settings. Needs `generate`.

    `window`: words of the reference at most. `least`: words that make a run (m). `samples`: answers drawn at
    `temperature` with seeds `seed`, `seed` + 1, ...; 0 scores the greedy answer instead. `budget`: the task's tokens
    count `new` ones, or the prompt too (`inclusive`, as in the released code). `normalise`: compare words without case
    and punctuation. `by`: the score that is tested. `null`: where unrelated windows come from, the `others` of the
    task, its works of the group `unseen`, or the `bundled` unseen passages; `nulls`: how many windows at most.
    """

    window: int = 200
    least: int = 8
    samples: int = 0
    temperature: float = 1.0
    budget: Budget = "new"
    normalise: bool = True
    by: By = "run"
    null: Source = "others"
    nulls: int = 1000

    name = "memorisation"
    suite: ClassVar[str] = "works:"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (("window", 1), ("least", 1), ("samples", 0), ("nulls", 1)):
            if getattr(self, name) < least:
                raise BadInput(f"{name} is {getattr(self, name)}; give at least {least}.")
        if self.samples and not self.temperature > 0:
            raise BadInput(f"The temperature is {self.temperature}; samples differ only above 0 (samples=0 is greedy).")
        for name, values in _CHOICES.items():
            if getattr(self, name) not in values:
                raise BadInput(
                    f'"{getattr(self, name)}" is not a value of {name}.{nearest(getattr(self, name), values)}'
                )

    @property
    def row_schema(self) -> pa.Schema:
        """The columns of an answer, and beside the greedy `text` the drawn `samples`; means over the scored answers of
        `longest_run` and `subsequence`, in words; `reference_words`; `echoed`, the words repeated of the prompt."""
        import pyarrow as pa

        added = [("samples", pa.list_(pa.string())), ("longest_run", pa.float64()), ("subsequence", pa.float64())]
        schema = super().row_schema
        for name, kind in (*added, ("reference_words", pa.int32()), ("echoed", pa.int32())):
            schema = schema.append(pa.field(name, kind))
        return schema

    @property
    def row_options(self) -> Mapping[str, Any]:
        names = ("window", "samples", "temperature", "budget", "normalise")
        return {name: getattr(self, name) for name in names}

    def check(self, model: LanguageModel, tasks: Sequence[Task]) -> None:
        """As every matrix probe; refuses tasks that are not made of works."""
        from surefoot.probes.memorisation.summarise import refuse_without_null

        for task in tasks:
            if task.kind != "generation" or any("title" not in example.fields for example in task.examples):
                raise BadInput(
                    f'The task "{task.name}" is not made of works; give --works FILE, --task works:FILE or '
                    "surefoot.memorisation.asking.works_task(...)."
                )
        if "generate" not in model.can:
            raise NotAvailable(f'The memorisation probe needs generate, which "{model.name}" does not offer; take a '
                               "model that writes.")  # fmt: skip
        for task in tasks:
            refuse_without_null(task, self)
        super().check(model, tasks)

    def extend(self, model: LanguageModel, cells: Sequence[Cell], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows with the samples and scores."""
        from surefoot.probes.memorisation.rows import extended

        return extended(self, model, cells, rows)

    def summarise(self, rows: Rows | pa.Table, tasks: Sequence[Task], model: str) -> MemorisationSummary:
        """The finding from the rows; complete if every planned cell is there."""
        from surefoot.probes.memorisation.summarise import summarise
        from surefoot.runs.source import Rows

        rows = Rows.of(rows)
        return summarise(rows, tasks, model, self, self.is_complete(rows, tasks))

    @staticmethod
    def calibrations() -> tuple[Calibration, ...]:
        """Models whose copying is known exactly, and the right readings."""
        from surefoot.probes.memorisation.calibrations import calibrations

        return calibrations()
