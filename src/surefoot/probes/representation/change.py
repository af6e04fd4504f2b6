"""Two readings of the representation probe on the same items: how a treatment moved each wording's states.

For a wording w with distances d(w, x) before and d'(w, x) after (item by item), the change is the mean over items of
d' - d. Raw distances are in each model's own units, and a treatment may change them all, so the change of d / s is
given as well, with each model's own scale s (`item_scale`). Intervals resample items, before and after together; the
scales are held fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from surefoot.errors import BadInput
from surefoot.probes.reading import Reading
from surefoot.probes.representation.distance import item_scale, nearest_by_item, states_of
from surefoot.probes.representation.summary import TaskDistance
from surefoot.probes.summary import plain
from surefoot.runs.source import Rows
from surefoot.stats.bootstrap import generator, mean_over, resampled_column_means
from surefoot.stats.intervals import Floats, Interval, percentile_interval

RESAMPLES = 2000


@dataclass(frozen=True)
class Moved:
    """A distance before and after, and the paired difference with its 95 % interval."""

    before: float
    after: float
    difference: Interval


@dataclass(frozen=True)
class WordingChange:
    """One wording of one task: in the models' units, and free of scale."""

    id: str
    klass: str
    is_target: bool
    items: int
    distance: Moved
    scaled: Moved


@dataclass(frozen=True)
class TaskChange:
    """One task; `distance` and `scaled` are means over its target wordings."""

    task: str
    wordings: tuple[WordingChange, ...]
    distance: Moved
    scaled: Moved


@dataclass(frozen=True)
class DistanceChange:
    """All tasks; `distance` and `scaled` are unweighted means over them."""

    before: str
    after: str
    layer: int
    tasks: tuple[TaskChange, ...]
    distance: Moved
    scaled: Moved

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        found: dict[str, Any] = plain(self)
        return found

    def __str__(self) -> str:
        lines = [f"before: {self.before}", f"after:  {self.after}", ""]
        lines.append(f"{'task':<20}{'l2 before':>10}{'after':>8}{'change':>22}{'scaled':>9}{'after':>7}{'change':>24}")
        lines += [_line(change.task, change.distance, change.scaled) for change in self.tasks]
        return "\n".join([*lines, _line("over tasks", self.distance, self.scaled)])


def distance_change(before: Reading, after: Reading, *, seed: int = 0, resamples: int = RESAMPLES) -> DistanceChange:
    """How far the wordings' states moved, wording by wording, item by item, paired.

    The reference wordings are those of `before`. Raises `BadInput` for readings of another probe, of other layers or
    other tasks. Memory: the states of one task, before and after.
    """
    _refuse_different(before, after)
    pairs = {task.task: task for task in before.summary.tasks}
    drawn = [_task(before, after, task, seed, resamples) for task in pairs.values()]

    def over(raw: bool) -> Moved:
        parts = [(change.distance if raw else change.scaled, d[0 if raw else 1]) for change, d in drawn]
        old, new = (float(np.mean([getattr(part, name) for part, _ in parts])) for name in ("before", "after"))
        return _moved(old, new, np.mean([draws for _, draws in parts], axis=0))

    return DistanceChange(
        before.summary.model,
        after.summary.model,
        before.summary.layer,
        tuple(change for change, _ in drawn),
        over(True),
        over(False),
    )


def _refuse_different(before: Reading, after: Reading) -> None:
    for reading in (before, after):
        if reading.probe != "representation":
            raise BadInput(f"A reading of the {reading.probe} probe has no states; measure with representation.")
    if before.summary.layer != after.summary.layer:
        raise BadInput(
            f"The layers differ, {before.summary.layer} before and {after.summary.layer} after; measure at one layer."
        )
    old, new = ({name: told["hash"] for name, told in r.record["tasks"].items()} for r in (before, after))
    odd = next((name for name in {**old, **new} if old.get(name) != new.get(name)), None)
    if odd is not None:
        raise BadInput(f'The task "{odd}" is not the same in the two readings; measure the same items and wordings.')


def _task(
    before: Reading, after: Reading, task: TaskDistance, seed: int, resamples: int
) -> tuple[TaskChange, tuple[Floats, Floats]]:
    ids = [wording.id for wording in task.wordings]
    reference = [j for j, wording in enumerate(task.wordings) if wording.is_reference]
    items = _items(before, after, task.task)
    found = [_distances(reading, task.task, ids, items, reference) for reading in (before, after)]
    raw = [distance for distance, _ in found]
    scaled = [distance / scale for distance, scale in found]
    targets = [j for j, wording in enumerate(task.wordings) if wording.id in task.targets]
    draws = [_draws(pair, seed, task.task, resamples) for pair in (raw, scaled)]
    wordings = tuple(
        WordingChange(
            wording.id,
            wording.klass,
            wording.id in task.targets,
            int(np.isfinite(raw[1][:, j] - raw[0][:, j]).sum()),
            *(_mean_moved(pair, [j], d) for pair, d in ((raw, draws[0]), (scaled, draws[1]))),
        )
        for j, wording in enumerate(task.wordings)
    )
    over = [_mean_moved(pair, targets, d) for pair, d in ((raw, draws[0]), (scaled, draws[1]))]
    kept = (mean_over(draws[0][:, targets]), mean_over(draws[1][:, targets]))
    return TaskChange(task.task, wordings, over[0], over[1]), kept


def _items(before: Reading, after: Reading, task: str) -> list[str]:
    import pyarrow.compute as pc

    own = (pc.field("task") == task) & ~pc.field("recheck")
    sides = [set(Rows.of(reading.source).names("item", own)) for reading in (before, after)]
    return sorted(sides[0] & sides[1])


def _distances(
    reading: Reading, task: str, wordings: Sequence[str], items: Sequence[str], reference: Sequence[int]
) -> tuple[Floats, float]:
    states = states_of(Rows.of(reading.source), reading.summary.model, task, wordings, items)
    scale = item_scale(states, reference)
    return nearest_by_item(states, reference).distance, scale if scale > 0 else np.nan


def _draws(pair: Sequence[Floats], seed: int, task: str, resamples: int) -> Floats:
    """The wordings' mean differences in every resample of the items: resamples x wordings."""
    return resampled_column_means(pair[1] - pair[0], resamples, generator(seed, task, "distance change"))


def _mean_moved(pair: Sequence[Floats], places: Sequence[int], draws: Floats) -> Moved:
    """Means over the items that both sides have, then over these wordings."""
    paired = np.isfinite(pair[1] - pair[0])
    old, new = (float(mean_over(mean_over(np.where(paired, side, np.nan)[:, places].T))) for side in pair)
    return _moved(old, new, mean_over(draws[:, places]))


def _moved(before: float, after: float, draws: Floats) -> Moved:
    return Moved(before, after, percentile_interval(after - before, draws))


def _line(name: str, distance: Moved, scaled: Moved) -> str:
    raw = f"{distance.before:>10.2f}{distance.after:>8.2f}{_ends(distance.difference, 2):>22}"
    return f"{name:<20}{raw}{scaled.before:>9.3f}{scaled.after:>7.3f}{_ends(scaled.difference, 3):>24}"


def _ends(difference: Interval, digits: int) -> str:
    value, low, high = (f"{v:+.{digits}f}" for v in (difference.value, difference.low, difference.high))
    return f"{value} ({low} to {high})"
