"""Published tables, recomputed: `surefoot reproduce ID`."""

from __future__ import annotations

from surefoot.reproductions.registry import REPRODUCTIONS, reproduction
from surefoot.reproductions.reproduction import Reproduction, ReproductionResult

__all__ = ["REPRODUCTIONS", "Reproduction", "ReproductionResult", "reproduce", "reproduction"]


def reproduce(id: str, data: str | None = None) -> ReproductionResult:
    """Recomputes the published numbers of this id from the folder `data`."""
    return reproduction(id).run(data)
