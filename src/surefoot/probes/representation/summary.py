"""What the representation probe reports, derived from its rows and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from surefoot.probes.phrasing.summary import NoiseFloor
from surefoot.probes.summary import PlainJson, Table
from surefoot.stats.intervals import Interval
from surefoot.stats.regression import Line


@dataclass(frozen=True)
class WordingDistance:
    """One wording of one task: where its states lie, and what it costs.

    `distance` is in the model's own units (l2), `scaled` the same divided by the task's `item_scale`; 95 % intervals
    are the bootstrap's over items (none for centroids). `lost` is the accuracy of the reference wordings (without this
    one) minus this wording's.
    """

    id: str
    klass: str
    frame: str
    text: str
    is_reference: bool
    items: int
    accuracy: float
    lost: float
    distance: Interval
    scaled: Interval
    nearest: str  # the reference wording that is nearest most often
    nearest_share: float  # how often


@dataclass(frozen=True)
class ClassDistance:
    """Mean over the wordings of a class; over tasks, the unweighted mean of the tasks."""

    klass: str
    wordings: int
    distance: Interval
    scaled: Interval
    accuracy: float


@dataclass(frozen=True)
class TaskDistance:
    """One task. `reference` says which wordings distances are measured to, `targets` which the line is fitted on."""

    task: str
    items: int
    chance: float | None
    reference: str
    references: int
    targets: tuple[str, ...]  # ids
    target: ClassDistance  # mean over the target wordings
    item_scale: float
    classes: tuple[ClassDistance, ...]
    wordings: tuple[WordingDistance, ...]
    note: str = ""  # why nothing can be said, if so


@dataclass(frozen=True)
class StateNoise:
    """States computed a second time in another batch shape: how far they moved (l2)."""

    rechecked: int
    mean: float
    largest: float


@dataclass(frozen=True)
class Degradation:
    """Accuracy lost against distance over the target wordings of all tasks: slope in accuracy (0..1) per unit.

    `pooled` has one intercept, `within` one for each task; `permutation_p` permutes distances within tasks. `hangs_on`
    says that the line hangs on one wording, if so.
    """

    pooled: Line | None
    within: Line | None
    permutation_p: float
    hangs_on: str
    note: str


@dataclass(frozen=True)
class RepresentationSummary(PlainJson):
    """The representation probe's whole finding for one model."""

    probe: ClassVar[str] = "representation"

    model: str
    layer: int
    measured: str  # item | centroid
    tasks: tuple[TaskDistance, ...]
    classes: tuple[ClassDistance, ...]  # over tasks
    target: ClassDistance  # over tasks, the wordings of the line
    raw: Degradation
    scaled: Degradation
    noise: NoiseFloor
    state_noise: StateNoise
    rows: int
    unparsed: int
    truncated: int
    complete: bool
    seed: int
    points: int

    def sentence(self) -> str:
        """The finding in a sentence."""
        from surefoot.probes.representation.words import sentence

        return sentence(self)

    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before believing the numbers."""
        from surefoot.probes.representation.words import warnings

        return warnings(self)

    def tables(self) -> tuple[Table, ...]:
        """Distance of each task, distance of each class, and the lines."""
        from surefoot.probes.representation.words import class_table, line_table, task_table

        return task_table(self), class_table(self), line_table(self)
