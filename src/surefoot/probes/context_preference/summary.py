"""What the context-preference probe gives back: plain dataclasses of numbers, derived from rows and tasks alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from surefoot.probes.context_preference.preference import Preference
from surefoot.probes.context_preference.similarity import Curve
from surefoot.probes.phrasing.summary import NoiseFloor
from surefoot.probes.summary import PlainJson, Table
from surefoot.stats.intervals import Interval


@dataclass(frozen=True)
class Count:
    """How many units (a question under a wording) a filter dropped, or a subset holds."""

    name: str
    units: int


@dataclass(frozen=True)
class Accuracy:
    """The share of right answers of one condition over all questions, a question counting with its mean."""

    condition: str
    questions: int
    right: Interval


@dataclass(frozen=True)
class Lengths:
    """Mean words of the contexts, and their difference as a share of the retrieved ones' mean."""

    retrieved: float
    generated: float
    difference: float


@dataclass(frozen=True)
class ContextPreferenceSummary(PlainJson):
    """The probe's whole finding for one model.

    `counts` holds what each filter dropped, then AIG and AIR; it sums to `units`. `sets` are AIG, AIR and both
    together; `orders` are both together by the order of the contexts. `curves` cut them by similarity gap.
    """

    probe: ClassVar[str] = "context-preference"

    model: str
    answering: str
    order: str
    least: int
    units: int
    counts: tuple[Count, ...]
    accuracy: tuple[Accuracy, ...]
    sets: tuple[Preference, ...]
    orders: tuple[Preference, ...]
    curves: tuple[Curve, ...]
    lengths: Lengths
    noise: NoiseFloor
    rows: int
    truncated: int
    complete: bool

    def preference(self, name: str) -> Preference:
        """The preference on `AIG`, `AIR`, `all`, or under an order (`generated-first`, `retrieved-first`)."""
        return next(one for one in (*self.sets, *self.orders) if one.name == name)

    def sentence(self) -> str:
        """The finding in a sentence."""
        from surefoot.probes.context_preference.words import sentence

        return sentence(self)

    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before believing the numbers."""
        from surefoot.probes.context_preference.words import warnings

        return warnings(self)

    def tables(self) -> tuple[Table, ...]:
        """DiffGR, the filters, accuracy, orders, and slices."""
        from surefoot.probes.context_preference.words import tables

        return tables(self)
