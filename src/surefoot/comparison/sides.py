"""One run of a comparison: what it is called, its record, its cells. The tasks are not loaded again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from surefoot.comparison.cells import Cells, cells_of
from surefoot.errors import BadInput
from surefoot.runs.trained import Seen, trained_on

if TYPE_CHECKING:
    from surefoot.probes.reading import Reading

    Run = Reading | str | os.PathLike[str]

MINOR = frozenset({"tasks"})  # told apart by their own hashes


@dataclass(frozen=True, eq=False)
class Side:
    """A run as one side of a comparison; `label` is its model's name, made unique among the runs compared."""

    label: str
    path: str | None
    record: Mapping[str, Any]
    cells: Cells

    @property
    def probe(self) -> str:
        return str(self.record.get("probe", ""))

    @property
    def hashes(self) -> dict[str, str]:
        """The hash of each task's content, as far as the record has it."""
        return {name: str(told["hash"]) for name, told in self.record.get("tasks", {}).items() if "hash" in told}


def seen_in_training(sides: Sequence[Side]) -> dict[str, Seen]:
    """By task, what any of the models was trained on."""
    found: dict[str, Seen] = {}
    for side in sides:
        for task, seen in trained_on(side.record).items():
            old = found.get(task, Seen(frozenset(), frozenset()))
            found[task] = Seen(old.items | seen.items, old.wordings | seen.wordings)
    return found


def sides_of(runs: Sequence[Run]) -> tuple[Side, ...]:
    """The runs as sides. Raises `BadInput` for fewer than two, for one given twice, and for different probes."""
    if len(runs) < 2:
        raise BadInput(f"A comparison takes two runs or more, and got {len(runs)}; name the baseline first.")
    _refuse_twice(runs)
    found = [_side(run) for run in runs]
    names = [side.label for side in found]
    sides = tuple(
        side if names.count(side.label) == 1 else _relabelled(side, i) for i, side in enumerate(found, start=1)
    )
    odd = next((side for side in sides[1:] if side.probe != sides[0].probe), None)
    if odd is not None:
        raise BadInput(
            f'"{sides[0].label}" was read by the probe "{sides[0].probe}" and "{odd.label}" by "{odd.probe}"; compare '
            "runs of one probe."
        )
    return sides


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """The settings in which two run records differ: name, value in the one, value in the other."""
    before, after = (dict(_flat(record.get("determinants", {}))) for record in (one, other))
    names = dict.fromkeys((*before, *after))
    return tuple((n, before.get(n, "–"), after.get(n, "–")) for n in names if before.get(n) != after.get(n))


def _side(run: Run) -> Side:
    if isinstance(run, str | os.PathLike):
        from surefoot.runs import read_record

        path = os.fspath(run)
        return _named(path, read_record(path), cells_of(run, path))
    name = str(run.record.get("model", {}).get("name", "the reading"))
    return _named(run.path, run.record, cells_of(run.rows, run.path or name))


def _named(path: str | None, record: Mapping[str, Any], cells: Cells) -> Side:
    return Side(str(record.get("model", {}).get("name") or cells.model), path, record, cells)


def _relabelled(side: Side, place: int) -> Side:
    return Side(f"{side.label} ({side.path or f'run {place}'})", side.path, side.record, side.cells)


def _refuse_twice(runs: Sequence[Run]) -> None:
    for (i, one), (j, other) in combinations(enumerate(runs, start=1), 2):
        if one is other or ((place := _place(one)) and place == _place(other)):
            what = f'"{place}"' if (place := _place(one)) else "the same reading"
            raise BadInput(f"Run {i} and run {j} are one and the same, {what}; a run has no difference from itself.")


def _place(run: Run) -> str | None:
    path = os.fspath(run) if isinstance(run, str | os.PathLike) else run.path
    if path is None or "://" in path:
        return path and path.rstrip("/")
    return os.path.realpath(path)


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if not above and name in MINOR:
            continue
        full = f"{above}.{name}" if above else str(name)
        if name == "trained_on" and isinstance(value, Mapping):
            items, wordings = (sum(len(ids[what]) for ids in value.values()) for what in ("items", "wordings"))
            yield full, f"{items} items and {wordings} wordings of {len(value)} tasks"
            continue
        if isinstance(value, list) and len(value) == 2 and isinstance(value[1], Mapping):  # a treatment
            yield full, str(value[0])
            value = value[1]  # noqa: PLW2901 - its settings follow
        if isinstance(value, Mapping):
            yield from _flat(value, full)
        else:
            yield full, str(value)
