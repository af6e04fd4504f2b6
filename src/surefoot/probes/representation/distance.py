"""Distances between hidden states of the same items under different wordings.

h(w, x) is the state of item x under wording w. Item by item (the default), with O the reference wordings other than w:

    d(w, x) = min over o in O of |h(w, x) - h(o, x)|_2,    d(w) = mean over x of d(w, x)

By centroids: c(w) = mean over x of h(w, x), d(w) = min over o in O of |c(w) - c(o)|_2. The paper averages "the l2
distance to the nearest observed instruction's representation" and does not say which of the two it is. The first keeps
what a wording does to single items; the second lets moves in opposite directions cancel.

Source: Sun, Shaib & Wallace 2024 (arXiv:2306.11270), section 4 (R0, A.9).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from surefoot.errors import BadInput
from surefoot.runs.source import Rows
from surefoot.stats.intervals import Floats

SCALE_ITEMS = 500  # items of which all pairs are looked at for the scale; more are thinned evenly

States = NDArray[np.float32]


class Nearest(NamedTuple):
    """items x wordings (one line for centroids): the distance to the nearest reference wording, and which it is.

    NaN and -1 where there is no state, or no other reference wording has one.
    """

    distance: Floats
    place: NDArray[np.int64]


def states_of(rows: Rows, model: str, task: str, wordings: Sequence[str], items: Sequence[str]) -> States:
    """The states of one task, items x wordings x width, NaN where there is none; rechecks are left out."""
    own = (pc.field("model") == model) & (pc.field("task") == task) & ~pc.field("recheck")
    table = rows.select(("item", "wording", "state"), own & pc.is_valid(pc.field("state"))).combine_chunks()
    i, j = (
        pc.index_in(table[name], value_set=pa.array(known, pa.string()))
        for name, known in (("item", items), ("wording", wordings))
    )
    if not table.num_rows:
        return np.full((len(items), len(wordings), 1), np.nan, dtype=np.float32)
    flat = _flat(table["state"])
    if flat.size % table.num_rows:
        raise BadInput(f'The states of "{task}" are not all of one width; its rows are damaged, compute the run again.')
    found = np.full((len(items), len(wordings), flat.size // table.num_rows), np.nan, dtype=np.float32)
    known = pc.and_(pc.is_valid(i), pc.is_valid(j)).to_numpy()
    places = [np.asarray(p.fill_null(-1).to_numpy(), dtype=np.int64)[known] for p in (i, j)]
    found[places[0], places[1]] = flat.reshape(table.num_rows, -1)[known]
    found[~np.isfinite(found).all(axis=2)] = np.nan
    return found


def nearest_by_item(states: States, reference: Sequence[int]) -> Nearest:
    """d(w, x) for every item and wording; `reference` are the places of the reference wordings."""
    items, wordings, _ = states.shape
    distance, place = np.full((items, wordings), np.nan), np.full((items, wordings), -1, dtype=np.int64)
    for i in range(items):  # one item at a time: wordings x references x width numbers
        distance[i], place[i] = _nearest(states[i].astype(np.float64), reference)
    return Nearest(distance, place)


def nearest_by_centroid(states: States, reference: Sequence[int]) -> Nearest:
    """d(w) between the wordings' mean states, as one line. Only items with a state under every wording count."""
    complete = states[np.isfinite(states).all(axis=(1, 2))]
    if not len(complete):
        return Nearest(np.full((1, states.shape[1]), np.nan), np.full((1, states.shape[1]), -1, dtype=np.int64))
    distance, place = _nearest(complete.mean(axis=0, dtype=np.float64), reference)
    return Nearest(distance[None], place[None])


def item_scale(states: States, reference: Sequence[int]) -> float:
    """Mean over reference wordings of the mean distance between two items under that wording; NaN without two items.

    Dividing by it makes distances comparable between models, and before and after a treatment that changes norms.
    """
    from scipy.spatial.distance import pdist

    thinned = states[np.unique(np.linspace(0, len(states) - 1, min(len(states), SCALE_ITEMS)).astype(int))]
    means = []
    for j in reference:
        own = thinned[np.isfinite(thinned[:, j]).all(axis=1), j].astype(np.float64)
        if len(own) > 1:
            means.append(float(pdist(own).mean()))
    return float(np.mean(means)) if means else float("nan")


def _nearest(states: Floats, reference: Sequence[int]) -> tuple[Floats, NDArray[np.int64]]:
    """Of each row of `states` (wordings x width) the distance to the nearest reference row that is not itself."""
    places = np.asarray(reference, dtype=np.int64)
    distances = np.linalg.norm(states[:, None] - states[None, places], axis=2)
    distances[places, np.arange(places.size)] = np.nan
    usable = np.where(np.isfinite(distances), distances, np.inf)
    if not places.size:
        return np.full(len(states), np.nan), np.full(len(states), -1, dtype=np.int64)
    best = usable.argmin(axis=1)
    found = usable[np.arange(len(states)), best]
    is_there = np.isfinite(found)
    return np.where(is_there, found, np.nan), np.where(is_there, places[best], -1)


def _flat(column: pa.ChunkedArray) -> NDArray[np.float32]:
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)
