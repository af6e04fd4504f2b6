"""The outcomes of the alignment experiment as a table, and each claim of the paper with its interval and a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from surefoot.reproductions.alignment_measures import GuardReading, Measures
from surefoot.stats.intervals import Floats, Interval
from surefoot.stats.nested import nested_bootstrap
from surefoot.worlds.operations import OPERATIONS

if TYPE_CHECKING:
    from surefoot.reproductions.alignment import Plan

WITHOUT_INSTRUCTION = 1 / len(OPERATIONS)
"""The best mean accuracy of whatever does not read the instruction, on separating rows."""

DEVIATIONS = (
    "The model has 0.2 million parameters and was made for this; the paper's have 3 and 7 billion. Shown is whether "
    "the method's mechanism exists where everything is known, not how large its effect is on a real model.",
    "Words are learned from other texts of the same training, where a real model brings them from pretraining.",
    "Paraphrases are drawn from the world's own grammar, where the paper asks GPT-4 for them.",
    "One task is one operation and has its own wordings; the paper's observed wordings are shared by a category.",
    "Settings of soft-align were chosen on development wordings of another seed; the paper's are not published.",
    "KL is KL(p_reference || p_paraphrase) on the answer's one token, with the gradient through the reference stopped; "
    "the paper leaves direction and stop open.",
    "KL alone is no state of the paper; it is a control, with the gradient through both wordings and ten times the "
    "learning rate.",
)


class SeedOutcome(NamedTuple):
    """One world: state -> task -> measures, and state -> what the guard says."""

    seed: int
    measures: Mapping[str, Mapping[str, Measures]]
    guards: Mapping[str, GuardReading]


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


@dataclass(frozen=True)
class AlignmentResult:
    """The whole experiment; printing it shows table, claims and deviations."""

    outcomes: tuple[SeedOutcome, ...]
    plan: Plan
    minutes: float

    @property
    def states(self) -> tuple[str, ...]:
        return self.plan.states

    def values(self, state: str, measure: str) -> Floats:
        """Seeds x tasks."""
        return np.asarray(
            [[getattr(m, measure) for m in outcome.measures[state].values()] for outcome in self.outcomes], dtype=float
        )

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Those for which all states were run."""
        return tuple(_claims(self))

    @property
    def ok(self) -> bool:
        """Whether every claim is shown."""
        return all(claim.verdict == "shown" for claim in self.claims)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "id": "R0",
            "part": "alignment",
            "plan": asdict(self.plan),
            "minutes": self.minutes,
            "seeds": [
                {
                    "seed": outcome.seed,
                    "measures": {
                        state: {task: m._asdict() for task, m in tasks.items()}
                        for state, tasks in outcome.measures.items()
                    },
                    "guards": {state: {**g._asdict(), "seen": g.seen} for state, g in outcome.guards.items()},
                }
                for outcome in self.outcomes
            ],
            "claims": [_claim_dict(claim) for claim in self.claims],
            "deviations": list(DEVIATIONS),
            "ok": self.ok,
        }

    def __str__(self) -> str:
        claims = "\n".join(_claim_line(claim) for claim in self.claims)
        deviations = "\n".join(f"- {sentence}" for sentence in DEVIATIONS)
        head = (
            f"R0, alignment from scratch: {len(self.outcomes)} worlds of {len(OPERATIONS)} tasks, "
            f"{self.plan.world.items} rows, {self.minutes:.1f} minutes\n"
            "Source: Sun, Shaib and Wallace 2024, arXiv:2306.11270, section 5; no published number is recomputed here"
        )
        return "\n\n".join(
            [head, state_table(self), f"Claims:\n{claims}", f"What differs from the paper:\n{deviations}"]
        )


COLUMNS = (
    ("observed", "observed"),
    ("sd", "observed_sd"),
    ("held out", "unobserved"),
    ("sd", "unobserved_sd"),
    ("worst", "worst"),
    ("incorrect", "incorrect"),
    ("negated", "negated"),
    ("obeyed", "obeyed"),
    ("nonsense", "nonsense"),
)


def state_table(result: AlignmentResult) -> str:
    """A line a state: means over worlds and tasks, in percent (distances in units of the hidden state)."""
    head = f"{'':10}" + "".join(f"{name:>10}" for name, _ in COLUMNS) + f"{'distance':>10}{'apart':>8}{'warned':>8}"
    lines = [head]
    for state in result.states:
        numbers = "".join(f"{100 * result.values(state, measure).mean():>10.1f}" for _, measure in COLUMNS)
        distances = f"{result.values(state, 'distance').mean():>10.2f}{result.values(state, 'apart').mean():>8.2f}"
        warned = sum(outcome.guards[state].seen for outcome in result.outcomes)
        lines.append(f"{state:10}{numbers}{distances}{warned:>5}/{len(result.outcomes)}")
    return "\n".join(lines)


def _claims(result: AlignmentResult) -> Iterator[Claim]:
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
    for text, high, low in wanted:
        if all(isinstance(side, float) or side[0] in result.states for side in (high, low)):
            claim = _claim(text, _of(result, high) - _of(result, low))
            yield claim._replace(scale="units") if "distance" in (*_names(high), *_names(low)) else claim
    for state, warned, text in (("KL", True, "The guard warns of KL alone"), ("PT+KL", False, "and not of PT+KL")):
        if state in result.states:
            hits = sum(outcome.guards[state].seen == warned for outcome in result.outcomes)
            yield Claim(text, hits, len(result.outcomes))


Values = tuple[str, str] | float
"""A state and a measure of it, or a level."""


def _names(side: Values) -> tuple[str, ...]:
    return () if isinstance(side, float) else side


def _of(result: AlignmentResult, side: Values) -> Any:
    return side if isinstance(side, float) else result.values(*side)


def _claim(text: str, differences: Floats) -> Claim:
    agreeing = int((differences.mean(axis=1) > 0).sum())
    return Claim(text, agreeing, len(differences), nested_bootstrap(differences))


def _claim_line(claim: Claim) -> str:
    numbers = ""
    if claim.interval is not None:
        scale, digits = (1, 2) if claim.scale == "units" else (100, 1)
        low, value, high = (
            scale * number for number in (claim.interval.low, claim.interval.value, claim.interval.high)
        )
        numbers = f"{value:+.{digits}f} ({low:+.{digits}f} to {high:+.{digits}f})"
    return f"  {claim.verdict:9}  {numbers:>26}  {claim.worlds}/{claim.of} worlds  {claim.text}"


def _claim_dict(claim: Claim) -> dict[str, Any]:
    interval = None if claim.interval is None else asdict(claim.interval)
    return {**claim._asdict(), "interval": interval, "verdict": claim.verdict}
