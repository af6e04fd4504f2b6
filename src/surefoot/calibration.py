"""Readings of a probe on models whose behaviour is known exactly, beside the truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from surefoot.catalogue import CALIBRATED, find, load_object


class Truth(NamedTuple):
    """The right reading of one quantity, and how far a reading may lie from it (0 where it is exact)."""

    value: float
    tolerance: float


@dataclass(frozen=True)
class Calibration:
    """A model of known behaviour: `read` runs the probe on it and gives quantities by name, as `truths` names them."""

    name: str
    behaviour: str
    read: Callable[[], Mapping[str, float]]
    truths: Mapping[str, Truth]


class CalibrationLine(NamedTuple):
    """One reading beside its truth."""

    model: str
    behaviour: str
    quantity: str
    truth: float
    reading: float
    tolerance: float

    @property
    def ok(self) -> bool:
        return math.isclose(self.reading, self.truth, rel_tol=0, abs_tol=self.tolerance + 1e-12)


def calibrate(name: str) -> tuple[CalibrationLine, ...]:
    """All calibrations of a probe of the catalogue, or of `compare`."""
    cases = load_object(CALIBRATED[name]) if name in CALIBRATED else find("probe", name).load().calibrations
    return tuple(line for case in cases() for line in lines_of(case))


def lines_of(case: Calibration) -> list[CalibrationLine]:
    """The readings of one case."""
    readings = case.read()
    return [
        CalibrationLine(case.name, case.behaviour, name, truth.value, float(readings[name]), truth.tolerance)
        for name, truth in case.truths.items()
    ]


def calibration_table(lines: Sequence[CalibrationLine]) -> str:
    """The lines as text, one block a model."""
    texts = []
    for model in dict.fromkeys(line.model for line in lines):
        own = [line for line in lines if line.model == model]
        texts.append(f"{model}: {own[0].behaviour}")
        texts.append(f"  {'':<28}{'truth':>9}{'reading':>9}{'within':>9}")
        for line in own:
            mark = "" if line.ok else "  OFF"
            numbers = f"{line.truth:>9.4f}{line.reading:>9.4f}{line.tolerance:>9.4f}"
            texts.append(f"  {line.quantity:<28}{numbers}{mark}")
    off = sum(not line.ok for line in lines)
    texts.append(f"{len(lines)} readings, {off or 'none'} off.")
    return "\n".join(texts)
