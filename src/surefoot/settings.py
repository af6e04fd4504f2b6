"""Builds a probe or treatment from a catalogue entry and the settings that a user gave by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from surefoot.catalogue import Entry
from surefoot.errors import BadInput, nearest


def build(entry: Entry, settings: Mapping[str, Any]) -> Any:
    """The entry's object with these settings; a setting that it does not have is refused with the nearest one.

    Values may be strings, as they come from a command line (`alpha=0.5`); they are read as the field's type. Settings
    that are groups of settings themselves (a dataclass) take those of their members by name: `steps=100`.
    """
    return made(f'{entry.kind} "{entry.name}"', entry.load(), settings)


def made(what: str, maker: Any, settings: Mapping[str, Any]) -> Any:
    """A dataclass from settings by name; `what` is what messages call it."""
    known = [member.name for member in members(maker)]
    for name in settings:
        if name not in known:
            raise BadInput(f'The {what} has no setting "{name}".{nearest(name, known)}')
    return _make(what, maker, settings)


class Member(NamedTuple):
    """A setting that a user can give: its name, the group that it stands in (empty for none), field and type."""

    name: str
    group: str
    field: Field[Any]
    type: Any


def members(maker: Any) -> Iterator[Member]:
    """Every setting of a dataclass, those of its groups included, in order."""
    hints = get_type_hints(maker)
    for field in fields(maker):
        group = _group(maker, field)
        if group is None:
            yield Member(field.name, "", field, hints[field.name])
        else:
            yield from (member._replace(group=field.name) for member in members(group))


def _make(what: str, maker: Any, settings: Mapping[str, Any]) -> Any:
    hints, values = get_type_hints(maker), {}
    for field in fields(maker):
        group = _group(maker, field)
        if group is not None:
            own = {member.name: settings[member.name] for member in members(group) if member.name in settings}
            values[field.name] = _make(what, group, own)
        elif field.name in settings:
            values[field.name] = _read(what, field.name, settings[field.name], hints[field.name])
        elif field.default is MISSING and field.default_factory is MISSING:
            raise BadInput(f'The {what} needs the setting "{field.name}"; give {field.name}=...')
    return maker(**values)


def _group(maker: Any, field: Field[Any]) -> Any:
    """The dataclass of a field that is a group of settings."""
    kind = get_type_hints(maker)[field.name]
    return kind if isinstance(kind, type) and is_dataclass(kind) else None


def _read(what: str, name: str, value: Any, wanted: Any) -> Any:
    if not isinstance(value, str) or wanted in (str, Any) or str in get_args(wanted):
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
    raise BadInput(f'The setting "{name}" of {what} is "{value}", which is not a {kinds[0].__name__}.')
