"""Where answers to both contexts come from, and DiffGR, the preference for the generated context.

Formula: DiffGR = (rho_gen - rho_ret) / (rho_gen + rho_ret), where rho_gen and rho_ret are the shares of answers that
equal the generated and the retrieved context's; from -1 to 1, NaN where both shares are 0. Ideal: -1 on AIR, 1 on AIG.
Source: Tan et al. 2024 (arXiv:2401.11911), section 4. Here a question counts with the mean over its wordings and
orders, and the interval draws questions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import Literal

import numpy as np

from surefoot.probes.context_preference.filters import same
from surefoot.probes.context_preference.units import Answer, Unit
from surefoot.stats.bootstrap import generator, weight_chunks
from surefoot.stats.intervals import Floats, Interval, percentile_interval, wilson

Source = Literal["generated", "retrieved", "memory", "other"]
SOURCES: tuple[Source, ...] = ("generated", "retrieved", "memory", "other")
RESAMPLES = 2000
NONE = Interval(nan, nan, nan)


@dataclass(frozen=True)
class Preference:
    """Of a set of questions: how many there are, the share of answers from each source, those right, and DiffGR.

    `questions` of `units` (a question under a wording) were asked behind both contexts; `decided` of them took either
    context at least once. The four shares sum to 1 and are NaN without a question. `diff_gr` is NaN where fewer than
    the probe's `least` questions are decided.
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
    shares, right = _by_question(units)
    n, decided = len(shares), int((shares[:, :2].sum(axis=1) > 0).sum())
    generated, retrieved, memory, other = shares.mean(axis=0).tolist() if n else [nan] * len(SOURCES)
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
        diff_gr=_interval(name, shares, seed) if decided >= max(1, least) else NONE,
    )


def _by_question(units: Sequence[Unit]) -> tuple[Floats, Floats]:
    """For each question, sorted by id, the shares of the four sources (questions x 4) and of right answers."""
    grouped: dict[str, list[list[float]]] = defaultdict(list)
    for unit in units:
        answers = list(unit.both.values())
        found = [source_of(answer, unit) for answer in answers]
        counts = [float(found.count(source)) for source in SOURCES] + [float(sum(a.is_right for a in answers))]
        grouped[unit.item].append([count / len(answers) for count in counts])
    table = np.array([np.mean(grouped[item], axis=0) for item in sorted(grouped)]).reshape(-1, len(SOURCES) + 1)
    return table[:, :-1], table[:, -1]


def _interval(name: str, shares: Floats, seed: int) -> Interval:
    """DiffGR of the summed shares, and of those of resampled questions."""
    rng = generator(seed, name, "DiffGR")
    sums = np.concatenate([weights @ shares[:, :2] for weights in weight_chunks(len(shares), RESAMPLES, rng)])
    with np.errstate(invalid="ignore"):
        draws = (sums[:, 0] - sums[:, 1]) / (sums[:, 0] + sums[:, 1])
    generated, retrieved = shares[:, :2].sum(axis=0).tolist()
    return percentile_interval(diff_gr(generated, retrieved), draws)
