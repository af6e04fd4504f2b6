"""What follows from all works together: thresholds, groups against the unseen one, popularity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from surefoot.memorisation.works import UNSEEN
from surefoot.probes.memorisation.summary import (
    THRESHOLDS,
    GroupDifference,
    Popularity,
    ThresholdFinding,
    WorkFinding,
)
from surefoot.stats.rank import greater_mean, spearman, spearman_interval
from surefoot.tasks.task import Task

if TYPE_CHECKING:
    from surefoot.probes.memorisation.summarise import Answered

PERMUTATIONS = 9999
FIELD = "popularity_"


def thresholds(works: Sequence[Sequence[Answered]]) -> tuple[ThresholdFinding, ...]:
    """For each threshold, over works (each a list of its right cells): how many reach it by their largest score, and
    how many would against an unrelated window."""
    works = [cells for cells in works if cells]
    longest = [max(len(one.asked.reference) for one in cells) for cells in works]
    found = []
    for words in THRESHOLDS:
        reached, chance = {}, {}
        for name in ("subsequence", "run"):
            reached[name] = sum(max(one.best(name) for one in cells) >= words for cells in works)
            drawn = (np.max([one.by_chance(name) for one in cells], axis=0) >= words for cells in works)
            chance[name] = float(sum(share.mean() for share in drawn))
        possible = sum(length >= words for length in longest)
        sub, run = "subsequence", "run"
        found.append(ThresholdFinding(words, possible, reached[sub], chance[sub], reached[run], chance[run]))
    return tuple(found)


def differences(works: Sequence[WorkFinding], seed: int) -> tuple[GroupDifference, ...]:
    """Each group's mean excess run beside that of the works known to be unseen."""
    unseen = [work.excess for work in works if work.group == UNSEEN]
    groups = dict.fromkeys(work.group for work in works if work.group != UNSEEN)
    found = []
    for group in groups if unseen else ():
        own = [work.excess for work in works if work.group == group]
        p = greater_mean(own, unseen, PERMUTATIONS, np.random.default_rng(seed))
        mean, other = float(np.mean(own)), float(np.mean(unseen))
        found.append(GroupDifference(group, mean, other, mean - other, p))
    return tuple(found)


def popularity(works: Sequence[WorkFinding], tasks: Sequence[Task], seed: int) -> tuple[Popularity, ...]:
    """Spearman's correlation of the excess run with every popularity field that works have."""
    fields = {example.id: example.fields for task in tasks for example in task.examples}
    names = dict.fromkeys(name for own in fields.values() for name in own if name.startswith(FIELD))
    found = []
    for name in names:
        having = [work for work in works if name in fields[work.work]]
        known = [float(fields[work.work][name]) for work in having]
        rho, p = spearman(known, [work.excess for work in having], PERMUTATIONS, np.random.default_rng(seed))
        around = spearman_interval(rho, len(having))
        found.append(Popularity(name.removeprefix(FIELD), len(having), rho, around.low, around.high, p))
    return tuple(found)
