"""The lines of a comparison: a task's quantities, their p-values corrected for all lines, with a verdict each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from surefoot.comparison.effects import Estimate, TaskEffects, classes_of, mcnemar_of
from surefoot.comparison.result import LEVEL, Change, ClassChange, Effect, McNemar, Needed, Verdict
from surefoot.stats.holm import holm
from surefoot.stats.power import detectable, items_needed

LESS_IS_BETTER = frozenset({"spread"})


def corrected(lines: Sequence[Mapping[str, Estimate]]) -> list[dict[str, Effect]]:
    """Each line's quantities, the p-values of one quantity corrected by Holm over all lines that have it."""
    effects: list[dict[str, Effect]] = [{} for _ in lines]
    for name in dict.fromkeys(name for line in lines for name in line):
        own = [k for k, line in enumerate(lines) if name in line]
        for k, p in zip(own, holm([lines[k][name].p_value for k in own]), strict=True):
            effects[k][name] = _effect(name, lines[k][name], p)
    return effects


def _effect(name: str, found: Estimate, p: float) -> Effect:
    gain = -found.seen if name in LESS_IS_BETTER else found.seen
    verdict: Verdict = "no difference shown" if p > LEVEL or not gain else "better" if gain > 0 else "worse"
    return Effect(found.before, found.after, found.interval, found.p_value, p, verdict)


def change(
    name: str, tasks: Sequence[TaskEffects], effects: Mapping[str, Effect], detect: float, level: float
) -> Change:
    """The line of one task or of several."""
    one = tasks[0] if len(tasks) == 1 else None
    worst = ("", "") if one is None else _worst(one)
    return Change(
        task=name,
        items=sum(task.task.scores.items for task in tasks),
        wordings=sum(int(task.task.right.sum()) for task in tasks),
        mean=effects["mean"],
        spread=effects.get("spread"),
        worst=effects.get("worst"),
        sd_before=_sd(tasks, 0),
        sd_after=_sd(tasks, 1),
        worst_before=worst[0],
        worst_after=worst[1],
        mcnemar=McNemar(*mcnemar_of(tasks)),
        needed=_needed(tasks, detect, level),
        classes=tuple(_class(klass, tasks, effects) for klass in _classes(tasks)),
    )


def _sd(tasks: Sequence[TaskEffects], side: int) -> float | None:
    known = [task.sds[side] for task in tasks if task.sds]
    return float(np.mean(known)) if known else None


def _needed(tasks: Sequence[TaskEffects], detect: float, level: float) -> Needed:
    sds, items = [task.sd for task in tasks], [task.task.scores.items for task in tasks]
    return Needed(detect, items_needed(sds, detect, level) or None, detectable(sds, items, level), level)


def _classes(tasks: Sequence[TaskEffects]) -> list[str]:
    return list(dict.fromkeys(klass for task in tasks for klass in classes_of(task.task)))


def _class(klass: str, tasks: Sequence[TaskEffects], effects: Mapping[str, Effect]) -> ClassChange:
    wordings = sum(int(task.task.of(klass).sum()) for task in tasks)
    return ClassChange(klass, wordings, effects[f"class {klass}"], effects.get(f"drop {klass}"))


def _worst(one: TaskEffects) -> tuple[str, str]:
    scores, right = one.task.scores, one.task.right
    names = [name for name, keep in zip(one.task.wordings, right, strict=True) if keep]
    before, after = (int(side[:, right].mean(axis=0).argmin()) for side in (scores.before, scores.after))
    return names[before], names[after]
