"""Which facts a model knows: those whose closed-book answer is right under every wording that asks for it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import pyarrow.compute as pc

from surefoot.errors import BadInput
from surefoot.runs.source import Rows
from surefoot.text.instruction import RIGHT
from surefoot.worlds.conflicts import CLOSED


class Knowledge(NamedTuple):
    """Facts by how many of the closed-book wordings have them right: all, some, none."""

    known: frozenset[str]
    partly: frozenset[str]
    unknown: frozenset[str]

    @property
    def facts(self) -> int:
        return len(self.known) + len(self.partly) + len(self.unknown)


def knowledge(rows: Rows) -> Knowledge:
    """What the closed-book rows of a run tell. A fact that is not answered under every wording yet is left out."""
    where = (pc.field("task") == CLOSED) & ~pc.field("recheck") & pc.field("klass").isin(sorted(RIGHT))
    table = rows.select(("item", "wording", "outcome"), where)
    wordings = len(pc.unique(table["wording"]))
    asked = Counter(table["item"].to_pylist())
    right = Counter(table.filter(pc.equal(table["outcome"], "right"))["item"].to_pylist())
    whole = [item for item, count in asked.items() if count == wordings]
    return Knowledge(
        frozenset(item for item in whole if right[item] == wordings),
        frozenset(item for item in whole if 0 < right[item] < wordings),
        frozenset(item for item in whole if not right[item]),
    )


def known_items(rows: Rows) -> frozenset[str]:
    """The ids of the known facts."""
    return knowledge(rows).known


def known_of_run(path: str) -> frozenset[str]:
    """The facts that the model of a stored run knows. Raises `BadInput` where the run is none, or knows nothing."""
    from surefoot.runs import read_record

    record = read_record(path)
    if CLOSED not in record.get("tasks", {}):
        raise BadInput(f'The run "{path}" did not ask closed book; give a run of context-conflict, or own or all.')
    known = known_items(Rows(path))
    if not known:
        raise BadInput(f'The model of the run "{path}" knows none of its facts; give another run, or own or all.')
    return known


def digest(items: Iterable[str]) -> str:
    """A name for a set of facts: their number and a hash of their ids."""
    ids = sorted(items)
    return f"{len(ids)} facts, {hashlib.sha256(chr(10).join(ids).encode()).hexdigest()[:12]}"
