"""What the implicit-reasoning probe reports, derived from rows and items and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import ClassVar

from surefoot.probes.multi_hop.summary import percent
from surefoot.probes.summary import PlainJson, Table
from surefoot.stats.intervals import Interval

TIED = 0.05  # the share of answers from which ties are told


@dataclass(frozen=True)
class ConditionFinding:
    """One way of asking: accuracy with its 95 % Wilson interval, how many answers were yes, and for how many yes and no
    had the same score, which counts as yes."""

    task: str
    condition: str
    shows: str
    questions: int
    accuracy: Interval
    yes: int
    ties: int
    unparsed: int


@dataclass(frozen=True)
class Retrieved:
    """Recall@10 of a task's gold documents, means over questions: by the question as query (IR-Q), by predicted steps
    (IR-D, NaN without any), by the gold steps as they are `written` (IR-ORA-D) and by those with answers filled in,
    `pooled`; and of each step's own documents by that step (NaN for one without any)."""

    task: str
    questions: int
    question: float
    predicted: float
    written: float
    pooled: float
    steps: tuple[float, ...]


@dataclass(frozen=True)
class ImplicitSummary(PlainJson):
    """The implicit-reasoning probe's whole finding for one model. `majority` is the share of the more frequent answer,
    by task; `sari` the mean over written decompositions, NaN without any."""

    probe: ClassVar[str] = "implicit-reasoning"

    model: str
    findings: tuple[ConditionFinding, ...]
    majority: dict[str, float]
    retrieved: tuple[Retrieved, ...]
    sari: float
    decompositions: int
    rows: int
    complete: bool
    seed: int

    def finding(self, condition: str) -> ConditionFinding:
        """The finding of the first task under a condition."""
        return next(one for one in self.findings if one.condition == condition)

    def sentence(self) -> str:
        """The finding in a sentence."""
        if not self.findings:
            return "No question has an answer yet."
        told = ", ".join(f"{percent(one.accuracy.value)} {one.shows}" for one in self.findings[:4])
        task = self.findings[0].task
        return (
            f"Yes or no is right for {told}; always giving the more frequent answer has {percent(self.majority[task])}."
        )

    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before believing the numbers."""
        one_sided = [one.condition for one in self.findings if one.questions > 1 and one.yes in (0, one.questions)]
        found = [] if self.complete else ["The run is not complete."]
        if one_sided:
            found.append(f"Every answer is the same under {', '.join(one_sided)}: the accuracy is that of the answer.")
        tied = [
            f"{one.condition} ({one.ties} of {one.questions})"
            for one in self.findings
            if one.ties > TIED * one.questions
        ]
        if tied:
            found.append(
                f"Yes and no have the same score under {', '.join(tied)}, "
                "which counts as yes; --dtype float32 parts them."
            )
        return tuple(found)

    def tables(self) -> tuple[Table, ...]:
        """Accuracy by condition, recall, decompositions."""
        rows = tuple(
            (f"{o.task}: {o.condition}", o.shows, str(o.questions), _interval(o.accuracy), f"{o.yes} of {o.questions}")
            for o in self.findings
        )
        always = ", ".join(f"{percent(share)} of {task}" for task, share in self.majority.items())
        raw = any(one.condition == "raw" for one in self.findings)
        note = (
            f"With 95 % Wilson intervals. Always giving the more frequent answer is right for {always}."
            f"{' raw is a control: what #k stands for in the last step is not said.' if raw else ''}"
        )
        found = [Table("Yes or no", ("asked", "shown", "questions", "right", "yes"), rows, note)]
        if self.retrieved:
            found.append(_retrieved_table(self.retrieved))
        if self.decompositions:
            line = (self.model, str(self.decompositions), f"{self.sari:.3f}")
            found.append(Table("Decompositions that the model wrote", ("model", "questions", "SARI"), (line,)))
        return tuple(found)


def _retrieved_table(retrieved: tuple[Retrieved, ...]) -> Table:
    steps = max(len(one.steps) for one in retrieved)
    ways = ("by the question", "by predicted steps", "by the steps", "answers filled in")
    columns = ("task", *ways, *(f"step {n + 1}" for n in range(steps)))
    rows = tuple(
        (
            one.task,
            *(_share(share) for share in (one.question, one.predicted, one.written, one.pooled)),
            *(_share(share) for share in one.steps),
            *["–"] * (steps - len(one.steps)),
        )
        for one in retrieved
    )
    return Table("Recall@10 of the gold documents", columns, rows, "Single steps: gold ones, answers filled in.")


def _share(share: float) -> str:
    return "–" if isnan(share) else percent(share)


def _interval(one: Interval) -> str:
    return f"{percent(one.value)} ({100 * one.low:.1f} to {100 * one.high:.1f})"
