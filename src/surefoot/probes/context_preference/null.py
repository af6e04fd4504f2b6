"""What the probe finds where there is nothing to find: the sides' names exchanged by a coin for each question.

A reader sees contexts, not which of them a model wrote. So exchanging the sides of a question leaves its prompts as
they are, in the other order, and exchanges what its answers are called. Coins tossed over the answers of one run give
data whose true preference is 0, with that reader's own habits: values, forms and places that it likes, wordings that
agree. Of such data an interval should leave out 0, and a test reject, in one case of twenty.

Needs runs in both orders (`order="both"`): with one order, or a random one, exchanged data would be of other prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from surefoot.errors import BadInput
from surefoot.probes.context_preference.preference import ALL, RESAMPLES, draws, exchange_p, interval_of, shares_of
from surefoot.probes.context_preference.units import Texts, Unit
from surefoot.stats.bootstrap import generator, item_weights
from surefoot.stats.intervals import Floats, Interval, wilson
from surefoot.tasks.contexts import GENERATED_FIRST, HYBRID, RETRIEVED_FIRST

LEVEL = 0.05
OTHER: Mapping[str, str] = {GENERATED_FIRST: RETRIEVED_FIRST, RETRIEVED_FIRST: GENERATED_FIRST}


@dataclass(frozen=True)
class Null:
    """Of `tosses` of data without a preference, `questions` in each: the shares found to have one, at 5 %.

    `outside`: intervals that leave out 0. `rejected`: p-values of 0.05 or less. `sd`: the standard deviation of DiffGR.
    The intervals of the shares are those of that many tosses.
    """

    questions: int
    tosses: int
    outside: Interval
    rejected: Interval
    sd: float


def exchanged(unit: Unit) -> Unit:
    """The unit with its sides exchanged: what would have been read, had the other context been the generated one."""
    question, retrieved, generated = unit.texts
    hybrid = {OTHER[name]: answer for name, answer in unit.both.items()}
    return replace(
        unit,
        texts=Texts(question, generated, retrieved),
        retrieved=unit.generated,
        generated=unit.retrieved,
        hybrid=hybrid,
    )


def null(units: Sequence[Unit], tosses: int = 1000, seed: int = 0) -> Null:
    """How often a preference is found in coins tossed over these units (of both subsets, after the filters).

    Raises `BadInput` without units, or for one that was not asked in both orders.
    """
    odd = next((unit for unit in units if set(unit.both) != set(HYBRID)), None)
    if not units or odd is not None:
        about = f'"{odd.item}" was not asked in both orders' if odd else "there is no unit"
        raise BadInput(f"Sides cannot be exchanged where {about}; measure with order=both, and more questions.")
    weights = [item_weights(len(shares_of(units)[0]), RESAMPLES, draws(ALL, seed))]
    found = np.array([_read(shares_of(tossed)[0], weights, seed) for tossed in _tossed(units, tosses, seed)])
    outside, rejected = (wilson(float(found[:, k].sum()), tosses) for k in (1, 2))
    return Null(len(shares_of(units)[0]), tosses, outside, rejected, float(found[:, 0].std(ddof=1)))


def _tossed(units: Sequence[Unit], tosses: int, seed: int) -> Iterator[list[Unit]]:
    """The units, those of a question exchanged together where its coin says so."""
    places = {question: k for k, question in enumerate(sorted({unit.question for unit in units}))}
    turned = [(unit, exchanged(unit), places[unit.question]) for unit in units]
    rng = generator(seed, "coins")
    for _ in range(tosses):
        heads = rng.integers(0, 2, size=len(places), dtype=np.int8)
        yield [other if heads[place] else unit for unit, other, place in turned]


def _read(shares: Floats, weights: Sequence[Floats], seed: int) -> tuple[float, bool, bool]:
    """DiffGR as the probe reads it, whether its interval leaves out 0, and whether its p-value rejects."""
    found = interval_of(shares, weights)
    rejects = exchange_p(shares, generator(seed, ALL, "exchange")) <= LEVEL
    return found.value, found.low > 0 or found.high < 0, rejects
