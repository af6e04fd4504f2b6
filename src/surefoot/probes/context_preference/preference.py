"""Where answers to both contexts come from, and DiffGR, the preference for the generated context.

Formula: DiffGR = (rho_gen - rho_ret) / (rho_gen + rho_ret), where rho_gen and rho_ret are the shares of answers that
equal the generated and the retrieved context's; from -1 to 1, NaN where both shares are 0. Ideal: -1 on AIR, 1 on AIG.
Source: Tan et al. 2024 (arXiv:2401.11911), section 4. Here a question counts with the mean over its wordings, orders
and, where it stands behind several pairs of contexts, pairs; the interval draws questions. The p-value is that of
exchanging the sides: were a reader blind to which context is the generated one, a question's two shares could have come
in either order, so DiffGR is computed with them exchanged by a coin for each question.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import nan
from typing import Literal

import numpy as np

from surefoot.probes.context_preference.filters import same
from surefoot.probes.context_preference.units import Answer, Unit
from surefoot.stats.bootstrap import generator, weight_chunks
from surefoot.stats.intervals import Floats, Interval, percentile_interval, wilson
from surefoot.stats.paired import Paired, permutation_p

Source = Literal["generated", "retrieved", "memory", "other"]
SOURCES: tuple[Source, ...] = ("generated", "retrieved", "memory", "other")
ALL = "all"
"""The set of both subsets together."""
RESAMPLES = 2000
EXCHANGES = 5000
NONE = Interval(nan, nan, nan)


@dataclass(frozen=True)
class Preference:
    """Of a set of questions: how many there are, the share of answers from each source, those right, and DiffGR.

    `questions` of `units` (a question under a wording) were asked behind both contexts; `decided` of them took either
    context at least once. The four shares sum to 1 and are NaN without a question. `diff_gr` and `p`, the two-sided
    p-value of no preference by exchanging the sides, are NaN where fewer than the probe's `least` are decided.
    """

    name: str
    questions: int
    units: int
    decided: int
    generated: float
    retrieved: float
    memory: float
    other: float
    right: Interval
    diff_gr: Interval
    p: float


def source_of(answer: Answer, unit: Unit) -> Source:
    """Which of the question's other answers this one equals, normalised: those of contexts come before memory."""
    if same(answer, unit.generated):
        return "generated"
    if same(answer, unit.retrieved):
        return "retrieved"
    return "memory" if same(answer, unit.closed) else "other"


def diff_gr(generated: float, retrieved: float) -> float:
    """DiffGR of two shares or counts; NaN where both are 0."""
    return (generated - retrieved) / (generated + retrieved) if generated + retrieved > 0 else nan


def preference(name: str, units: Sequence[Unit], *, least: int, seed: int = 0) -> Preference:
    """The preference over these units; those without an answer to both contexts are left out."""
    units = [unit for unit in units if unit.both]
    shares, right = shares_of(units)
    n, decided = len(shares), int((shares[:, :2].sum(axis=1) > 0).sum())
    generated, retrieved, memory, other = shares.mean(axis=0).tolist() if n else [nan] * len(SOURCES)
    is_enough = decided >= max(1, least)
    return Preference(
        name,
        n,
        len(units),
        decided,
        generated=generated,
        retrieved=retrieved,
        memory=memory,
        other=other,
        right=wilson(min(float(right.sum()), n), n),
        diff_gr=interval_of(shares, weight_chunks(n, RESAMPLES, draws(name, seed))) if is_enough else NONE,
        p=exchange_p(shares, generator(seed, name, "exchange")) if is_enough else nan,
    )


def shares_of(units: Sequence[Unit]) -> tuple[Floats, Floats]:
    """For each question, sorted by its text, the shares of the four sources (questions x 4) and of right answers."""
    grouped: dict[str, list[list[float]]] = defaultdict(list)
    for unit in units:
        answers = list(unit.both.values())
        found = [source_of(answer, unit) for answer in answers]
        counts = [float(found.count(source)) for source in SOURCES] + [float(sum(a.is_right for a in answers))]
        grouped[unit.question].append([count / len(answers) for count in counts])
    table = np.array([np.mean(grouped[question], axis=0) for question in sorted(grouped)]).reshape(-1, len(SOURCES) + 1)
    return table[:, :-1], table[:, -1]


def draws(name: str, seed: int) -> np.random.Generator:
    """The random numbers behind the interval of a set."""
    return generator(seed, name, "DiffGR")


def interval_of(shares: Floats, weights: Iterable[Floats]) -> Interval:
    """DiffGR of the summed shares, and of questions drawn as often as the weights say (resamples x questions)."""
    sums = np.concatenate([chunk @ shares[:, :2] for chunk in weights])
    with np.errstate(invalid="ignore"):
        drawn = (sums[:, 0] - sums[:, 1]) / (sums[:, 0] + sums[:, 1])
    generated, retrieved = shares[:, :2].sum(axis=0).tolist()
    return percentile_interval(diff_gr(generated, retrieved), drawn)


def exchange_p(shares: Floats, rng: np.random.Generator) -> float:
    """The share of exchanges with a |DiffGR| as large as that seen, of all or of `EXCHANGES` random ones.

    An exchange leaves the denominator as it is, so the sum of rho_gen - rho_ret stands for DiffGR.
    """
    if len(shares) < 2:
        return 1.0  # one question: both exchanges are as far from 0
    sides = Paired(shares[:, 1:2], shares[:, :1])
    flips = sides.flips(EXCHANGES, rng)
    return permutation_p(float(sides.differences.sum()), flips.signs @ sides.differences, flips.complete)
