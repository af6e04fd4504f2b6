"""The rows of one task as items x wordings matrices, and the tables that are read off them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from surefoot.errors import BadInput
from surefoot.metrics import metric
from surefoot.probes.phrasing.summary import (
    ClassScore,
    ItemFlips,
    Spread,
    VarianceShare,
    WordingScore,
)
from surefoot.stats.bootstrap import (
    column_means,
    generator,
    mean_over,
    resampled_column_means,
    sd_interval,
    sd_over,
)
from surefoot.stats.intervals import Floats, percentile_interval, wilson
from surefoot.stats.permutation import spread_null
from surefoot.stats.variance import variance_split
from surefoot.tasks.task import Task
from surefoot.text.instruction import KLASSES, Instruction

OUTCOMES = ("wrong", "right", "unparsed")
MISSING = -1
MATRIX_COLUMNS = ("task", "wording", "item", "outcome", "score", "truncated")


class Matrix(NamedTuple):
    """The cells of one task: items x wordings, in the task's order; items without any cell are left out.

    `outcome` is an index into `OUTCOMES`, or `MISSING`. `score` is what is averaged: 1 or 0 for choices, the metric
    for generation, 0 for an unparsed answer (it is not right), NaN for a missing cell. `means` are the wordings'
    means, `draws` the same for every resample of the items (resamples x wordings).
    """

    task: Task
    wordings: tuple[Instruction, ...]
    items: tuple[str, ...]
    outcome: NDArray[np.int8]
    score: Floats
    truncated: NDArray[np.bool_]
    means: Floats
    draws: Floats

    def columns(self, *klasses: str) -> NDArray[np.int64]:
        """The columns of these classes that have at least one cell."""
        named = [w.klass in klasses for w in self.wordings]
        return np.flatnonzero(np.asarray(named) & np.isfinite(self.means))

    def right(self) -> NDArray[np.int64]:
        """The columns of the wordings that ask for the task as it is."""
        return self.columns(*(w.klass for w in self.wordings if w.is_right))


def task_matrix(rows: pa.Table, task: Task, seed: int, resamples: int) -> Matrix | None:
    """The matrix of one task from its rows (one model, no rechecks); None without rows.

    A row of a wording or item that the task does not have, or a second row of a cell, is `BadInput`.
    """
    rows = rows.filter(pc.equal(rows["task"], task.name))
    if not rows.num_rows:
        return None
    i = _places(rows["item"], [example.id for example in task.examples], task, "item")
    j = _places(rows["wording"], [wording.id for wording in task.wordings], task, "wording")
    shape = (len(task.examples), len(task.wordings))
    if np.unique(i * shape[1] + j).size != rows.num_rows:
        raise BadInput(f'The rows of "{task.name}" hold a cell twice; give the rows of one run.')
    outcome = np.full(shape, MISSING, dtype=np.int8)
    score, truncated = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    outcome[i, j] = _places(rows["outcome"], OUTCOMES, task, "outcome")
    score[i, j] = _scores(rows, outcome[i, j], graded=is_graded(task))
    truncated[i, j] = rows["truncated"].to_numpy()
    kept = (outcome != MISSING).any(axis=1)
    score = score[kept]
    ids = tuple(example.id for example, keep in zip(task.examples, kept.tolist(), strict=True) if keep)
    means = column_means(score)
    draws = resampled_column_means(score, resamples, generator(seed, task.name, "items"))
    return Matrix(task, task.wordings, ids, outcome[kept], score, truncated[kept], means, draws)


def is_graded(task: Task) -> bool:
    """Whether single answers are scored between 0 and 1, so that counts do not tell the mean."""
    return task.kind == "generation" and metric(task.metric).graded


def wording_scores(matrix: Matrix) -> tuple[WordingScore, ...]:
    """One line a wording, in the task's order; Wilson intervals, or the bootstrap's for a graded metric."""
    return tuple(_wording_score(matrix, j) for j in range(len(matrix.wordings)))


def class_draws(matrix: Matrix, columns: NDArray[np.int64]) -> tuple[float, Floats]:
    """The unweighted mean of these wordings and its resamples."""
    return float(mean_over(matrix.means[columns])), mean_over(matrix.draws[:, columns])


def class_scores(matrix: Matrix) -> dict[str, tuple[ClassScore, Floats]]:
    """For each class that has cells its line and the resamples of its mean, in the order of `KLASSES`."""
    found = ((klass, matrix.columns(klass)) for klass in KLASSES)
    return {klass: _class_score(matrix, klass, columns) for klass, columns in found if columns.size}


def spread(matrix: Matrix, scores: Sequence[WordingScore], seed: int, permutations: int = 999) -> Spread | None:
    """The scatter of the right wordings beside item noise; None with fewer than two."""
    columns = matrix.right()
    if columns.size < 2:
        return None
    means = matrix.means[columns]
    mean, draws = class_draws(matrix, columns)
    null = spread_null(matrix.score[:, columns], permutations, generator(seed, matrix.task.name, "permutation"))
    return Spread(
        mean=percentile_interval(mean, draws),
        sd=sd_interval(null.sd, sd_over(matrix.draws[:, columns])),
        worst=scores[int(columns[means.argmin()])],
        best=scores[int(columns[means.argmax()])],
        range=float(np.ptp(means)),
        noise_sd=null.noise_sd,
        p_value=null.p_value,
    )


def variance(matrix: Matrix, seed: int, resamples: int) -> tuple[VarianceShare, ...]:
    """The variance split of the right wordings; empty where it cannot be made (see `variance_split`)."""
    columns = matrix.right()
    frames = [matrix.wordings[j].frame for j in columns]
    rng = generator(seed, matrix.task.name, "variance")
    split = variance_split(matrix.score[:, columns], frames, resamples, rng)
    return () if split is None else tuple(VarianceShare(name, share) for name, share in split.shares.items())


class Flips(NamedTuple):
    """How often items change between right and not right (wrong or unparsed) when the wording changes."""

    rate: float
    pair_rate: float
    items: tuple[ItemFlips, ...]


def flips(matrix: Matrix) -> Flips:
    """Flip rates over the items that have at least two right wordings; NaN where there is none.

    Formula: an item right under k of its m wordings flips where 0 < k < m; two of its wordings, drawn without
    replacement, disagree with probability 2 k (m - k) / (m (m - 1)).
    """
    names = (*OUTCOMES, "missing")  # MISSING is -1, the last
    outcome = matrix.outcome[:, [j for j, wording in enumerate(matrix.wordings) if wording.is_right]]
    m, k = (outcome != MISSING).sum(axis=1), (outcome == OUTCOMES.index("right")).sum(axis=1)
    several = m >= 2
    rate = mean_over(np.where(several, (k > 0) & (k < m), np.nan))
    with np.errstate(invalid="ignore", divide="ignore"):
        pair_rate = mean_over(np.where(several, 2 * k * (m - k) / (m * (m - 1)), np.nan))
        right_rate = k / m
    labels = (tuple(names[k] for k in row) for row in outcome)
    items = (ItemFlips(*line) for line in zip(matrix.items, right_rate.tolist(), labels, strict=True))
    return Flips(float(rate), float(pair_rate), tuple(items))


def _places(values: pa.ChunkedArray, known: Sequence[str], task: Task, what: str) -> NDArray[np.int64]:
    """Where each value stands among the known ones."""
    places = pc.index_in(values, value_set=pa.array(known, pa.string()))
    if places.null_count:
        odd = values.filter(pc.is_null(places))[0].as_py()
        raise BadInput(f'A row of "{task.name}" has the {what} "{odd}", which the task lacks; give the task as run.')
    return np.asarray(places.to_numpy(), dtype=np.int64)


def _scores(rows: pa.Table, outcome: NDArray[np.int8], *, graded: bool) -> Floats:
    if not graded:
        return np.asarray(outcome == OUTCOMES.index("right"), dtype=np.float64)
    score: Floats = rows["score"].to_numpy().astype(np.float64)
    if np.isnan(score[outcome != OUTCOMES.index("unparsed")]).any():
        raise BadInput("A parsed answer of a graded metric has no score; the run's rows are damaged, compute it again.")
    return np.where(outcome == OUTCOMES.index("unparsed"), 0.0, score)


def _wording_score(matrix: Matrix, j: int) -> WordingScore:
    wording, cells, mean = matrix.wordings[j], int(np.isfinite(matrix.score[:, j]).sum()), float(matrix.means[j])
    if is_graded(matrix.task):
        accuracy = percentile_interval(mean, matrix.draws[:, j])
    else:
        accuracy = wilson(int((matrix.outcome[:, j] == OUTCOMES.index("right")).sum()), cells)
    unparsed = int((matrix.outcome[:, j] == OUTCOMES.index("unparsed")).sum())
    truncated = int(matrix.truncated[:, j].sum())
    return WordingScore(wording.id, wording.klass, wording.frame, wording.text, accuracy, cells, unparsed, truncated)


def _class_score(matrix: Matrix, klass: str, columns: NDArray[np.int64]) -> tuple[ClassScore, Floats]:
    mean, draws = class_draws(matrix, columns)
    means = matrix.means[columns]
    interval, sd = percentile_interval(mean, draws), float(sd_over(means))
    return ClassScore(klass, int(columns.size), interval, sd, float(means.min()), float(means.max())), draws
