"""Readers that need no model: what the questions and their passages give away by themselves.

A reader scores a question with its passages and says "present" where the score is at least a threshold. The threshold
is the quantile of all scores at which "present" is said as often as it is true, so that a reader is given the base rate
and no other label. Scores: `random` (uniform, from a hash), `overlap` (the largest share of the question's terms in one
passage), `retrieval` (the largest BM25 score), `similarity` (the largest cosine of the question with a passage, by
all-MiniLM-L6-v2, which was trained on English). Each is a model, which the probe measures as any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import NamedTuple

from surefoot.models.scripted import Reply, ScriptedModel
from surefoot.probes.unanswerable.cells import Cell, line
from surefoot.probes.unanswerable.scores import Asked, BM25Score, Similarity, asked_in, asked_of, chance, overlap
from surefoot.probes.unanswerable.summary import Rates
from surefoot.tasks.nomiracl import ABSENT, ANSWERABLE, PRESENT, SUBSETS
from surefoot.tasks.task import Task
from surefoot.text.prompt import Prompt

Score = Callable[[Asked], float]


class Reader(NamedTuple):
    """A score and its threshold; `margin` is positive or 0 where it says "present"."""

    name: str
    score: Score
    threshold: float

    def margin(self, asked: Asked) -> float:
        """How far the score lies above the threshold."""
        return self.score(asked) - self.threshold

    def model(self) -> ScriptedModel:
        """The reader as a model: log-odds are its margin."""
        return ScriptedModel(_Script(self), name=self.name)


@dataclass(frozen=True)
class _Script:
    """Answers prompts; its text form tells two readers apart."""

    reader: Reader = field(repr=False)
    told: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "told", f"{self.reader.name} at {self.reader.threshold!r}")

    def __call__(self, prompt: Prompt, _: Sequence[str]) -> Reply:
        margin = self.reader.margin(asked_in(prompt))
        return Reply(PRESENT if margin >= 0 else ABSENT, {PRESENT: _log_sigmoid(margin), ABSENT: _log_sigmoid(-margin)})


def readers(tasks: Sequence[Task], which: str = "words") -> tuple[Reader, ...]:
    """The baselines for these tasks, their thresholds set by the base rate.

    `retrieval` is left out where the extra `retrieval` is not installed. `which` is `none`, `words` or `all`,
    with `similarity`.
    """
    own = [task for task in tasks if task.name in SUBSETS]
    asked = [asked_of(example.fields) for task in own for example in task.examples]
    if which == "none" or not asked:
        return ()
    answerable = sum(len(task.examples) for task in own if task.name == ANSWERABLE)
    scores: dict[str, Score] = {"random": chance, "overlap": overlap}
    if find_spec("bm25s") is not None:
        scores["retrieval"] = BM25Score.of(asked)
    if which == "all":
        scores["similarity"] = Similarity.of(asked)
    return (
        Reader("always", _one, 0.5),
        Reader("never", _one, 1.5),
        *(Reader(name, score, _quantile([*map(score, asked)], answerable)) for name, score in scores.items()),
    )


def baseline_lines(tasks: Sequence[Task], which: str, seed: int) -> tuple[Rates, ...]:
    """The rates of each baseline on the two subsets: what the probe would measure of its model."""
    found = []
    for reader in readers(tasks, which):
        cells = []
        for task in tasks:
            for example in task.examples if task.name in SUBSETS else ():
                margin = reader.margin(asked_of(example.fields))
                said = 0 if margin >= 0 else 1
                cells.append(Cell(task.name, "", example.fields.get("language", ""), example.id, said, margin))
        found.append(line(reader.name, cells, seed))
    return tuple(found)


def _one(_: Asked) -> float:
    return 1.0


def _quantile(scores: Sequence[float], present: int) -> float:
    """The score that `present` of the scores reach; above all of them where none is to be."""
    ranked = sorted(scores, reverse=True)
    return ranked[present - 1] if present else math.nextafter(ranked[0], math.inf)


def _log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x >= 0 else x - math.log1p(math.exp(x))
