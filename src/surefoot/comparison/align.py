"""The cells that two runs share, and the refusal of runs that do not ask the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from surefoot.comparison.cells import TaskCells
from surefoot.comparison.sides import Side, seen_in_training
from surefoot.errors import BadInput
from surefoot.runs.trained import Seen
from surefoot.stats.paired import Paired
from surefoot.text.instruction import RIGHT

NAMED = 3  # names of each kind in a refusal
NOTHING = Seen(frozenset(), frozenset())


class Aligned(NamedTuple):
    """One task in both runs: the scores of the same items under the same wordings, every cell there.

    `moved` counts the cells under right wordings whose answer is another one, whatever its score.
    """

    task: str
    items: tuple[str, ...]
    wordings: tuple[str, ...]
    klasses: tuple[str, ...]
    scores: Paired
    moved: int

    @property
    def right(self) -> NDArray[np.bool_]:
        """The wordings that ask for the task as it is."""
        return np.array([klass in RIGHT for klass in self.klasses])

    def of(self, klass: str) -> NDArray[np.bool_]:
        return np.array([own == klass for own in self.klasses])


class Alignment(NamedTuple):
    """All tasks that can be compared, how many cells of either run were left out, and why."""

    tasks: tuple[Aligned, ...]
    left_out: tuple[int, int]
    notes: tuple[str, ...]


def align(one: Side, other: Side, *, common: bool, seen: bool = False) -> Alignment:
    """The cells of both runs, paired; without items and wordings that a model was trained on, unless `seen`.

    Raises `BadInput` where the runs hold different cells or the content of a task has changed, with a list of the
    differences; with `common`, only where nothing is shared or a shared cell has another right answer. Of a task with
    holes (an unfinished run) the items and wordings with the largest share of missing cells are left out, until every
    item has every wording.
    """
    told = list(_differences(one, other))
    if told and not common:
        raise BadInput(
            f"The two runs do not hold the same cells: {'; '.join(told)}. Run both with the same task, limit and seed, "
            "or compare what they share with --common (common=True)."
        )
    shared = [name for name in one.cells.tasks if name in other.cells.tasks]
    taught = {} if seen else seen_in_training((one, other))
    triples = ((name, one.cells.tasks[name], other.cells.tasks[name]) for name in shared)
    found = [task for each in triples if (task := _aligned(*each, taught.get(each[0], NOTHING))) is not None]
    if not found and taught and align(one, other, common=common, seen=True).tasks:
        raise BadInput(
            "All that the two runs share was trained on; run both on other items or wordings, or compare what was "
            "trained on with --seen (seen=True)."
        )
    if not found:
        raise BadInput(
            f'"{one.label}" and "{other.label}" share no two items of a task under a right wording, so nothing can be '
            "compared; give runs of the same task."
        )
    used = sum(task.scores.before.size for task in found)
    left_out = (one.cells.size - used, other.cells.size - used)
    notes = [*_taught(one, other, taught), *_notes(one, other, [task.task for task in found], left_out)]
    return Alignment(tuple(found), left_out, tuple(notes))


def _aligned(task: str, one: TaskCells, other: TaskCells, taught: Seen) -> Aligned | None:
    items = tuple(sorted(({*one.items} & {*other.items}) - taught.items))
    wordings = tuple(sorted(({*one.wordings} & {*other.wordings}) - taught.wordings))
    if not items or not wordings:
        return None
    here, there = (np.ix_(_places(items, c.items), _places(wordings, c.wordings)) for c in (one, other))
    present = one.present[here] & other.present[there]
    if (changed := int((present & (one.gold[here] != other.gold[there])).sum())) > 0:
        raise BadInput(
            f'In {changed} of the cells that both runs hold of "{task}" the right answer is not the same, so the items '
            "or the order of their options differ; run both with the same task and seed."
        )
    rows, columns = rectangle(present)
    klasses = [one.klasses[j] for j in here[1].ravel()]
    if rows.size < 2 or not any(klasses[j] in RIGHT for j in columns):
        return None
    kept = np.ix_(rows, columns)
    right = np.array([klasses[j] in RIGHT for j in columns])
    moved = (one.answer[here] != other.answer[there])[kept][:, right]
    return Aligned(
        task=task,
        items=tuple(items[i] for i in rows),
        wordings=tuple(wordings[j] for j in columns),
        klasses=tuple(klasses[j] for j in columns),
        scores=Paired(one.score[here][kept], other.score[there][kept]),
        moved=int(moved.sum()),
    )


def rectangle(present: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns that are complete together; those with the largest share of holes go first, columns on a tie."""
    rows, columns = np.arange(present.shape[0]), np.arange(present.shape[1])
    while rows.size and columns.size and not present[np.ix_(rows, columns)].all():
        holes = ~present[np.ix_(rows, columns)]
        by_row, by_column = holes.mean(axis=1), holes.mean(axis=0)
        if by_column.max() >= by_row.max():
            columns = columns[by_column < by_column.max()]
        else:
            rows = rows[by_row < by_row.max()]
    return rows, columns


