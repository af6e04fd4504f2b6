"""What is measured of one model in one world: accuracy by class of wording, spread, distance, obedience."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from surefoot.worlds.operations import OPERATIONS, OPPOSITE

if TYPE_CHECKING:
    import numpy as np

    from surefoot.models.base import LanguageModel
    from surefoot.probes.reading import Reading
    from surefoot.tasks.task import Task

ROWS_FOR_DISTANCE = 16
LAYER = -2  # the penultimate, as the paper says


class Measures(NamedTuple):
    """One task of one world under one model. Accuracies and standard deviations over wordings are 0 to 1.

    `worst` is the accuracy of the worst held-out wording, `obeyed` the share of answers under negated wordings that
    are the opposite operation's. `distance` is the mean over held-out wordings and rows of the l2 distance between the
    state under that wording and the nearest state of the same row under an observed wording; `apart` the same between
    the observed wordings of this task and the nearest of another.
    """

    observed: float
    observed_sd: float
    unobserved: float
    unobserved_sd: float
    worst: float
    incorrect: float
    negated: float
    nonsense: float
    obeyed: float
    distance: float
    apart: float


class GuardReading(NamedTuple):
    """What the probe's guard says of a model: `depends` where it says that the model depends on its instruction."""

    raised: bool
    depends: bool
    sentence: str

    @property
    def seen(self) -> bool:
        """Whether a reader of the probe is warned: the flag is up, or nothing can be said above chance."""
        return not self.depends


def measures(model: LanguageModel, tasks: Sequence[Task], reading: Reading) -> dict[str, Measures]:
    """Task name -> its measures, from the phrasing probe's reading and the model's hidden states."""
    distances, rows = state_distances(model, tasks), reading.rows.to_pylist()
    found = {}
    for summary in reading.summary.tasks:
        classes = {score.klass: score for score in summary.classes}
        mean = {klass: score.mean.value for klass, score in classes.items()}
        found[summary.task] = Measures(
            observed=mean["observed"],
            observed_sd=classes["observed"].sd,
            unobserved=mean["unobserved"],
            unobserved_sd=classes["unobserved"].sd,
            worst=classes["unobserved"].worst,
            incorrect=mean["incorrect"],
            negated=mean["negated"],
            nonsense=mean["nonsense"],
            obeyed=_obeyed(rows, summary.task),
            distance=distances[summary.task][0],
            apart=distances[summary.task][1],
        )
    return found


def guard_reading(reading: Reading) -> GuardReading:
    """The guard over all tasks. A drop that is shown to reach the threshold is what it calls depending."""
    summary, guard = reading.summary, reading.summary.guard
    chance = sum(task.chance or 0.0 for task in summary.tasks) / len(summary.tasks)
    drops = [drop for drop in (guard.drop_negated, guard.drop_nonsense) if drop is not None]
    reached = any(drop.low >= guard.threshold for drop in drops)
    return GuardReading(guard.raised, reached and summary.mean.low > chance, guard.sentence)


def state_distances(model: LanguageModel, tasks: Sequence[Task]) -> dict[str, tuple[float, float]]:
    """Task name -> (distance, apart) of `Measures`, item by item as the representation probe measures it."""
    import numpy as np

    observed = {task.name: _states(model, task, "observed") for task in tasks}
    found = {}
    for task in tasks:
        own = observed[task.name]
        others = np.concatenate([states for name, states in observed.items() if name != task.name], axis=1)
        found[task.name] = (_to_nearest(_states(model, task, "unobserved"), own), _to_nearest(own, others))
    return found


def _to_nearest(states: np.ndarray, reference: np.ndarray) -> float:
    """The mean over rows and wordings of the distance to the nearest reference on the same row."""
    import numpy as np

    from surefoot.probes.representation.distance import nearest_by_item

    count, every = states.shape[1], np.concatenate([states, reference], axis=1)
    return float(nearest_by_item(every, range(count, every.shape[1])).distance[:, :count].mean())


def _states(model: LanguageModel, task: Task, klass: str) -> np.ndarray:
    """Hidden states at the first decoding step: rows x wordings x width."""
    rows = task.examples[:ROWS_FOR_DISTANCE]
    wordings = [wording for wording in task.wordings if wording.klass == klass]
    prompts = [task.query(row, wording).prompt for row in rows for wording in wordings]
    return model.hidden_states(prompts, LAYER).reshape(len(rows), len(wordings), -1)


def _obeyed(rows: Sequence[dict[str, Any]], task: str) -> float:
    """Under negated wordings the right thing to do is the opposite operation."""
    asked = [row for row in rows if row["task"] == task and row["klass"] == "negated" and not row["recheck"]]
    opposite = OPERATIONS[OPPOSITE[task]]
    hits = [row["predicted"] == str(opposite(tuple(map(int, row["item"])))) for row in asked]
    return float(sum(hits)) / len(hits)
