"""Which sweeps there are, and the runs that each consists of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from surefoot.endpoints.address import address_of, is_address
from surefoot.errors import BadInput, nearest

SWEEPS: Mapping[str, str] = {
    "closer-look": "classes of wordings beside each other: right, incorrect, negated, nonsense",
    "scaling": "models from small to large under the same wordings",
    "shots": "the same questions with and without worked examples in front",
}


class Arm(NamedTuple):
    """One run of a sweep."""

    label: str
    model: str
    shots: int


def arms_of(name: str, models: Sequence[str], shots: Sequence[int]) -> tuple[Arm, ...]:
    """The runs of a sweep; a sweep that varies nothing is refused."""
    if name not in SWEEPS:
        raise BadInput(f'"{name}" is not a sweep.{nearest(name, SWEEPS)}')
    if not models:
        raise BadInput(f'The sweep "{name}" has no model; give at least one.')
    if name == "scaling" and len(models) < 2:
        raise BadInput("The sweep over sizes needs at least two models.")
    if name == "shots" and len(set(shots)) < 2:
        raise BadInput("The sweep over worked examples needs at least two numbers of them, for instance 0 and 1.")
    several = len(models) > 1
    counts = sorted(set(shots)) if name == "shots" else [0]
    arms = tuple(Arm(_label(model, n, several, name), model, n) for model in models for n in counts)
    if len({arm.label for arm in arms}) < len(arms):
        raise BadInput("The sweep names a model twice; give each once.")
    return arms


def _short(model: str) -> str:
    """A folder's last part; of an address the host and the model's name."""
    if is_address(model):
        address = address_of(model)
        return urlsplit(address.base).netloc + (f"#{address.model}" if address.model else "")
    return Path(model).name if "/" in model else model


def _label(model: str, shots: int, several: bool, name: str) -> str:
    short = _short(model)
    if name != "shots":
        return short
    counted = f"{shots} shot{'' if shots == 1 else 's'}"
    return f"{short}, {counted}" if several else counted
