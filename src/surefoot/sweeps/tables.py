"""The tables of a sweep: a line an arm."""

from __future__ import annotations

from surefoot.probes.phrasing.summary import ClassScore
from surefoot.probes.summary import Table
from surefoot.report.numbers import NOTHING, ends, p_value, percent, points, signed_points
from surefoot.stats.intervals import Interval
from surefoot.sweeps.result import ArmFinding, Sweep
from surefoot.text.instruction import KLASSES


def tables_of(found: Sweep) -> tuple[Table, ...]:
    """Classes, drops from right wordings, spreads, gaps between the two classes; those with lines."""
    made = (_classes(found), _drops(found), _spreads(found), _gaps(found))
    return tuple(table for table in made if table.rows)


def class_of(arm: ArmFinding, klass: str) -> ClassScore | None:
    return next((score for score in arm.summary.classes if score.klass == klass), None)


def present(found: Sweep) -> list[str]:
    return [klass for klass in KLASSES if any(class_of(arm, klass) for arm in found.arms)]


def _classes(found: Sweep) -> Table:
    klasses = present(found)
    scores = [(arm.label, [class_of(arm, klass) for klass in klasses]) for arm in found.arms]
    rows = [(label, *(percent(s.mean.value) if s else NOTHING for s in own)) for label, own in scores]
    note = "Mean accuracy over the wordings of a class, then over tasks."
    return Table("Classes of wordings", ("", *klasses), tuple(rows), note)


def _drops(found: Sweep) -> Table:
    names = (("negated", "drop_negated"), ("nonsense", "drop_nonsense"), ("incorrect", "drop_incorrect"))
    rows = [(arm.label, *(_signed(getattr(arm.summary.guard, key)) for _, key in names)) for arm in found.arms]
    note = (
        "Mean of right wordings minus that of the class, in points, with 95 % intervals over items. "
        "A model that follows its instructions drops."
    )
    return Table("What is lost where something else is asked", ("", *(n for n, _ in names)), tuple(rows), note)


def _spreads(found: Sweep) -> Table:
    rows = []
    for arm in found.arms:
        tasks = [task for task in arm.summary.tasks if task.spread is not None]
        beyond = sum(1 for task in tasks if task.spread is not None and task.spread.p_value < 0.05 / len(tasks))
        size = NOTHING if arm.parameters is None else f"{arm.parameters / 1e6:,.0f} M"
        mean, summary = arm.summary.mean, arm.summary
        numbers = (size, percent(mean.value), ends(mean), points(summary.mean_sd), points(summary.mean_range))
        rows.append((arm.label, *numbers, f"{beyond} of {len(tasks)}"))
    head = ("", "parameters", "mean", "95 % interval", "sd", "range", "tasks beyond noise")
    note = (
        "Right wordings; sd and range over wordings in points, means over tasks. "
        "Beyond noise: by permutation, at 5 % over all tasks (Bonferroni)."
    )
    return Table("Spread over wordings", head, tuple(rows), note)


def _gaps(found: Sweep) -> Table:
    rows = []
    for arm in found.arms:
        if arm.gap is None:
            continue
        gap, mean = arm.gap, arm.gap.mean
        means = (percent(mean.left_mean), percent(mean.right_mean), _signed(gap.gap))
        spreads = (points(mean.left_sd), points(mean.right_sd))
        signs = f"{gap.sign.negative} of {gap.sign.negative + gap.sign.positive}, {p_value(gap.sign.one_sided)}"
        rows.append((arm.label, *means, *spreads, signs))
    head = ("", found.left, found.right, "gap", f"sd {found.left}", f"sd {found.right}", "tasks with a loss")
    return Table(f"From {found.left} to {found.right} wordings", head, tuple(rows), "Points; sign test over tasks.")


def _signed(interval: Interval | None) -> str:
    return NOTHING if interval is None else f"{signed_points(interval.value)} ({ends(interval, signed=True)})"


def gap_words(found: Sweep, arm: ArmFinding) -> str:
    if arm.gap is not None:
        return f"{found.right} minus {found.left} {signed_points(arm.gap.gap.value)} points"
    drop = arm.summary.guard.drop_nonsense
    return "no control wordings" if drop is None else f"nonsense costs {points(drop.value)} points"
