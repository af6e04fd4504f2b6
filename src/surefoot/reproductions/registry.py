"""Every reproduction by id, loaded when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from surefoot.errors import BadInput, nearest
from surefoot.reproductions.reproduction import Reproduction

REPRODUCTIONS: Mapping[str, str] = {
    "R0": "surefoot.reproductions.r0:R0",
    "NOMIRACL": "surefoot.reproductions.nomiracl:NOMIRACL",
}
"""Id to `module:object`."""

EXPERIMENTS: Mapping[str, Mapping[str, str]] = {
    "R0": {"alignment": "surefoot.reproductions.alignment:reproduce_alignment"},
}
"""Id to its parts beside the published table, which are computed from nothing but a seed."""


def reproduction(id: str) -> Reproduction:
    """The reproduction of this id; case does not matter."""
    if id.upper() not in REPRODUCTIONS:
        raise BadInput(f'"{id}" is not a reproduction.{nearest(id, REPRODUCTIONS)}')
    module, name = REPRODUCTIONS[id.upper()].split(":")
    found = getattr(import_module(module), name)
    assert isinstance(found, Reproduction)
    return found


def experiment(id: str, part: str) -> Callable[..., Any]:
    """The experiment of this id and part: a function of the number of seeds."""
    parts = EXPERIMENTS.get(id.upper(), {})
    if part not in parts:
        reproduction(id)  # refuses an unknown id
        raise BadInput(f'{id.upper()} has no part "{part}".{nearest(part, ("published", *parts))}')
    module, name = parts[part].split(":")
    found: Callable[..., Any] = getattr(import_module(module), name)
    return found
