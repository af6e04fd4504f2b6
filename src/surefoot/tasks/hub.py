"""Data sets of the Hugging Face hub, through the optional package `datasets`."""

from __future__ import annotations

from typing import Any

from surefoot.errors import BadInput, NotAvailable, nearest
from surefoot.tasks.jsonl import Line


def read_hub(name: str, split: str, config: str | None) -> tuple[Line, ...]:
    """The rows of one split. Class labels become their names.

    Raises `NotAvailable` where `datasets` is not installed or the hub cannot be reached, `BadInput` for an unknown
    split. Code of the data set's repository is never run.
    """
    try:
        import datasets
    except ImportError:
        raise NotAvailable(
            f'"hub:{name}" needs the package datasets; install it with: pip install "surefoot[datasets]"'
        ) from None
    try:
        splits: dict[str, Any] = dict(datasets.load_dataset(name, config))
    except Exception as error:  # the package raises many kinds, from the network to the data set's own files
        short = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise NotAvailable(f'The data set "{name}" cannot be had from the hub or its cache: {short}') from None
    if split not in splits:
        raise BadInput(f'"hub:{name}" has no split "{split}".{nearest(split, splits)}')
    rows = splits[split]
    names = {key: kind.names for key, kind in rows.features.items() if hasattr(kind, "names")}
    return tuple(Line(f"hub:{name}, row {i}", _named(row, names)) for i, row in enumerate(rows))


def _named(row: dict[str, Any], names: dict[str, list[str]]) -> dict[str, Any]:
    named = {key: names[key][value] for key, value in row.items() if key in names and _known(value, names[key])}
    return {**row, **named}


def _known(value: Any, names: list[str]) -> bool:
    return isinstance(value, int) and 0 <= value < len(names)
