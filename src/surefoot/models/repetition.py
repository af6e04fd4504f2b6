"""Which time something is computed: a model that keeps answers must not answer the noise floor from its memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_REPETITION = ContextVar("surefoot_repetition", default=0)


def repetition() -> int:
    """0 for the first time."""
    return _REPETITION.get()


@contextmanager
def repeated(number: int) -> Iterator[None]:
    """Within, the same request counts as another one, which is asked again."""
    token = _REPETITION.set(number)
    try:
        yield
    finally:
        _REPETITION.reset(token)
