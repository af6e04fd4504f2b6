"""The claims of the alignment experiment: each a difference that should be positive, with interval and verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from surefoot.stats.intervals import Floats, Interval
from surefoot.stats.nested import nested_bootstrap
from surefoot.worlds.operations import OPERATIONS

if TYPE_CHECKING:
    from surefoot.reproductions.alignment_result import AlignmentResult

WITHOUT_INSTRUCTION = 1 / len(OPERATIONS)
"""The best mean accuracy of whatever does not read the instruction, on separating rows."""


class Claim(NamedTuple):
    """A sentence of the paper, or of this experiment, and what was measured of it.

    `interval` is of the difference that the claim says is positive, in points of accuracy or, for distances, in units
    of the hidden state; None where worlds are counted. `worlds` of `of` agree.
    """

    text: str
    worlds: int
    of: int
    interval: Interval | None = None
    scale: Literal["points", "units"] = "points"

    @property
    def verdict(self) -> str:
        """`shown` where the interval lies above 0, `reversed` where it lies below, `not shown` otherwise; a count is
        `shown` where all worlds agree."""
        if self.interval is None:
            return "shown" if self.worlds == self.of else "not shown"
        return "shown" if self.interval.low > 0 else "reversed" if self.interval.high < 0 else "not shown"


Values = tuple[str, str] | float
"""A state and a measure of it, or a level."""

NOISY: tuple[tuple[str, Values, Values], ...] = (
    ("PT on noisy answers lowers the held-out mean", ("untouched", "unobserved"), ("PT", "unobserved")),
    ("FT+KL has a higher held-out mean than FT", ("FT+KL", "unobserved"), ("FT", "unobserved")),
    ("and a smaller spread", ("FT", "unobserved_sd"), ("FT+KL", "unobserved_sd")),
    ("and a smaller distance", ("FT", "distance"), ("FT+KL", "distance")),
    ("and loses less on observed wordings", ("FT+KL", "observed"), ("FT", "observed")),
    ("FT+KL raises the held-out mean of the untouched model", ("FT+KL", "unobserved"), ("untouched", "unobserved")),
)
"""What is claimed where the answers that are trained on are noisy: (text, what is higher, what is lower)."""


def claims_of(result: AlignmentResult) -> Iterator[Claim]:
    """A claim is made where its states were run: (text, measure, the state or level that is higher, the lower one)."""
    chance = WITHOUT_INSTRUCTION
    wanted: tuple[tuple[str, Values, Values], ...] = (
        ("Held-out wordings score lower than observed ones", ("untouched", "observed"), ("untouched", "unobserved")),
        ("and scatter more", ("untouched", "unobserved_sd"), ("untouched", "observed_sd")),
        ("PT+KL raises the held-out mean of the untouched model", ("PT+KL", "unobserved"), ("untouched", "unobserved")),
        ("and its worst held-out wording", ("PT+KL", "worst"), ("untouched", "worst")),
        ("and cuts the spread", ("untouched", "unobserved_sd"), ("PT+KL", "unobserved_sd")),
        ("and the distance to the observed wordings", ("untouched", "distance"), ("PT+KL", "distance")),
        ("PT+KL has a higher held-out mean than PT", ("PT+KL", "unobserved"), ("PT", "unobserved")),
        ("and a smaller spread", ("PT", "unobserved_sd"), ("PT+KL", "unobserved_sd")),
        ("and a smaller distance", ("PT", "distance"), ("PT+KL", "distance")),
        ("KL alone loses accuracy even on observed wordings", ("untouched", "observed"), ("KL", "observed")),
        ("and ends within 5 points of not reading the instruction", chance + 0.05, ("KL", "observed")),
        ("PT+KL keeps tasks apart: better than not reading the instruction", ("PT+KL", "unobserved"), chance),
        ("and a negation still changes the answers", ("PT+KL", "unobserved"), ("PT+KL", "negated")),
    )
    for text, high, low in (*wanted, *(NOISY if result.plan.world.noise else ())):
        if all(isinstance(side, float) or side[0] in result.states for side in (high, low)):
            claim = _claim(text, _of(result, high) - _of(result, low))
            yield claim._replace(scale="units") if "distance" in (*_names(high), *_names(low)) else claim
    for state, warned, text in (("KL", True, "The guard warns of KL alone"), ("PT+KL", False, "and not of PT+KL")):
        if state in result.states:
            hits = sum(outcome.guards[state].seen == warned for outcome in result.outcomes)
            yield Claim(text, hits, len(result.outcomes))


def _names(side: Values) -> tuple[str, ...]:
    return () if isinstance(side, float) else side


def _of(result: AlignmentResult, side: Values) -> Any:
    return side if isinstance(side, float) else result.values(*side)


def _claim(text: str, differences: Floats) -> Claim:
    agreeing = int((differences.mean(axis=1) > 0).sum())
    return Claim(text, agreeing, len(differences), nested_bootstrap(differences))


def claim_dict(claim: Claim) -> dict[str, Any]:
    interval = None if claim.interval is None else asdict(claim.interval)
    return {**claim._asdict(), "interval": interval, "verdict": claim.verdict}
