"""Memory given back to the system: caches of ever new sizes leave holes that the C library keeps."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from typing import Any

EVERY = 32  # finished texts between two times


class Trimmer:
    """Gives free memory back each time `EVERY` more texts have ended."""

    def __init__(self) -> None:
        self.ended = 0

    def note(self, ended: int) -> None:
        self.ended += ended
        if self.ended >= EVERY:
            self.ended = 0
            trim = _trim()
            if trim is not None:
                trim(0)


@cache
def _trim() -> Any:
    """glibc's malloc_trim; None with any other C library."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
