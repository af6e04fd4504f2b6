"""The calibration of the probe's own errors: a reader of strong habits that cannot know which context a model wrote."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from surefoot.calibration import Calibration, Truth
from surefoot.probes.context_preference.calibrations import Shown, copier, world
from surefoot.tasks.contexts import ContextPair, context_tasks

TOSSES = 1000
NOMINAL = Truth(0.05, 0.025)  # few questions give steps, and 1000 tosses scatter by 0.007
PLACE = 0.15


def null_calibration() -> Calibration:
    """Every question stands behind two pairs of contexts, which the reader's habits make agree: half the evidence."""
    return Calibration(
        "habits",
        f"prefers values, forms and the first place; {TOSSES:,} times coins say which side is called generated",
        read_null,
        {"intervals off 0": NOMINAL, "p at most 0.05": NOMINAL},
    )


def read_null() -> Mapping[str, float]:
    """How often a preference is found where there is none."""
    from surefoot.probes.context_preference.filters import sift
    from surefoot.probes.context_preference.null import null
    from surefoot.probes.context_preference.probe import ContextPreference
    from surefoot.probes.context_preference.units import units_of
    from surefoot.runs.source import Rows

    pairs = tuple(again for pair in world()[0] for again in (pair, retold(pair)))
    tasks = tuple(task.shuffled() for task in context_tasks(pairs))
    rows = ContextPreference("sum", recheck=0).measure(copier(habits, pairs), tasks).rows
    kept = sift(units_of(Rows.of(rows), tasks, "copier")).kept
    found = null([unit for own in kept.values() for unit in own], TOSSES)
    return {"intervals off 0": found.outside.value, "p at most 0.05": found.rejected.value}


def habits(shown: Sequence[Shown]) -> Shown:
    """By a digest of what a context begins with, and a little by its place."""
    worth = [hashlib.sha256(one.text[:-1].encode()).digest()[0] / 256 - PLACE * k for k, one in enumerate(shown)]
    return shown[worth.index(max(worth))]


def retold(pair: ContextPair) -> ContextPair:
    """The same question behind the same contexts, which end with another mark."""
    ends = {side: f"{getattr(pair, side).rstrip('.')}!" for side in ("retrieved", "generated")}
    return replace(pair, id=f"{pair.id}/again", **ends)  # type: ignore[arg-type]
