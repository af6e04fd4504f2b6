"""The instruction-ignoring guard: does the model do what the instruction asks, or what it always does?

The rule. Let m be the mean accuracy of the right wordings and c the chance level (0 for generation). A model that
reads its instruction falls to c or below when the instruction is nonsense or asks for the wrong answer, so it loses
the whole headroom m - c; one that ignores it loses nothing. `threshold` is half the headroom.

- Lower end of m's 99 % interval at or below c (99, because many tasks are looked at): nothing can be said, there is no
  accuracy to lose. No flag.
- Neither negated nor nonsense wordings: nothing was asked that could tell. No flag.
- Otherwise the flag is raised unless the drop under negated or under nonsense wordings is *shown* to reach the
  threshold (the lower end of its interval does). An answer that becomes unparsed counts as a drop: it is not right.

Negated wordings are scored against the original gold answer, so an obedient model falls on them. The drop under
incorrect wordings is shown but does not decide: a model may well recognise the task from the item itself.
Source: the closer look of Sun, Shaib and Wallace 2024 (R0, A.7) gives the classes; the rule is this project's own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from surefoot.probes.phrasing.summary import Guard
from surefoot.stats.intervals import Floats, Interval, percentile_interval

SHARE_OF_HEADROOM = 0.5


class Estimate(NamedTuple):
    """A mean and its resamples."""

    value: float
    draws: Floats


class GuardInput(NamedTuple):
    """What the guard needs to know of one task: chance, and the classes' means (`right` joins all right classes)."""

    chance: float
    right: Estimate
    others: Mapping[str, Estimate]


def guard(tasks: Sequence[GuardInput]) -> Guard:
    """The guard for one task, or for several: means over tasks, each drop over the tasks that have the class."""
    if not tasks:
        return Guard(
            False, "There are no answers under right wordings, so nothing can be said.", None, None, None, np.nan
        )
    right, chance = _mean([task.right for task in tasks]), float(np.mean([task.chance for task in tasks]))
    accuracy = percentile_interval(*right, level=0.99)
    threshold = SHARE_OF_HEADROOM * (accuracy.value - chance)
    drops = {klass: _drop(tasks, klass) for klass in ("negated", "nonsense", "incorrect")}
    deciding = {klass: drop for klass in ("negated", "nonsense") if (drop := drops[klass]) is not None}
    above = accuracy.low > chance
    raised = above and bool(deciding) and not any(drop.low >= threshold for drop in deciding.values())
    sentence = _sentence(accuracy, chance, threshold, deciding)
    return Guard(raised, sentence, drops["negated"], drops["nonsense"], drops["incorrect"], threshold)


def _drop(tasks: Sequence[GuardInput], klass: str) -> Interval | None:
    pairs = [(task.right, task.others[klass]) for task in tasks if klass in task.others]
    if not pairs:
        return None
    return percentile_interval(*_mean([Estimate(a.value - b.value, a.draws - b.draws) for a, b in pairs]))


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    value = float(np.mean([estimate.value for estimate in estimates]))
    return Estimate(value, np.mean([estimate.draws for estimate in estimates], axis=0))


def _sentence(accuracy: Interval, chance: float, threshold: float, drops: Mapping[str, Interval]) -> str:
    if not accuracy.low > chance:
        return (
            f"Accuracy under right wordings, {_percent(accuracy.value)} (99 % interval {_percent(accuracy.low)} to "
            f"{_percent(accuracy.high)}), is not shown to be above chance ({_percent(chance)}), so nothing can be "
            "said about whether the model follows the instruction."
        )
    if not drops:
        return "There are no negated and no nonsense wordings, so nothing can be said about following the instruction."
    seen = " and ".join(f"{_points(drop)} under {klass} wordings" for klass, drop in drops.items())
    if any(drop.low >= threshold for drop in drops.values()):
        return f"The model depends on its instruction: accuracy drops by {seen} (needed: {100 * threshold:.1f})."
    return (
        f"The model may ignore its instruction: accuracy drops by {seen}, not shown to reach {100 * threshold:.1f} "
        f"points, half of what its accuracy ({_percent(accuracy.value)}) is above chance ({_percent(chance)})."
    )


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _points(drop: Interval) -> str:
    return f"{100 * drop.value:.1f} points ({100 * drop.low:.1f} to {100 * drop.high:.1f})"
