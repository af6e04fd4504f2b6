"""Every reproduction by id, loaded when asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from surefoot.errors import BadInput, nearest
from surefoot.reproductions.reproduction import Reproduction

REPRODUCTIONS: Mapping[str, str] = {
    "R0": "surefoot.reproductions.r0:R0",
}
"""Id to `module:object`."""


def reproduction(id: str) -> Reproduction:
    """The reproduction of this id; case does not matter."""
    if id.upper() not in REPRODUCTIONS:
        raise BadInput(f'"{id}" is not a reproduction.{nearest(id, REPRODUCTIONS)}')
    module, name = REPRODUCTIONS[id.upper()].split(":")
    found = getattr(import_module(module), name)
    assert isinstance(found, Reproduction)
    return found