def _places(names: tuple[str, ...], among: tuple[str, ...]) -> NDArray[np.int64]:
    """Where the names stand among others; both are sorted."""
    place = {name: i for i, name in enumerate(among)}
    return np.array([place[name] for name in names], dtype=np.int64)


def _differences(one: Side, other: Side) -> Iterator[str]:
    """Each way in which the two runs ask something else, as a clause with counts and the first names."""
    yield from _only("task", one, other, one.cells.tasks, other.cells.tasks)
    for name, cells in one.cells.tasks.items():
        if name not in other.cells.tasks:
            continue
        peer = other.cells.tasks[name]
        told: list[str] = []
        for noun, mine, theirs in (("item", cells.items, peer.items), ("wording", cells.wordings, peer.wordings)):
            told += _only(f"{noun} of {name}", one, other, mine, theirs)
        yield from told or _holes(name, one, other) or _changed(name, one, other)


def _only(noun: str, one: Side, other: Side, mine: Iterable[str], theirs: Iterable[str]) -> Iterator[str]:
    for side, names in ((one, {*mine} - {*theirs}), (other, {*theirs} - {*mine})):
        if names:
            yield f'{_count(len(names), noun)} only in "{side.label}" ({_some(names)})'


def _holes(name: str, one: Side, other: Side) -> list[str]:
    mine, theirs = one.cells.tasks[name].present, other.cells.tasks[name].present
    sides = ((one, int((mine & ~theirs).sum())), (other, int((theirs & ~mine).sum())))
    return [f'{_count(n, f"cell of {name}")} only in "{side.label}"' for side, n in sides if n]


def _changed(name: str, one: Side, other: Side) -> list[str]:
    mine, theirs = one.hashes.get(name), other.hashes.get(name)
    klasses = one.cells.tasks[name].klasses != other.cells.tasks[name].klasses
    if klasses or (mine and theirs and mine != theirs):
        return [f'the content of "{name}" is not the same, though the ids are']
    return []


def _taught(one: Side, other: Side, taught: Mapping[str, Seen]) -> Iterator[str]:
    tasks = [(one.cells.tasks[name], ids) for name, ids in taught.items() if name in one.cells.tasks]
    items = sum(len(ids.items & {*cells.items}) for cells, ids in tasks)
    wordings = sum(len(ids.wordings & {*cells.wordings}) for cells, ids in tasks)
    if items or wordings:
        who = " or ".join(f'"{side.label}"' for side in (one, other) if seen_in_training([side]))
        yield (
            f"Only what is new to both models is compared: {who} was trained on {_count(items, 'item')} and "
            f"{_count(wordings, 'wording')} of these runs, which are left out."
        )


def _notes(one: Side, other: Side, kept: list[str], left_out: tuple[int, int]) -> Iterator[str]:
    if any(left_out):
        yield (
            f'Only complete pairs are compared: {_count(left_out[0], "cell")} of "{one.label}" and '
            f'{_count(left_out[1], "cell")} of "{other.label}" are left out, because the other run lacks them, or '
            "their item or wording has holes or was trained on."
        )
    lost = sorted({*one.cells.tasks, *other.cells.tasks} - {*kept})
    if lost:
        yield f"Without cells in common that can be compared: {_some(lost)}."
    doubted = [name for name in kept if one.hashes.get(name) != other.hashes.get(name)]
    if doubted:
        yield (
            f"The content of {_some(doubted)} differs between the runs or is not on record, so items and wordings are "
            "taken to be the same where their ids and right answers are."
        )


def _count(n: int, noun: str) -> str:
    head, _, rest = noun.partition(" of ")
    return f"{n:,} {head}{'' if n == 1 else 's'}" + (f' of "{rest}"' if rest else "")


def _some(names: Iterable[str]) -> str:
    found = sorted(names)
    more = f" and {len(found) - NAMED:,} more" if len(found) > NAMED else ""
    return ", ".join(f'"{name}"' for name in found[:NAMED]) + more
