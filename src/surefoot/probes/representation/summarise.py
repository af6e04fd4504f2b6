"""Puts the representation probe's summary together: one task's states at a time, then over tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from surefoot.errors import BadInput
from surefoot.probes.phrasing.noise import noise_floor, rechecked_pairs
from surefoot.probes.phrasing.summarise import task_rows
from surefoot.probes.phrasing.tables import Matrix, task_matrix
from surefoot.probes.representation.distance import (
    Nearest,
    item_scale,
    nearest_by_centroid,
    nearest_by_item,
    states_of,
)
from surefoot.probes.representation.fit import degradation
from surefoot.probes.representation.summary import (
    ClassDistance,
    RepresentationSummary,
    StateNoise,
    TaskDistance,
    WordingDistance,
)
from surefoot.runs.source import Rows
from surefoot.stats.bootstrap import generator, mean_over, resampled_column_means
from surefoot.stats.intervals import Floats, Interval, percentile_interval
from surefoot.tasks.task import Task
from surefoot.text.instruction import KLASSES

if TYPE_CHECKING:
    from surefoot.probes.representation.probe import Representation

RESAMPLES = 2000
Places = NDArray[np.int64]


class Roles(NamedTuple):
    """Places of the reference and of the target wordings among a task's wordings, and what the reference is called."""

    name: str
    reference: Places
    target: Places


class _Drawn(NamedTuple):
    """A task's finding with the resamples of its wordings' scaled and raw distances (resamples x wordings)."""

    found: TaskDistance
    raw: Floats
    scaled: Floats
    unparsed: int
    truncated: int
    rows: int


def roles(task: Task, reference: str, target: str) -> Roles:
    """Which wordings are what. `auto`: the observed ones are the reference if there are any, else all right ones.

    The target is the right wordings beside the reference; where there are none (all right ones are the reference), it
    is the reference itself, each wording against the others.
    """
    klasses = [wording.klass for wording in task.wordings]
    right = np.flatnonzero([wording.is_right for wording in task.wordings])
    name = ("observed" if "observed" in klasses else "right wordings") if reference == "auto" else reference
    own = right if name == "right wordings" else np.flatnonzero([klass == name for klass in klasses])
    others = np.setdiff1d(right, own)
    chosen = np.flatnonzero([klass == target for klass in klasses]) if target != "auto" else others
    if target == "auto" and not others.size:
        chosen = own
    return Roles(name, own, chosen)


def refusal(task: Task, reference: str, target: str) -> str:
    """Why no distance can be measured on this task; empty if one can."""
    role = roles(task, reference, target)
    if not role.reference.size:
        return f'The task "{task.name}" has no wording of the class "{role.name}" to measure distances to.'
    if not role.target.size:
        return f'The task "{task.name}" has no wording of the class "{target}" to measure the distance of.'
    if role.reference.size == 1 and set(role.target) == set(role.reference):
        return f'The task "{task.name}" has one wording to measure, and a distance takes two.'
    return ""


def summarise_states(
    rows: Rows, tasks: Sequence[Task], model: str, probe: Representation, complete: bool
) -> RepresentationSummary:
    """The finding of one model from its rows. Memory: one task's states at a time. Errors as those of `task_matrix`."""
    drawn = [one for task in tasks if (one := _task(rows, task, model, probe)) is not None]
    if not drawn:
        raise BadInput(f'There is no row of the model "{model}"; give the rows of its run.')
    found = tuple(one.found for one in drawn)
    return RepresentationSummary(
        model=model,
        layer=probe.layer,
        measured=probe.distance,
        tasks=found,
        classes=tuple(_over_tasks(klass, drawn) for klass in KLASSES if any(_places(one, klass).size for one in drawn)),
        target=_over_tasks("target", drawn),
        raw=degradation(found, "distance", probe.seed),
        scaled=degradation(found, "scaled", probe.seed),
        noise=noise_floor(rows, tasks, model),
        state_noise=_state_noise(rows, tasks, model),
        rows=sum(one.rows for one in drawn),
        unparsed=sum(one.unparsed for one in drawn),
        truncated=sum(one.truncated for one in drawn),
        complete=complete,
        seed=probe.seed,
        points=probe.points,
    )


