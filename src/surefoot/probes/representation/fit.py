"""Accuracy lost against distance: the lines, and what speaks against believing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from surefoot.probes.representation.summary import Degradation, TaskDistance, WordingDistance
from surefoot.stats.bootstrap import generator
from surefoot.stats.regression import fit_line, most_influential, permutation_p, varies

PERMUTATIONS = 1999


def degradation(tasks: Sequence[TaskDistance], unit: Literal["distance", "scaled"], seed: int) -> Degradation:
    """The lines through the target wordings of all tasks; a wording without a distance or an accuracy is left out."""
    points = [
        (task.task, wording, getattr(wording, unit).value)
        for task in tasks
        for wording in task.wordings
        if wording.id in task.targets
    ]
    points = [(task, wording, x) for task, wording, x in points if np.isfinite(x) and np.isfinite(wording.lost)]
    groups = [task for task, _, _ in points]
    x = np.asarray([x for _, _, x in points], dtype=np.float64)
    y = np.asarray([wording.lost for _, wording, _ in points], dtype=np.float64)
    note = _note(x)
    if note:
        return Degradation(None, None, np.nan, "", note)
    return Degradation(
        pooled=fit_line(x, y),
        within=fit_line(x, y, groups),
        permutation_p=permutation_p(x, y, groups, PERMUTATIONS, generator(seed, unit, "permutation")),
        hangs_on=_hangs_on([(task, wording) for task, wording, _ in points], x, y, groups),
        note="",
    )


def _note(x: np.ndarray) -> str:
    if x.size < 3:
        return f"A line takes three wordings with a distance and an accuracy, and there are {x.size}."
    if not varies(x):
        return "All distances are equal, so nothing can be said about accuracy against distance."
    return ""


def _hangs_on(
    points: Sequence[tuple[str, WordingDistance]], x: np.ndarray, y: np.ndarray, groups: Sequence[str]
) -> str:
    found = most_influential(x, y, groups)
    if found is None or found.cook <= 1:
        return ""
    task, wording = points[found.place]
    return (
        f'The line hangs on one wording, "{wording.id}" of {task} (Cook\'s distance {found.cook:.1f}): without it the '
        f"slope is {100 * found.slope_without:+.1f} points per unit."
    )
