"""What a comparison says: the vocabulary of its table, its report and its JSON. Shares are 0..1, p-values too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from surefoot.stats.intervals import Interval

Verdict = Literal["better", "worse", "no difference shown"]
LEVEL = 0.05
GUARDS = ("negated", "nonsense")  # classes that an obedient model does worse on


@dataclass(frozen=True)
class Effect:
    """One quantity before and after, and the paired difference with its 95 % interval.

    `p_value` is the permutation test's, `p_corrected` Holm's over the tasks and models that were looked at; `verdict`
    follows from the latter at 5 %. For a control class or a drop, `better` means more accuracy or a larger drop.
    """

    before: float
    after: float
    difference: Interval
    p_value: float
    p_corrected: float
    verdict: Verdict


@dataclass(frozen=True)
class ClassChange:
    """All wordings of one class: mean accuracy, and for a control class the drop from right wordings to it."""

    klass: str
    wordings: int
    mean: Effect
    drop: Effect | None


@dataclass(frozen=True)
class McNemar:
    """Items whose mean score over right wordings is above 1/2 only after, or only before, and the exact p-value."""

    gained: int
    lost: int
    p_value: float


@dataclass(frozen=True)
class Needed:
    """How many items (of each task) show a difference in mean of `difference`, and what these items could show.

    Both with power 0.8 at `level`, the level that the smallest p-value must reach. `items` is None where no item
    changed, so that there is no variance to go by.
    """

    difference: float
    items: int | None
    detectable: float
    level: float


@dataclass(frozen=True)
class Change:
    """One task, or all tasks (unweighted).

    `mean` and `worst` are over right wordings. `spread` is the sd over right wordings beyond item noise, cut at 0;
    `sd_before` and `sd_after` are the plain ones, as the phrasing probe reports them. All four are None with one right
    wording. `worst_before` and `worst_after` name the worst wordings of a task.
    """

    task: str
    items: int
    wordings: int
    mean: Effect
    spread: Effect | None
    worst: Effect | None
    sd_before: float | None
    sd_after: float | None
    worst_before: str
    worst_after: str
    mcnemar: McNemar
    needed: Needed
    classes: tuple[ClassChange, ...]

    @property
    def verdict(self) -> Verdict:
        """The verdict on the mean."""
        return self.mean.verdict

    @property
    def guard_worsened(self) -> bool:
        """Whether the drop under negated or nonsense wordings is shown to have shrunk."""
        drops = (one.drop for one in self.classes if one.klass in GUARDS)
        return any(drop is not None and drop.verdict == "worse" for drop in drops)


@dataclass(frozen=True)
class Flip:
    """One item under right wordings: mean score before and after; wordings under which it was lost, and gained."""

    task: str
    item: str
    before: float
    after: float
    lost: int
    gained: int


@dataclass(frozen=True)
class WordingChange:
    """One wording: mean score over items, before and after."""

    task: str
    wording: str
    klass: str
    before: float
    after: float


@dataclass(frozen=True)
class Noise:
    """Cells whose answer changed: among those computed twice in one run (both runs together), and between the runs."""

    rechecked: int
    changed: int
    cells: int
    moved: int


@dataclass(frozen=True)
class Pair:
    """One run compared with the baseline. `left_out` counts the cells of either run that were not compared."""

    before: str
    after: str
    sentences: tuple[str, ...]
    warnings: tuple[str, ...]
    overall: Change
    tasks: tuple[Change, ...]
    flips: tuple[Flip, ...]
    wordings: tuple[WordingChange, ...]
    noise: Noise
    left_out: tuple[int, int]
    settings: tuple[tuple[str, str, str], ...]

    @property
    def verdict(self) -> Verdict:
        """The verdict on the mean over tasks."""
        return self.overall.verdict


@dataclass(frozen=True)
class RunNamed:
    """A run that took part: the name used here, its folder if it has one, and its record."""

    label: str
    path: str | None
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Every further run compared with the first one, the baseline.

    Printing it shows tables, a notebook shows HTML, `save` writes the report or the JSON.
    """

    runs: tuple[RunNamed, ...]
    pairs: tuple[Pair, ...]
    common: bool
    detect: float
    seed: int

    @property
    def before(self) -> str:
        """The baseline."""
        return self.runs[0].label

    @property
    def after(self) -> str:
        """The first run compared with it."""
        return self.pairs[0].after

    @property
    def overall(self) -> Change:
        """The first pair over its tasks."""
        return self.pairs[0].overall

    @property
    def tasks(self) -> tuple[Change, ...]:
        """The first pair task by task."""
        return self.pairs[0].tasks

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: everything but the run records, of which `runs` has names and folders."""
        plain = {key: value for key, value in asdict(self).items() if key != "runs"}
        return {"runs": [{"label": run.label, "path": run.path} for run in self.runs], **plain}

    def save(self, path: str | Path) -> Path:
        """Write one HTML file that opens without network; `.json` writes `to_dict` instead. Returns the path.

        Raises `BadInput` for a path that cannot be written, `OutOfSpace` for a full disk.
        """
        from surefoot.report.comparison import report_html
        from surefoot.report.html import write_text

        if str(path).endswith(".json"):
            return write_text(path, json.dumps(self.to_dict(), ensure_ascii=False, indent=2) + "\n")
        return write_text(path, report_html(self))

    def __str__(self) -> str:
        from surefoot.report.comparison_terminal import comparison_text

        return comparison_text(self)

    def _repr_html_(self) -> str:
        from surefoot.report.comparison import fragment_html

        return fragment_html(self)
