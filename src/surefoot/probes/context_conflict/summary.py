"""What the context-conflict probe gives back: plain dataclasses of numbers, derived from rows and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from surefoot.probes.phrasing.summary import NoiseFloor
from surefoot.probes.summary import PlainJson, Table
from surefoot.stats.intervals import Interval


@dataclass(frozen=True)
class Selection:
    """How the facts were chosen: those right closed book under every wording, under some, under none; and those asked.

    `known` + `partly` + `unknown` = `facts`, those asked closed book in this run. `asked` were put behind passages.
    `by` is the probe's setting.
    """

    by: str
    facts: int
    known: int
    partly: int
    unknown: int
    asked: int


@dataclass(frozen=True)
class Outcomes:
    """Shares of answers, which sum to 1: `right` as the context says, `wrong` the other value, `other` neither.

    An item counts with its mean over wordings; the intervals are Wilson's with the number of items, which is no
    narrower than it should be. With forced choice there is no `other`, but for scores that are no numbers.
    """

    name: str
    items: int
    cells: int
    right: Interval
    wrong: Interval
    other: Interval


@dataclass(frozen=True)
class Condition:
    """One condition: its outcomes over all wordings, for each wording, and for each kind of fact."""

    outcomes: Outcomes
    wordings: tuple[Outcomes, ...]
    kinds: tuple[Outcomes, ...]

    @property
    def name(self) -> str:
        return self.outcomes.name


@dataclass(frozen=True)
class ContextConflictSummary(PlainJson):
    """The probe's whole finding for one model.

    `memorisation` is original / (original + swapped) over the answers of the condition `conflict` (Longpre et al.
    2021), with Wilson's interval for the number of facts that were answered so.
    """

    probe: ClassVar[str] = "context-conflict"

    model: str
    answering: str
    selection: Selection
    conditions: tuple[Condition, ...]
    memorisation: Interval
    noise: NoiseFloor
    rows: int
    truncated: int
    complete: bool

    def condition(self, name: str) -> Outcomes | None:
        """The outcomes of `closed`, `conflict`, `agree` or `endings`; None where it was not asked."""
        return next((one.outcomes for one in self.conditions if one.name == name), None)

    def sentence(self) -> str:
        """The finding in a sentence."""
        from surefoot.probes.context_conflict.words import sentence

        return sentence(self)

    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before believing the numbers."""
        from surefoot.probes.context_conflict.words import warnings

        return warnings(self)

    def tables(self) -> tuple[Table, ...]:
        """Outcomes of each condition, the selection, each wording, and each kind of fact."""
        from surefoot.probes.context_conflict.words import tables

        return tables(self)
