"""What the multi-hop probe reports, derived from its rows and from nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import ClassVar

from surefoot.probes.summary import PlainJson, Table
from surefoot.stats.intervals import Interval


@dataclass(frozen=True)
class KindFinding:
    """The questions of one kind (`all` for all of them) under one wording.

    `exact_match`, `f1` and `recall` are means over questions with their 95 % Wilson intervals, which for `f1` and
    `recall` are no narrower than they should be; of `recall` over the `read` questions for which something was read.
    `hops` is the mean recall of each hop. `steps`, `calls`, `searches` and `tokens` are means. `claims` are sentences
    that state something, of models that read; `unsupported` those that no document before the model supports.
    `marked`: answers behind the marker; `empty`: texts without an answer, which score 0.
    """

    task: str
    wording: str
    kind: str
    questions: int
    exact_match: Interval
    f1: Interval
    read: int
    recall: Interval
    hops: tuple[float, ...]
    steps: float
    calls: float
    searches: float
    tokens: float
    claims: int
    unsupported: int
    marked: int
    empty: int


@dataclass(frozen=True)
class MultiHopSummary(PlainJson):
    """The multi-hop probe's whole finding for one model."""

    probe: ClassVar[str] = "multi-hop"

    model: str
    findings: tuple[KindFinding, ...]
    rechecked: int
    changed: int  # rechecked answers with another text
    truncated: int
    rows: int
    complete: bool
    seed: int

    def finding(self, wording: str, kind: str = "all") -> KindFinding:
        """The finding of the first task under a wording."""
        return next(one for one in self.findings if (one.wording, one.kind) == (wording, kind))

    @property
    def best(self) -> KindFinding | None:
        """All questions under the right wording with the highest F1."""
        whole = [one for one in self.findings if one.kind == "all"]
        return max(whole, key=lambda one: one.f1.value, default=None)

    def sentence(self) -> str:
        """The finding in a sentence."""
        one = self.best
        if one is None:
            return "No question has an answer yet."
        read = (
            "it read no documents" if not one.read else f"{percent(one.recall.value)} of the gold documents were read"
        )
        return (
            f"{percent(one.exact_match.value)} of {one.questions} questions are answered exactly under the wording "
            f"{one.wording}, with a word F1 of {percent(one.f1.value)}; {read}."
        )

    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before believing the numbers."""
        found = []
        if not self.complete:
            found.append("The run is not complete.")
        empty = sum(one.empty for one in self.findings if one.kind == "all")
        if empty:
            found.append(f"{empty:,} texts hold no answer; they score 0.")
        if self.changed:
            found.append(
                f"{self.changed} of {self.rechecked} texts came out otherwise when they were written again in another "
                "batch; rounding does that, less in float32."
            )
        if self.truncated:
            found.append(f"{self.truncated:,} prompts did not fit the context and were cut.")
        return tuple(found)

    def tables(self) -> tuple[Table, ...]:
        """Answers by kind, documents by hop, what it took."""
        hops = max((len(one.hops) for one in self.findings), default=0)
        answers = Table(
            "Answers",
            ("asked", "questions", "exact match", "F1", "behind the marker"),
            tuple(
                (_name(o), str(o.questions), _share(o.exact_match), _share(o.f1), str(o.marked)) for o in self.findings
            ),
            'Means over questions with 95 % Wilson intervals. Behind the marker: the text says "answer is".',
        )
        names = ("asked", "read", "recall", *(f"hop {n + 1}" for n in range(hops)), "claims", "unsupported")
        read = Table(
            "Gold documents that were read",
            names,
            tuple(
                (_name(o), str(o.read), _share(o.recall), *_hops(o, hops), str(o.claims), _unsupported(o))
                for o in self.findings
            ),
            "Share of the gold documents among those that stood before the model; a dash where it read nothing. Claims "
            "are sentences that state something; unsupported ones stand in no document before the model.",
        )
        took = Table(
            "What an answer took",
            ("asked", "sentences", "calls", "searches", "tokens"),
            tuple((_name(o), *(f"{v:.1f}" for v in (o.steps, o.calls, o.searches, o.tokens))) for o in self.findings),
            "Means over questions.",
        )
        return answers, read, took


def percent(value: float) -> str:
    """`41.2 %`; a dash for NaN."""
    return "–" if isnan(value) else f"{100 * value:.1f} %"


def _share(interval: Interval) -> str:
    if isnan(interval.value):
        return "–"
    return f"{percent(interval.value)} ({100 * interval.low:.1f} to {100 * interval.high:.1f})"


def _name(one: KindFinding) -> str:
    return f"{one.task}, {one.wording}: {one.kind}"


def _hops(one: KindFinding, count: int) -> tuple[str, ...]:
    return (*map(percent, one.hops), *["–"] * (count - len(one.hops)))


def _unsupported(one: KindFinding) -> str:
    return percent(one.unsupported / one.claims) if one.claims else "–"
