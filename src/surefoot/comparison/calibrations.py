"""What `compare` says of simulated pairs of runs whose truth is known: false alarms, power, coverage.

A population has wordings with effects b_j and items with an ease e_i ~ normal(0, EASE), and an answer is right with
probability 1 / (1 + exp(-(level + e_i + b_j))). A pair of runs asks the same items before and after, and tosses the
coins anew. The true means, spreads and variances are sums over many items, so power and coverage have a number to meet.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from surefoot.calibration import Calibration, Truth
from surefoot.comparison.align import Aligned
from surefoot.comparison.effects import effects_of
from surefoot.comparison.result import LEVEL
from surefoot.stats.intervals import Floats
from surefoot.stats.paired import Paired
from surefoot.stats.power import POWER, items_needed

PAIRS = 600  # simulated comparisons of a case
ITEMS = 60
WORDINGS = 10
EASE = 1.2
QUANTITIES = ("mean", "spread", "worst")


@dataclass(frozen=True, eq=False)
class Model:
    """How often a model is right: its level and the wordings' effects, in logits."""

    level: float
    effects: Floats

    def right(self, ease: Floats) -> Floats:
        """The probability of a right answer: items x wordings."""
        return np.asarray(1 / (1 + np.exp(-(self.level + ease[:, None] + self.effects))), dtype=np.float64)

    @cached_property
    def accuracies(self) -> Floats:
        """The wordings' true accuracies, over an even sample of 20,000 items."""
        from scipy.stats import norm

        shares = (np.arange(20_000) + 0.5) / 20_000
        return np.asarray(self.right(EASE * norm.ppf(shares)).mean(axis=0), dtype=np.float64)

    @property
    def truth(self) -> dict[str, float]:
        """True mean, spread and worst wording."""
        found = self.accuracies
        return {"mean": float(found.mean()), "spread": float(found.std(ddof=1)), "worst": float(found.min())}


class Rates(NamedTuple):
    """Over all simulated pairs: share with p at most 5 %, and share whose interval holds the truth."""

    shown: Mapping[str, float]
    covered: Mapping[str, float]


def simulate(before: Model, after: Model, items: int = ITEMS, pairs: int = PAIRS, resamples: int = 400) -> Rates:
    """Compare `pairs` simulated runs of `items` items each; `resamples` matter to the coverage alone."""
    truth = {name: after.truth[name] - before.truth[name] for name in QUANTITIES}
    shown, covered = (dict.fromkeys(QUANTITIES, 0) for _ in range(2))
    rng = np.random.default_rng(0)
    for k in range(pairs):
        estimates = effects_of(draw(before, after, items, rng), k, resamples, permutations=399).estimates
        for name in QUANTITIES:
            interval = estimates[name].interval
            shown[name] += estimates[name].p_value <= LEVEL
            covered[name] += interval.low <= truth[name] <= interval.high
    return Rates(*({name: n / pairs for name, n in counts.items()} for counts in (shown, covered)))


def draw(before: Model, after: Model, items: int, rng: np.random.Generator) -> Aligned:
    """One pair of runs of the same items."""
    ease = rng.normal(0, EASE, size=items)
    scores = [
        (rng.random((items, model.effects.size)) < model.right(ease)).astype(np.float64) for model in (before, after)
    ]
    names = tuple(f"w{j}" for j in range(before.effects.size))
    return Aligned("t", tuple(map(str, range(items))), names, ("right",) * len(names), Paired(*scores), 0)


def sd_of_differences(before: Model, after: Model, items: int = 20_000) -> float:
    """The true standard deviation of an item's mean difference: of its expectation, and of the coins around it."""
    from scipy.stats import norm

    ease = EASE * norm.ppf((np.arange(items) + 0.5) / items)
    old, new = before.right(ease), after.right(ease)
    expected = (new - old).mean(axis=1)
    coins = (old * (1 - old) + new * (1 - new)).mean(axis=1) / old.shape[1]
    return float(np.sqrt(expected.var() + coins.mean()))


def spaced(width: float, wordings: int = WORDINGS) -> Floats:
    """Wording effects evenly from -width to width."""
    return np.linspace(-width, width, wordings)


def calibrations() -> tuple[Calibration, ...]:
    """Alike, a planted mean, a planted spread, and a better model whose wordings differ as little as before."""
    alike = Model(0.0, spaced(0.8))
    better = Model(0.25, spaced(0.8))
    sd, step = sd_of_differences(alike, better), better.truth["mean"] - alike.truth["mean"]
    return (
        _case(
            "alike",
            f"two runs of one model: {ITEMS} items, {WORDINGS} wordings",
            alike,
            alike,
            ITEMS,
            {"mean": LEVEL, "spread": LEVEL},
        ),
        _case(
            "planted mean",
            f"{100 * step:.1f} points better, on as many items as the formula asks for",
            alike,
            better,
            items_needed([sd], step, LEVEL),
            {"mean": POWER},
        ),
        _case(
            "planted spread",
            "the same mean, with wordings that differ a tenth as much",
            Model(0.0, spaced(1.5)),
            Model(0.0, spaced(0.15)),
            ITEMS,
            {"mean": LEVEL, "spread": 1.0},
        ),
        _case(
            "ceiling",
            "right twice as often, and wordings that do not differ before or after",
            Model(-0.3, spaced(0.0)),
            Model(3.0, spaced(0.0)),
            ITEMS,
            {"mean": 1.0, "spread": LEVEL},
        ),
    )


def _case(
    name: str, behaviour: str, before: Model, after: Model, items: int, rates: Mapping[str, float]
) -> Calibration:
    def read() -> Mapping[str, float]:
        shown = simulate(before, after, items, resamples=10).shown
        return {f"{quantity}, shown": shown[quantity] for quantity in rates}

    truths = {f"{quantity}, shown": Truth(rate, tolerance(rate)) for quantity, rate in rates.items()}
    return Calibration(name, behaviour, read, truths)


def tolerance(rate: float, pairs: int = PAIRS) -> float:
    """Half the 99.9 % binomial interval of a rate over the simulated pairs; 2 % for a certainty."""
    return 3.3 * math.sqrt(rate * (1 - rate) / pairs) if rate < 1 else 0.02
