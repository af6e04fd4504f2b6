"""A reproduction: a published number, recomputed from published data, beside what was printed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from surefoot.errors import BadInput


class Expected(NamedTuple):
    """A printed number and how far a recomputation may lie from it (half a unit of its last digit, or as stated)."""

    value: float
    tolerance: float


class Measured(NamedTuple):
    """Numbers by name, and sentences on what else the data say."""

    numbers: Mapping[str, float]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reproduction:
    """What is reproduced, from where, in how many minutes, and in which points it deviates from the source.

    `expected` reads the printed numbers; `measure` recomputes them from the data folder, under the same names.
    """

    id: str
    title: str
    command: str
    source: str
    minutes: float
    deviations: tuple[str, ...]
    expected: Callable[[], Mapping[str, Expected]]
    measure: Callable[[Path], Measured]
    data_help: str

    def run(self, data: str | None) -> ReproductionResult:
        """Recomputes the numbers from the folder `data`; `BadInput` names a missing folder and how to get it."""
        if data is None:
            raise BadInput(f"{self.id} needs its data: {self.command}. {self.data_help}")
        if not Path(data).exists():
            raise BadInput(f'The data folder "{data}" does not exist. {self.data_help}')
        expected, measured = self.expected(), self.measure(Path(data))
        lines = tuple(_line(name, number, measured.numbers) for name, number in expected.items())
        return ReproductionResult(self.id, self.title, self.source, lines, measured.notes, self.deviations)


@dataclass(frozen=True)
class Line:
    """One printed number beside its recomputation."""

    name: str
    expected: float
    tolerance: float
    measured: float
    within: bool


@dataclass(frozen=True)
class ReproductionResult:
    """All numbers of a reproduction; printed as a table."""

    id: str
    title: str
    source: str
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    deviations: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every number lies within its tolerance."""
        return all(line.within for line in self.lines)

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {**asdict(self), "ok": self.ok}

    def __str__(self) -> str:
        width = max(len(line.name) for line in self.lines)
        head = f"{'':{width}}  {'expected':>9}  {'measured':>9}  {'tolerance':>9}"
        table = "\n".join(_show(line, width) for line in self.lines)
        within = sum(line.within for line in self.lines)
        blocks = [f"{self.id}: {self.title}\nSource: {self.source}", f"{head}\n{table}"]
        blocks.append(f"{within} of {len(self.lines)} numbers within tolerance.")
        blocks += [_listed("Also", self.notes), _listed("Deviations", self.deviations)]
        return "\n\n".join(block for block in blocks if block)


def _line(name: str, number: Expected, measured: Mapping[str, float]) -> Line:
    value = measured[name]
    # the printed digits are decimal: leave room for the binary rounding of the difference, and for nothing else
    return Line(name, number.value, number.tolerance, value, abs(value - number.value) <= number.tolerance + 1e-9)


def _show(line: Line, width: int) -> str:
    mark = "" if line.within else "  OUTSIDE"
    return f"{line.name:{width}}  {line.expected:9.4g}  {line.measured:9.3f}  {line.tolerance:9.3g}{mark}"


def _listed(title: str, sentences: tuple[str, ...]) -> str:
    return "\n".join([f"{title}:", *(f"- {sentence}" for sentence in sentences)]) if sentences else ""
