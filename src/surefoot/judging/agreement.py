"""What several sheets of one pool say of each other: agreement on passages, and on which questions have an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from surefoot.judging.pool import Pooled, key_of
from surefoot.judging.verdict import Labels
from surefoot.stats.agreement import alpha_interval, cohen_kappa, fleiss_kappa
from surefoot.stats.bootstrap import generator
from surefoot.stats.intervals import Floats, Interval

RESAMPLES = 1000


class Pair(NamedTuple):
    """Two annotators on the passages that both judged: how many, the share of equal labels, Cohen's kappa."""

    left: str
    right: str
    both: int
    equal: float
    kappa: float


class Agreement(NamedTuple):
    """Krippendorff's alpha over passages (its interval by drawing questions) and over questions; each two annotators.

    A question's label is whether an annotator found a relevant passage; it counts where all its passages were judged.
    `passages` and `questions` are how many have two labels or more. `fleiss` is Fleiss' kappa over passages where three
    annotators or more judged all of them, else None.
    """

    passages: int
    questions: int
    alpha: Interval
    alpha_questions: Interval
    fleiss: float | None
    pairs: tuple[Pair, ...]


def agreement(questions: Sequence[Pooled], labels: Labels, seed: int = 0) -> Agreement:
    """The agreement of all annotators; NaN where nothing was judged twice, or all labels are the same."""
    keys = {one.id: [key_of(one, hit.document) for hit in one.hits] for one in questions}
    passages = {key: labels.get(key, {}) for own in keys.values() for key in own}
    groups = [id for id, own in keys.items() for _ in own]
    annotators = _annotators(labels)
    whole = {id: _of_question([passages[key] for key in own]) for id, own in keys.items()}
    counts, per_question = _counts([*passages.values()]), _counts([*whole.values()])
    return Agreement(
        int((counts.sum(axis=1) > 1).sum()),
        int((per_question.sum(axis=1) > 1).sum()),
        alpha_interval(counts, groups, RESAMPLES, generator(seed, "passages")),
        alpha_interval(per_question, [*whole], RESAMPLES, generator(seed, "questions")),
        fleiss_kappa(counts) if len(annotators) > 2 and (counts.sum(axis=1) == len(annotators)).all() else None,
        tuple(_pair(left, right, passages) for left, right in combinations(annotators, 2)),
    )


def _of_question(labels: Sequence[Mapping[str, bool]]) -> dict[str, bool]:
    """Of each annotator of all passages, whether one is relevant."""
    everywhere = [name for name in labels[0] if all(name in own for own in labels)]
    return {name: any(own[name] for own in labels) for name in everywhere}


def _counts(labels: Sequence[Mapping[str, bool]]) -> Floats:
    return np.array([[len(own) - sum(own.values()), sum(own.values())] for own in labels], dtype=np.float64)


def _annotators(labels: Labels) -> list[str]:
    return list(dict.fromkeys(name for own in labels.values() for name in own))


def _pair(left: str, right: str, passages: Mapping[str, Mapping[str, bool]]) -> Pair:
    both = [(own[left], own[right]) for own in passages.values() if left in own and right in own]
    kappa = cohen_kappa([a for a, _ in both], [b for _, b in both])
    return Pair(left, right, len(both), float(np.mean([a == b for a, b in both])) if both else np.nan, kappa)
