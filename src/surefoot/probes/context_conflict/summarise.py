"""Puts the context-conflict probe's summary together from rows."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from surefoot.probes.context_conflict.known import knowledge
from surefoot.probes.context_conflict.summary import Condition, ContextConflictSummary, Outcomes, Selection
from surefoot.probes.phrasing.noise import noise_floor, truncated_cells
from surefoot.probes.phrasing.summarise import task_rows
from surefoot.probes.phrasing.tables import MISSING, OUTCOMES, Matrix, task_matrix
from surefoot.stats.intervals import Floats, Interval, wilson
from surefoot.tasks.task import Task
from surefoot.worlds.conflicts import CONDITIONS, CONFLICT, PASSAGES

if TYPE_CHECKING:
    from surefoot.probes.context_conflict.probe import ContextConflict
    from surefoot.runs.source import Rows


def summarise_conflicts(
    rows: Rows, tasks: Sequence[Task], model: str, probe: ContextConflict, complete: bool
) -> ContextConflictSummary:
    """The finding of one model, from its rows alone. `BadInput` for rows of tasks, wordings or items unknown."""
    ordered = sorted(tasks, key=lambda task: CONDITIONS.index(task.name))
    matrices = [task_matrix(task_rows(rows, task, model), task, probe.seed, resamples=1) for task in ordered]
    conditions = tuple(_condition(matrix) for matrix in matrices if matrix is not None)
    told = knowledge(rows)
    asked = rows.names("item", pc.field("task").isin(PASSAGES))
    selection = Selection(probe.known, told.facts, *map(len, told), asked=len(asked))  # type: ignore[misc]
    conflict = next((one.outcomes for one in conditions if one.name == CONFLICT), None)
    return ContextConflictSummary(
        model=model,
        answering=probe.answering,
        selection=selection,
        conditions=conditions,
        memorisation=memorisation_ratio(conflict),
        noise=noise_floor(rows, ordered, model),
        rows=rows.count,
        truncated=truncated_cells(rows, model),
        complete=complete,
    )


def memorisation_ratio(conflict: Outcomes | None) -> Interval:
    """M_R = p_original / (p_original + p_swapped), on the n (p_original + p_swapped) facts that were answered so."""
    if conflict is None:
        return Interval(nan, nan, nan)
    own, passage = conflict.wrong.value * conflict.items, conflict.right.value * conflict.items
    n = round(own + passage)
    return wilson(own * n / (own + passage), n) if n else Interval(nan, nan, nan)


def _condition(matrix: Matrix) -> Condition:
    columns = matrix.right()
    wordings = [_outcomes(matrix.wordings[j].id, matrix.outcome[:, [j]]) for j in columns]
    kind = {example.id: example.fields.get("kind", "") for example in matrix.task.examples}
    kinds = np.array([kind[item] for item in matrix.items])
    names = [name for name in dict.fromkeys(kinds.tolist()) if name]
    return Condition(
        _outcomes(matrix.task.name, matrix.outcome[:, columns]),
        tuple(wordings),
        tuple(_outcomes(name, matrix.outcome[np.ix_(kinds == name, columns)]) for name in names),
    )


def _outcomes(name: str, outcome: NDArray[np.int8]) -> Outcomes:
    """Shares over items x wordings of outcome codes; a missing cell counts for nothing."""
    there = outcome != MISSING
    asked = there.any(axis=1)
    outcome, there = outcome[asked], there[asked]
    shares = {one: _share(outcome == k, there) for k, one in enumerate(OUTCOMES)}
    return Outcomes(name, len(outcome), int(there.sum()), shares["right"], shares["wrong"], shares["unparsed"])


def _share(hit: NDArray[np.bool_], there: NDArray[np.bool_]) -> Interval:
    items: Floats = hit.sum(axis=1) / there.sum(axis=1)
    return wilson(min(float(items.sum()), len(items)), len(items))
