"""Two readings on the same items: what changed, paired item by item, with an interval.

For a task with items x and right wordings w, d(x) is the mean over w of after(w, x) - before(w, x). The interval of
its mean comes from resampling items, all wordings of an item together; the overall difference is the unweighted mean
of the tasks' differences, resampled the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from surefoot.errors import BadInput
from surefoot.stats.bootstrap import item_weights
from surefoot.stats.intervals import Interval, percentile_interval

if TYPE_CHECKING:
    from surefoot.probes.reading import Reading

RESAMPLES = 2000


@dataclass(frozen=True)
class Change:
    """One task, or all tasks: mean score before and after, the paired difference, and the spread over wordings."""

    task: str
    items: int
    before: float
    after: float
    difference: Interval
    spread_before: float
    spread_after: float

    @property
    def verdict(self) -> str:
        """`better`, `worse`, or `no difference shown` where the interval of the difference holds 0."""
        if self.difference.low > 0:
            return "better"
        return "worse" if self.difference.high < 0 else "no difference shown"


@dataclass(frozen=True)
class Comparison:
    """Before and after, task by task and over tasks."""

    before: str
    after: str
    overall: Change
    tasks: tuple[Change, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"before: {self.before}", f"after:  {self.after}", ""]
        lines.append(
            f"{'task':<20}{'items':>6}{'before':>9}{'after':>9}{'change':>9}  {'95 % interval':<18}{'spread':>14}"
        )
        for change in (*self.tasks, self.overall):
            ends = f"{_points(change.difference.low)} to {_points(change.difference.high)}"
            spread = f"{100 * change.spread_before:.1f} -> {100 * change.spread_after:.1f}"
            numbers = f"{100 * change.before:>8.1f}%{100 * change.after:>8.1f}%{_points(change.difference.value):>9}"
            lines.append(f"{change.task:<20}{change.items:>6}{numbers}  {ends:<18}{spread:>14}  {change.verdict}")
        return "\n".join(lines)


def compare(before: Reading, after: Reading, *, seed: int = 0) -> Comparison:
    """The paired difference of two readings of the same cells.

    Raises `BadInput` if the two do not hold the same items under the same wordings. An unparsed answer counts as
    not right.
    """
    left, right = _scores(before), _scores(after)
    _refuse_different(left, right)
    _refuse_changed(before, after)
    rng = np.random.default_rng(seed)
    tasks, draws = [], []
    for task in dict.fromkeys(name for name, _, _ in left):
        change, resampled = _change(task, left, right, rng)
        tasks.append(change)
        draws.append(resampled)
    overall = Change(
        "over tasks",
        sum(change.items for change in tasks),
        float(np.mean([change.before for change in tasks])),
        float(np.mean([change.after for change in tasks])),
        percentile_interval(float(np.mean([c.difference.value for c in tasks])), np.mean(draws, axis=0)),
        float(np.mean([change.spread_before for change in tasks])),
        float(np.mean([change.spread_after for change in tasks])),
    )
    return Comparison(before.summary.model, after.summary.model, overall, tuple(tasks))


_Scores = Mapping[tuple[str, str, str], float]


def _scores(reading: Reading) -> _Scores:
    """Score of each (task, wording, item) under right wordings; unparsed is 0, rechecked rows are left out."""
    from surefoot.text.instruction import RIGHT

    rows = reading.rows.select(["task", "wording", "item", "klass", "recheck", "score"]).to_pylist()
    return {
        (row["task"], row["wording"], row["item"]): row["score"] or 0.0
        for row in rows
        if row["klass"] in RIGHT and not row["recheck"]
    }


def _refuse_different(left: _Scores, right: _Scores) -> None:
    only_left, only_right = sorted(set(left) - set(right)), sorted(set(right) - set(left))
    if only_left or only_right:
        task, wording, item = (only_left or only_right)[0]
        where = "before" if only_left else "after"
        raise BadInput(
            f"The two runs do not hold the same cells: {len(only_left)} only before, {len(only_right)} only after "
            f'(item "{item}" of "{task}" under "{wording}" only {where}); run both with the same task, limit and seed.'
        )
    if not left:
        raise BadInput("The two runs hold no rows under right wordings, so there is nothing to compare.")


def _refuse_changed(before: Reading, after: Reading) -> None:
    """Ids may stay while what stands behind them changes; the tasks' hashes tell."""
    old, new = ({name: told["hash"] for name, told in r.record.get("tasks", {}).items()} for r in (before, after))
    changed = next((name for name in old if name in new and old[name] != new[name]), None)
    if changed is not None:
        raise BadInput(
            f'The items or wordings of "{changed}" are not the same in the two runs, though their ids are; run both '
            "with the same task, seed and shots."
        )


def _change(task: str, left: _Scores, right: _Scores, rng: np.random.Generator) -> tuple[Change, np.ndarray]:
    keys = [key for key in left if key[0] == task]
    wordings = list(dict.fromkeys(wording for _, wording, _ in keys))
    items = list(dict.fromkeys(item for _, _, item in keys))
    before, after = (
        np.array([[scores.get((task, w, i), np.nan) for w in wordings] for i in items]) for scores in (left, right)
    )
    paired = np.nanmean(after - before, axis=1)
    draws = item_weights(len(items), RESAMPLES, rng) @ paired / len(items)
    spreads = [float(np.std(np.nanmean(m, axis=0), ddof=1)) if len(wordings) > 1 else 0.0 for m in (before, after)]
    means = [float(np.nanmean(matrix)) for matrix in (before, after)]
    difference = percentile_interval(float(np.mean(paired)), draws)
    return Change(task, len(items), means[0], means[1], difference, spreads[0], spreads[1]), draws


def _points(value: float) -> str:
    return f"{100 * value:+.1f}"
