"""The states in a plane: one t-SNE of all tasks and wordings together.

It is a picture, not a measurement: t-SNE keeps neighbours together and says nothing of distances between clusters.
States are first turned to their 50 main directions, as is usual. The same states and seed give the same picture: the
start is their main plane, and one thread computes. Source: van der Maaten and Hinton 2008; scikit-learn's
implementation. The released code draws 12,000 states of MMLU and BBL the same way (R0, A.9).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc

from surefoot.probes.representation.distance import states_of
from surefoot.runs.derived import DERIVED, derived_document
from surefoot.runs.source import Rows
from surefoot.stats.intervals import Floats

DIRECTIONS = 50
LEAST = 5  # states; fewer make no picture
MISSING = "The picture needs scikit-learn: pip install surefoot[analysis]."


class Point(NamedTuple):
    """One state in the plane."""

    task: str
    wording: str
    item: str
    x: float
    y: float


def state_map(rows: Rows, model: str, tasks: Sequence[str], points: int, seed: int) -> tuple[Point, ...]:
    """The plane of about `points` states at most, of each task at least one item; empty where there can be none.

    The same items are drawn under every wording, by a digest of their ids. Cost: about 5 s for 2,000 states.
    """
    if not points or find_spec("sklearn") is None:
        return ()
    known = {task: _names(rows, model, task) for task in tasks}
    each = max(1, points // max(1, sum(len(wordings) for wordings, _ in known.values())))
    labels: list[tuple[str, str, str]] = []
    states: list[Floats] = []
    for task, (wordings, items) in known.items():
        drawn = sorted(sorted(items, key=lambda item: _digest(task, item, seed))[:each])
        found = states_of(rows, model, task, wordings, drawn).transpose(1, 0, 2)
        there = np.isfinite(found).all(axis=2)
        names = ((task, wording, item) for wording in wordings for item in drawn)
        labels += [name for name, is_there in zip(names, there.ravel().tolist(), strict=True) if is_there]
        states += [found[there].astype(np.float64)] if there.any() else []
    if len(labels) < LEAST:
        return ()
    plane = embed(np.concatenate(states), seed)
    return tuple(Point(*label, float(x), float(y)) for label, (x, y) in zip(labels, plane, strict=True))


def embed(states: Floats, seed: int) -> Floats:
    """n x width to n x 2. States that are all the same lie in one point."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        centred = states - states.mean(axis=0)
        left, size, _ = np.linalg.svd(centred, full_matrices=False)
        main = (left * size)[:, :DIRECTIONS]
        if not size[0] > 1e-9 * max(1e-300, float(np.abs(states).max())) * np.sqrt(len(states)):
            return np.zeros((len(states), 2))
        main = main * np.where(np.take_along_axis(main, np.abs(main).argmax(axis=0)[None], axis=0) < 0, -1, 1)
        start = np.zeros((len(states), 2))
        start[:, : main.shape[1]] = main[:, :2] / main[:, 0].std() * 1e-4
        perplexity = min(30.0, (len(states) - 1) / 3)
        found = TSNE(perplexity=perplexity, init=start.astype(np.float32), random_state=seed, n_jobs=1)
        return np.asarray(found.fit_transform(main), dtype=np.float64)


def map_document(rows: Rows, model: str, tasks: Sequence[str], points: int, seed: int) -> Mapping[str, Any] | None:
    """The document that keeps the coordinates in the run folder; None where there is no picture."""
    found = state_map(rows, model, tasks, points, seed)
    if not found:
        return None
    cells = {(model, p.task, p.wording, p.item, False): (round(p.x, 4), round(p.y, 4)) for p in found}
    return {DERIVED: derived_document(("x", "y"), cells)}


def stored_map(rows: Rows, model: str) -> tuple[Point, ...]:
    """The coordinates that a finished run keeps; empty where it keeps none."""
    from surefoot.runs.derived import read_derived
    from surefoot.runs.folder import Folder

    if rows.path is None:
        return ()
    names, cells = read_derived(Folder(rows.path))
    if names != ("x", "y"):
        return ()
    return tuple(Point(*cell[1:4], *at) for cell, at in cells.items() if cell[0] == model)


def _names(rows: Rows, model: str, task: str) -> tuple[list[str], list[str]]:
    own = (pc.field("model") == model) & (pc.field("task") == task) & ~pc.field("recheck")
    return sorted(rows.names("wording", own)), rows.names("item", own)


def _digest(task: str, item: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}/{task}/{item}".encode()).digest()
