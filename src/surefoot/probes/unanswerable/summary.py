"""What the unanswerable probe gives back: numbers derived from rows, in a sentence and tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isnan
from typing import ClassVar

from surefoot.probes.phrasing.summary import NoiseFloor
from surefoot.probes.summary import PlainJson, Table
from surefoot.probes.unanswerable.shift import Shift
from surefoot.stats.intervals import Interval


@dataclass(frozen=True)
class Rates:
    """One line: both rates and both invalid shares, each the mean over languages of means over items; NaN without any.

    `auc` is the chance that an answerable question of a language has a higher margin than an unanswerable one, the mean
    over languages; 0.5 knows nothing. `error_at_tenth` is read off the operating curve where hallucination is at most
    0.1, one threshold for all languages. Both are means over wordings, and NaN where answers are written.
    """

    name: str
    unanswerable: int
    answerable: int
    hallucination: Interval
    error: Interval
    invalid_unanswerable: Interval
    invalid_answerable: Interval
    auc: Interval
    error_at_tenth: float


@dataclass(frozen=True)
class UnanswerableSummary(PlainJson):
    """The probe's whole finding for one model: overall, by language, by prompt variant, by resources.

    `baselines` are readers without a model (`baselines.py`), `shifts` what taking the relevant passages away does
    (`shift.py`), where the task has such questions.
    `spearman` and `spearman_p` relate the languages' hallucination rates to their Wikipedia passages.
    """

    probe: ClassVar[str] = "unanswerable"

    model: str
    answering: str
    overall: Rates
    baselines: tuple[Rates, ...]
    languages: tuple[Rates, ...]
    variants: tuple[Rates, ...]
    groups: tuple[Rates, ...]
    shifts: tuple[Shift, ...]
    spearman: float
    spearman_p: float
    noise: NoiseFloor
    rows: int
    truncated: int
    complete: bool

    def sentence(self) -> str:
        """The finding in a sentence."""
        one, told = self.overall, []
        if one.unanswerable:
            asked = f"the {_questions(one.unanswerable)} that no passage answers"
            told.append(f'"The answer is present" is said of {_percent(one.hallucination)} of {asked}')
        if one.answerable:
            said = "" if told else "is said "
            asked = (
                f"{one.answerable:,} that one does" if told else f"{_questions(one.answerable)} that a passage answers"
            )
            told.append(f'"I don\'t know" {said}of {_percent(one.error)} of the {asked}')
        return f"{', and '.join(told)}." if told else "No question has an answer yet."

    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before believing the numbers."""
        told = []
        if not self.complete:
            told.append("The run is not complete: some planned cells are missing, and every number can still move.")
        shares = (self.overall.invalid_unanswerable.value, self.overall.invalid_answerable.value)
        invalid = max((share for share in shares if not isnan(share)), default=0.0)
        if invalid > 0.05:
            told.append(f"{100 * invalid:.0f} % of the outputs of a subset say neither; both rates are low by as much.")
        if self.truncated:
            told.append(f"{self.truncated:,} prompts did not fit the context and were cut.")
        if self.noise.changed:
            told.append(f"Of {self.noise.rechecked:,} cells computed again, {self.noise.changed:,} changed.")
        return tuple(told)

    def tables(self) -> tuple[Table, ...]:
        """Overall, by prompt variant, by language and by resources of the language."""
        note = (
            "Items, and invalid outputs in %: where no passage answers, and where one does. Invalid outputs are in the "
            "denominators of both rates. AUC: the chance that an answerable question has the higher margin for "
            '"present"; 0.50 knows nothing.'
        )
        if self.baselines:
            note += f" Readers that know no language: {', '.join(one.name for one in self.baselines)}."
        if not isnan(self.spearman):
            note += (
                f" Hallucination against Wikipedia passages: Spearman {self.spearman:.2f} (p {self.spearman_p:.2f})."
            )
        return (
            _table("Rates, %, mean over languages", (replace(self.overall, name="model"), *self.baselines), note),
            *((_shift_table(self.shifts),) if self.shifts else ()),
            _table("By prompt variant, %", self.variants),
            _table("By language, %", self.languages),
            *((_table("By resources of the language, %", self.groups),) if len(self.groups) > 1 else ()),
        )


def _table(title: str, lines: tuple[Rates, ...], note: str = "") -> Table:
    """Invalid shares and AUC have a column where there are any."""
    columns = ["", "items", "hallucination", "error"]
    rows = [
        [one.name, f"{one.unanswerable:,}+{one.answerable:,}", _ends(one.hallucination), _ends(one.error)]
        for one in lines
    ]
    if any(one.invalid_unanswerable.value > 0 or one.invalid_answerable.value > 0 for one in lines):
        columns.append("invalid")
        for row, one in zip(rows, lines, strict=True):
            row.append(", ".join(_share(share.value) for share in (one.invalid_unanswerable, one.invalid_answerable)))
    if not all(isnan(one.auc.value) for one in lines):
        columns.append("AUC")
        for row, one in zip(rows, lines, strict=True):
            row.append(_interval(one.auc))
    return Table(title, tuple(columns), tuple(map(tuple, rows)), note)


def _share(value: float) -> str:
    return "-" if isnan(value) else f"{100 * value:.1f}"


def _ends(one: Interval) -> str:
    return _interval(one, 100, ".1f")


def _questions(n: int) -> str:
    return f"{n:,} question{'' if n == 1 else 's'}"


def _percent(one: Interval) -> str:
    value, _, ends = _ends(one).partition(" ")
    return f"{value} % {ends}".rstrip()


def _interval(one: Interval, scale: float = 1, form: str = ".2f") -> str:
    if isnan(one.value):
        return "-"
    value, low, high = (format(scale * x, form) for x in (one.value, one.low, one.high))
    return value if isnan(one.low) or one.low == one.high else f"{value} ({low} to {high})"


def _shift_table(shifts: tuple[Shift, ...]) -> Table:
    columns = ("", "questions", "log-odds of present", "p", "present, points")
    rows = tuple(
        (
            one.name,
            f"{one.items:,}",
            _interval(one.log_odds, 1, "+.2f"),
            "-" if isnan(one.p) else f"{one.p:.4f}",
            _interval(one.present, 100, "+.1f"),
        )
        for one in shifts
    )
    note = (
        "Each question with its relevant passages against the same without them: as it is, and without as many others "
        "instead, which leaves both sides with the same number of passages."
    )
    return Table("What the relevant passage is worth, paired", columns, rows, note)