def _task(rows: Rows, task: Task, model: str, probe: Representation) -> _Drawn | None:
    matrix = task_matrix(task_rows(rows, task, model), task, probe.seed, resamples=1)
    if matrix is None:
        return None
    role = roles(task, probe.reference, probe.target)
    states = states_of(rows, model, task.name, [wording.id for wording in task.wordings], matrix.items)
    reference = role.reference.tolist()
    nearest = (nearest_by_centroid if probe.distance == "centroid" else nearest_by_item)(states, reference)
    scale = item_scale(states, reference)
    del states
    if len(nearest.distance) > 1:
        draws = resampled_column_means(nearest.distance, RESAMPLES, generator(probe.seed, task.name, "distance"))
    else:
        draws = np.full((RESAMPLES, len(task.wordings)), np.nan)
    scaled = draws / scale if scale > 0 else np.full_like(draws, np.nan)
    wordings = tuple(_wording(matrix, role, nearest, (draws, scaled), scale, j) for j in range(len(task.wordings)))
    klasses = [klass for klass in KLASSES if any(wording.klass == klass for wording in wordings)]
    lines = {klass: [j for j, w in enumerate(wordings) if w.klass == klass] for klass in klasses}
    found = TaskDistance(
        task=task.name,
        items=len(matrix.items),
        chance=task.chance,
        reference=role.name,
        references=int(role.reference.size),
        targets=tuple(wordings[j].id for j in role.target),
        target=_class("target", wordings, role.target.tolist(), draws, scaled),
        item_scale=scale,
        classes=tuple(_class(klass, wordings, places, draws, scaled) for klass, places in lines.items()),
        wordings=wordings,
        note=_note(task, wordings, role, scale, probe),
    )
    unparsed = int((matrix.outcome == 2).sum())
    return _Drawn(found, draws, scaled, unparsed, int(matrix.truncated.sum()), int((matrix.outcome >= 0).sum()))


def _wording(
    matrix: Matrix, role: Roles, nearest: Nearest, draws: tuple[Floats, Floats], scale: float, j: int
) -> WordingDistance:
    wording, distance = matrix.wordings[j], float(mean_over(nearest.distance[:, j]))
    others = matrix.means[[o for o in role.reference if o != j]]
    places = nearest.place[:, j]
    counts = np.bincount(places[places >= 0], minlength=len(matrix.wordings))
    return WordingDistance(
        id=wording.id,
        klass=wording.klass,
        frame=wording.frame,
        text=wording.text,
        is_reference=bool(j in role.reference),
        items=int(np.isfinite(matrix.score[:, j]).sum()),
        accuracy=float(matrix.means[j]),
        lost=float(mean_over(others) - matrix.means[j]),
        distance=percentile_interval(distance, draws[0][:, j]),
        scaled=percentile_interval(distance / scale if scale > 0 else np.nan, draws[1][:, j]),
        nearest=matrix.wordings[int(counts.argmax())].id if counts.any() else "",
        nearest_share=float(counts.max() / counts.sum()) if counts.any() else np.nan,
    )


def _class(
    klass: str, wordings: Sequence[WordingDistance], places: Sequence[int], raw: Floats, scaled: Floats
) -> ClassDistance:
    own = [wordings[j] for j in places]
    distance, share, accuracy = (
        float(mean_over(np.asarray(values, dtype=np.float64)))
        for values in ([w.distance.value for w in own], [w.scaled.value for w in own], [w.accuracy for w in own])
    )
    ends = [percentile_interval(v, mean_over(d[:, list(places)])) for v, d in ((distance, raw), (share, scaled))]
    return ClassDistance(klass, len(own), ends[0], ends[1], accuracy)


def _places(drawn: _Drawn, klass: str) -> Places:
    """The wordings of a class, or the targets."""
    found = drawn.found
    named = [w.id in found.targets if klass == "target" else w.klass == klass for w in found.wordings]
    return np.flatnonzero(np.asarray(named))


def _over_tasks(klass: str, drawn: Sequence[_Drawn]) -> ClassDistance:
    """The unweighted mean over the tasks that have the class, each task's items resampled on their own."""
    having = [(one, places) for one in drawn if (places := _places(one, klass)).size]
    parts = [_class(klass, one.found.wordings, places.tolist(), one.raw, one.scaled) for one, places in having]

    def over(values: Sequence[float], draws: Sequence[Floats]) -> Interval:
        return percentile_interval(float(mean_over(np.asarray(values))), mean_over(np.stack(draws, axis=1)))

    raw = [mean_over(one.raw[:, places]) for one, places in having]
    scaled = [mean_over(one.scaled[:, places]) for one, places in having]
    return ClassDistance(
        klass,
        sum(part.wordings for part in parts),
        over([part.distance.value for part in parts], raw),
        over([part.scaled.value for part in parts], scaled),
        float(mean_over(np.asarray([part.accuracy for part in parts]))),
    )


def _note(task: Task, wordings: Sequence[WordingDistance], role: Roles, scale: float, probe: Representation) -> str:
    refused = refusal(task, probe.reference, probe.target)
    if refused:
        return refused.removesuffix(".")
    found = np.asarray([wordings[j].distance.value for j in role.target])
    if not np.isfinite(found).any():
        return "no wording has states to measure"
    if not scale > 0:
        return "all items have the same state, or there is one item, so distances cannot be scaled"
    return "all distances are 0: the wordings are not told apart at this layer" if not found.any() else ""


def _state_noise(rows: Rows, tasks: Sequence[Task], model: str) -> StateNoise:
    """How far the rechecked states lie from those first computed."""
    pairs = rechecked_pairs(rows, tasks, model, ("state",))
    both = [(a["state"], b["state"]) for a, b in pairs if a["state"] is not None and b["state"] is not None]
    moved = [float(np.linalg.norm(np.asarray(a, dtype=np.float64) - np.asarray(b))) for a, b in both]
    return StateNoise(len(moved), float(np.mean(moved)) if moved else np.nan, max(moved, default=np.nan))
