"""Which cells of a run are there: exact, and about a byte a cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple


class Cell(NamedTuple):
    """The name of a row. Equal to the plain tuple of the same values."""

    model: str
    task: str
    wording: str
    item: str
    recheck: bool


class Cells(Set[Cell]):
    """A set of cells that keeps each item's id once and a byte for each (model, task, wording, recheck, item).

    It reads like any set (`in`, `len`, iteration, `plan - cells`); a plain set of the same tuples takes some 200 bytes
    a cell. Relations: `Run.done()` gives one.
    """

    def __init__(self, cells: Iterable[tuple[str, str, str, str, bool]] = ()) -> None:
        self._places: dict[str, dict[str, int]] = {}  # task -> item -> place of the item's byte
        self._marks: dict[tuple[str, str, str, bool], bytearray] = {}
        self._count = 0
        for cell in cells:
            self.add(cell)

    def add(self, cell: tuple[str, str, str, str, bool]) -> bool:
        """Put the cell in; False if it was there."""
        model, task, wording, item, recheck = cell
        places = self._places.setdefault(task, {})
        place = places.setdefault(item, len(places))
        marks = self._marks.setdefault((model, task, wording, recheck), bytearray())
        if place >= len(marks):
            marks.extend(bytes(place + 1 - len(marks)))
        if marks[place]:
            return False
        marks[place] = 1
        self._count += 1
        return True

    def __contains__(self, cell: object) -> bool:
        if not isinstance(cell, tuple) or len(cell) != len(Cell._fields):
            return False
        model, task, wording, item, recheck = cell
        place = self._places.get(task, {}).get(item)
        marks = self._marks.get((model, task, wording, recheck), b"")
        return place is not None and place < len(marks) and bool(marks[place])

    def __iter__(self) -> Iterator[Cell]:
        for (model, task, wording, recheck), marks in self._marks.items():
            for item, place in self._places[task].items():
                if place < len(marks) and marks[place]:
                    yield Cell(model, task, wording, item, recheck)

    def __len__(self) -> int:
        return self._count

    @classmethod
    def _from_iterable(cls, it: Iterable[Cell]) -> set[Cell]:  # type: ignore[override]
        return set(it)  # what `plan - cells` gives is small and is a plain set
