"""What every probe's summary can do, so that one report, one table and one JSON serve all probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any, ClassVar, NamedTuple, Protocol


class Summary(Protocol):
    """The finding of a probe on one model: a frozen dataclass that is derived from rows and from nothing else.

    `probe` is the probe's name, `complete` whether every planned row was there.
    """

    probe: ClassVar[str]

    @property
    def model(self) -> str: ...
    @property
    def complete(self) -> bool: ...

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; `plain` gives it."""
        ...


class PlainJson:
    """A dataclass that becomes JSON member by member."""

    def to_dict(self) -> dict[str, Any]:
        """The summary as JSON values; NaN (nothing to compute) and infinities become null."""
        found: dict[str, Any] = plain(self)
        return found


class Table(NamedTuple):
    """A table of a finding: texts and numbers as they are to be read; the first column names the line."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class Tabular(Summary, Protocol):
    """A summary that is shown as a sentence and tables: in the terminal, in a notebook and in the report alike.

    That is all a new probe needs. One that draws has functions of its own in `surefoot.report` (`report/views.py`).
    """

    def sentence(self) -> str:
        """The finding in a sentence."""
        ...

    def warnings(self) -> tuple[str, ...]:
        """What a reader must know before believing the numbers."""
        ...

    def tables(self) -> tuple[Table, ...]:
        """The tables, the most important first."""
        ...


def plain(value: Any) -> Any:
    """JSON values of a dataclass: dicts and lists; NaN (nothing to compute) and infinities become null."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return plain(value._asdict())
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value
