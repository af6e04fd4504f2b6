"""How often a detector finds marked texts after an attack: one point a budget."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from surefoot.stats.intervals import Interval, wilson
from surefoot.watermark.attacks import Attack
from surefoot.watermark.detect import Detector


class PowerPoint(NamedTuple):
    """At one budget: the mean z and green share of the texts, and the share that is found, with its 95 % interval."""

    budget: float
    z: float
    share: float
    found: Interval
    texts: int


def power_curve(
    texts: Sequence[str],
    attack_of: Callable[[float], Attack],
    budgets: Sequence[float],
    detector: Detector,
    *,
    seed: int = 0,
) -> list[PowerPoint]:
    """Every text under the attack of every budget; text i gets the seed `seed` + i.

    >>> power_curve(texts, Delete, (0, 0.1, 0.3), detector)  # doctest: +SKIP
    """
    points = []
    for budget in budgets:
        attack = attack_of(budget)
        counts = [detector.text(attack(text, seed + place)) for place, text in enumerate(texts)]
        found = wilson(sum(count.verdict == "watermarked" for count in counts), len(counts))
        z, share = (sum(getattr(count, name) for count in counts) / len(counts) for name in ("z", "share"))
        points.append(PowerPoint(budget, z, share, found, len(counts)))
    return points
