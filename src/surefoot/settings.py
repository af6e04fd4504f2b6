"""Builds a probe or treatment from a catalogue entry and the settings that a user gave by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, get_args, get_origin, get_type_hints

from surefoot.catalogue import Entry
from surefoot.errors import BadInput, nearest


def build(entry: Entry, settings: Mapping[str, Any]) -> Any:
    """The entry's object with these settings; a setting that it does not have is refused with the nearest one.

    Values may be strings, as they come from a command line (`alpha=0.5`); they are read as the field's type.
    """
    maker = entry.load()
    known = {field.name: field for field in fields(maker)}
    hints = get_type_hints(maker)
    for name in settings:
        if name not in known:
            raise BadInput(f'The {entry.kind} "{entry.name}" has no setting "{name}".{nearest(name, known)}')
    missing = [
        n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING and n not in settings
    ]
    if missing:
        raise BadInput(f'The {entry.kind} "{entry.name}" needs the setting "{missing[0]}"; give {missing[0]}=...')
    return maker(**{name: _read(entry, name, value, hints[name]) for name, value in settings.items()})


def _read(entry: Entry, name: str, value: Any, wanted: Any) -> Any:
    if not isinstance(value, str) or wanted is str or str in get_args(wanted):
        return value
    kinds = [kind for kind in (get_args(wanted) or (wanted,)) if isinstance(kind, type)]
    if get_origin(wanted) is not None and not kinds:
        return value  # a Literal of strings; the object checks it
    for kind in kinds:
        try:
            if kind is bool:
                return {"true": True, "false": False}[value.lower()]
            if kind is type(None):
                return {"none": None}[value.lower()]
            return kind(value)
        except (ValueError, KeyError, TypeError):
            continue
    raise BadInput(
        f'The setting "{name}" of {entry.kind} "{entry.name}" is "{value}", which is not a {kinds[0].__name__}.'
    )
