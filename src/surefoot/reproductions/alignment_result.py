"""What the alignment experiment gives back: the outcome of a world, of a regime, of all regimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from surefoot.reproductions.alignment_claims import Claim, claim_dict, claims_of
from surefoot.reproductions.alignment_measures import GuardReading, Measures
from surefoot.reproductions.alignment_plan import Plan
from surefoot.reproductions.alignment_table import HEAD, deviations, deviations_text, result_text
from surefoot.stats.intervals import Floats


class SeedOutcome(NamedTuple):
    """One world: state -> task -> measures, and state -> what the guard says."""

    seed: int
    measures: Mapping[str, Mapping[str, Measures]]
    guards: Mapping[str, GuardReading]


@dataclass(frozen=True)
class AlignmentResult:
    """One regime; printing it shows table, claims and deviations. `minutes` are those of one core."""

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
        return tuple(claims_of(self))

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
            "claims": [claim_dict(claim) for claim in self.claims],
            "deviations": list(deviations(self.plan)),
            "ok": self.ok,
        }

    def __str__(self) -> str:
        return "\n\n".join([HEAD, result_text(self), deviations_text(deviations(self.plan))])


@dataclass(frozen=True)
class AlignmentReport:
    """All regimes of the experiment."""

    results: tuple[AlignmentResult, ...]

    @property
    def ok(self) -> bool:
        """Whether every claim of every regime is shown."""
        return all(result.ok for result in self.results)

    def to_dict(self) -> dict[str, Any]:
        """The results as JSON values."""
        return {"id": "R0", "part": "alignment", "ok": self.ok, "regimes": [one.to_dict() for one in self.results]}

    def __str__(self) -> str:
        told = tuple(dict.fromkeys(text for one in self.results for text in deviations(one.plan)))
        return "\n\n".join([HEAD, *(result_text(one) for one in self.results), deviations_text(told)])
