"""What the phrasing probe reports, derived from its rows and from nothing else.

The dataclasses below are the vocabulary of the report, the tables and `--json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from surefoot.probes.summary import PlainJson
from surefoot.stats.intervals import Interval

if TYPE_CHECKING:
    import pyarrow as pa

    from surefoot.runs.source import Rows
    from surefoot.tasks.task import Task

__all__ = [
    "ClassScore",
    "Guard",
    "Interval",
    "ItemFlips",
    "NoiseFloor",
    "PhrasingSummary",
    "Spread",
    "TaskSummary",
    "VarianceShare",
    "WordingScore",
    "summarise",
]


@dataclass(frozen=True)
class WordingScore:
    """One wording on one task: accuracy over items (or the mean metric of a generation task)."""

    id: str
    klass: str
    frame: str
    text: str
    accuracy: Interval  # Wilson over items (bootstrap for graded metrics)
    items: int
    unparsed: int
    truncated: int


@dataclass(frozen=True)
class ClassScore:
    """All wordings of one class on one task, or over tasks (unweighted mean of the tasks)."""

    klass: str
    wordings: int
    mean: Interval  # bootstrap over items
    sd: float  # standard deviation over wordings, n - 1
    worst: float
    best: float


@dataclass(frozen=True)
class Spread:
    """The right wordings of one task, and whether their scatter is more than item sampling noise.

    `noise_sd` is the standard deviation over wordings that equally good wordings would show on this many items
    (permutation of the wordings within each item); `p_value` is the share of permutations at least as scattered
    as the data.
    """

    mean: Interval
    sd: Interval  # bootstrap over items
    worst: WordingScore
    best: WordingScore
    range: float
    noise_sd: float
    p_value: float


@dataclass(frozen=True)
class VarianceShare:
    """One source's share of the variance of single answers under right wordings (0..1), with a bootstrap interval."""

    source: str  # frame | wording (within its frame) | item | residual
    share: Interval


@dataclass(frozen=True)
class ItemFlips:
    """One item under the right wordings: how often it is right, and the predicted label under each wording."""

    item: str
    right_rate: float
    outcomes: tuple[str, ...]  # right | wrong | unparsed | missing, as the right ones of `TaskSummary.wordings`


@dataclass(frozen=True)
class Guard:
    """The instruction-ignoring guard: does accuracy depend on what the instruction asks?

    `drop_negated` / `drop_nonsense` are mean accuracy of right wordings minus that of the class. The flag is raised
    where a model is above chance and neither drop is shown to reach `threshold`.
    """

    raised: bool
    sentence: str
    drop_negated: Interval | None
    drop_nonsense: Interval | None
    drop_incorrect: Interval | None
    threshold: float


@dataclass(frozen=True)
class TaskSummary:
    """Everything about one task."""

    task: str
    kind: str
    metric: str
    items: int
    chance: float | None
    classes: tuple[ClassScore, ...]
    spread: Spread | None  # None with fewer than two right wordings
    wordings: tuple[WordingScore, ...]
    flip_rate: float  # share of items that are right under some right wording and not right under another
    pair_flip_rate: float  # chance that two right wordings disagree on a random item
    flips: tuple[ItemFlips, ...]
    variance: tuple[VarianceShare, ...]
    guard: Guard
    unparsed: int
    truncated: int


@dataclass(frozen=True)
class NoiseFloor:
    """Cells computed a second time in another batch shape: how many changed their answer."""

    rechecked: int
    changed: int
    largest_score_change: float  # natural-log units


@dataclass(frozen=True)
class PhrasingSummary(PlainJson):
    """The phrasing probe's whole finding for one model."""

    probe: ClassVar[str] = "phrasing"

    model: str
    tasks: tuple[TaskSummary, ...]
    classes: tuple[ClassScore, ...]  # over tasks
    mean: Interval  # over tasks, right wordings
    mean_sd: float  # unweighted mean of the tasks' spreads
    mean_range: float
    guard: Guard
    noise: NoiseFloor
    items: int
    rows: int
    unparsed: int
    truncated: int
    complete: bool  # whether every planned cell is there


def summarise(
    rows: Rows | pa.Table, tasks: Sequence[Task], model: str, complete: bool, *, seed: int = 0, resamples: int = 2000
) -> PhrasingSummary:
    """The finding of one model, derived from its rows alone; the same rows and seed give the same summary.

    rows: with the columns of `ROW_SCHEMA`, in any order, read one task at a time; rows of other models are left out.
    tasks: the tasks as they were run; a task without rows is left out. An unparsed answer is counted, and counts as
    not right; a missing cell counts for nothing. Intervals resample items (all wordings of an item together) within
    each task. Errors: `BadInput` where no row belongs to the model, a row names a task, wording or item that is not
    there, or a cell occurs twice.
    """
    from surefoot.probes.phrasing.summarise import phrasing_summary

    return phrasing_summary(rows, tasks, model, complete, seed, resamples)
