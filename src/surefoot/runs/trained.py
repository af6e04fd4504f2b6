"""What a run's model was trained on, as its record says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Seen(NamedTuple):
    """Items and wordings of one task that a model was trained on."""

    items: frozenset[str]
    wordings: frozenset[str]


def trained_on(record: Mapping[str, Any]) -> dict[str, Seen]:
    """By task, what the treatments of the run's model were trained on; empty for an untreated model."""
    found: dict[str, Seen] = {}
    for told in record.get("determinants", {}).get("options", {}).values():
        about = told[1] if isinstance(told, list | tuple) and len(told) == 2 and isinstance(told[1], Mapping) else {}
        for task, ids in (about.get("trained_on") or {}).items():
            old = found.get(task, Seen(frozenset(), frozenset()))
            found[task] = Seen(old.items | {*ids["items"]}, old.wordings | {*ids["wordings"]})
    return found


def trained_note(record: Mapping[str, Any]) -> str | None:
    """A sentence where tasks of the run are among those that its model was trained on."""
    both = [task for task in trained_on(record) if task in record.get("tasks", {})]
    if not both:
        return None
    seen = [trained_on(record)[task] for task in both]
    items, wordings = (sum(len(getattr(one, what)) for one in seen) for what in ("items", "wordings"))
    return (
        f"The model was trained on {items} items and {wordings} wordings of {len(both)} "
        f"task{'s' if len(both) > 1 else ''} that are asked here, so these numbers are partly of what it has seen. "
        "`surefoot compare` leaves that out."
    )
