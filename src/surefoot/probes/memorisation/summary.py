"""What the memorisation probe reports, derived from its rows and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from surefoot.metrics.overlap import Overlap
from surefoot.probes.summary import PlainJson, Table

THRESHOLDS = (25, 50, 300, 1000)
"""Words that practice names: 50 for chapters and magazines, 300 for books, and the ends of what is claimed."""


@dataclass(frozen=True)
class Level:
    """A score of several answers beside its chance level: means over answers and windows; `high` is the 99th percentile
    of one window, averaged over the answers."""

    mean: Overlap
    best: Overlap  # the largest (of `edit` the smallest)
    chance: Overlap
    high: Overlap


@dataclass(frozen=True)
class KindFinding:
    """One way to ask, over the works of one group. `above`: works whose tested score exceeds its own 99 %."""

    group: str
    wording: str
    is_right: bool
    works: int
    level: Level
    above: int
    echoed: int  # words that were repeated of the prompts
    empty: int  # works of which nothing was written


@dataclass(frozen=True)
class WorkFinding:
    """One work over all right ways to ask for it.

    `run` and `subsequence` are the largest, and `chance_*` and `high_*` mean and 99th percentile of the same maximum
    against unrelated windows. `p` is the rank of the tested score among them, `p_holm` corrected over the works.
    """

    work: str
    title: str
    group: str
    wording: str  # under which the longest run was written
    text: str  # that run
    reference: int  # words of the longest reference window
    run: float
    chance_run: float
    high_run: float
    subsequence: float
    chance_subsequence: float
    high_subsequence: float
    p: float
    p_holm: float

    @property
    def excess(self) -> float:
        """Longest run minus chance, in words."""
        return self.run - self.chance_run


@dataclass(frozen=True)
class ThresholdFinding:
    """How many works reach so many words, and how many would by chance; `possible`: those with a window that long."""

    words: int
    possible: int
    by_subsequence: int
    chance_subsequence: float
    by_run: int
    chance_run: float


@dataclass(frozen=True)
class GroupDifference:
    """Mean excess of one group's works minus the unseen group's; `p` from permuting the groups, one-sided."""

    group: str
    mean: float
    unseen: float
    difference: float
    p: float


@dataclass(frozen=True)
class Popularity:
    """Spearman's correlation of the excess with a popularity field, -1 to 1, with its 95 % interval; `p` from
    permutation, two-sided. NaN for fewer than three works and where either is the same for all."""

    field: str
    works: int
    rho: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class MemorisationSummary(PlainJson):
    """The memorisation probe's whole finding for one model."""

    probe: ClassVar[str] = "memorisation"

    model: str
    by: str
    least: int
    windows: int  # unrelated windows a text was compared with, the fewest of all works
    kinds: tuple[KindFinding, ...]
    works: tuple[WorkFinding, ...]  # the largest excess first
    thresholds: tuple[ThresholdFinding, ...]
    differences: tuple[GroupDifference, ...]
    popularity: tuple[Popularity, ...]
    rechecked: int  # answers computed a second time in other company
    changed: int  # those of them with another text or other samples
    rows: int
    truncated: int
    complete: bool
    seed: int

    @property
    def significant(self) -> tuple[WorkFinding, ...]:
        """Works whose corrected p-value is at most 0.05: they share more with the answers than unrelated text does.

        The prompt's topic is enough for that, so it is no sign of memorisation by itself.
        """
        return tuple(work for work in self.works if work.p_holm <= 0.05)

    @property
    def reproduced(self) -> tuple[WorkFinding, ...]:
        """Those of them with a run of at least `least` words."""
        return tuple(work for work in self.significant if work.run >= self.least)

    def sentence(self) -> str:
        """The finding in a sentence."""
        from surefoot.probes.memorisation.words import sentence

        return sentence(self)

    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before believing the numbers."""
        from surefoot.probes.memorisation.words import warnings

        return warnings(self)

    def tables(self) -> tuple[Table, ...]:
        """Ways to ask, works, thresholds, groups and popularity."""
        from surefoot.probes.memorisation.words import tables

        return tables(self)
