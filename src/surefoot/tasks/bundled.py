"""The suites that ship with Surefoot: written ones, and those made of other data."""

from __future__ import annotations

from collections.abc import Mapping

from surefoot.tasks.bank import SUITES
from surefoot.tasks.folder import tasks_in
from surefoot.tasks.task import Task

MADE: Mapping[str, tuple[str, ...]] = {
    "conflict": ("closed", "conflict", "agree", "endings"),
    "contexts": ("closed", "retrieved", "generated", "retrieved-first", "generated-first"),
    "unanswerable": ("answerable", "unanswerable"),
    "unanswerable-pairs": ("answerable", "unanswerable", "removed", "thinned"),
}
"""Suites whose tasks are made of other data, by `surefoot.worlds` and the modules of this folder."""


def bundled_tasks() -> tuple[str, ...]:
    """The names that `load_tasks` knows without a path: each bundled suite, and each of its tasks."""
    suites = [path.name for path in sorted(SUITES.iterdir()) if path.is_dir() and tasks_in(path)]
    written = {suite: tuple(tasks_in(SUITES / suite)) for suite in suites}
    return tuple(
        name for suite, own in {**written, **MADE}.items() for name in (suite, *(f"{suite}/{task}" for task in own))
    )


def made_tasks(suite: str) -> tuple[Task, ...]:
    """The tasks of a suite in `MADE`."""
    if suite == "unanswerable":
        from surefoot.tasks.nomiracl_world import bundled_unanswerable

        return bundled_unanswerable()
    if suite == "unanswerable-pairs":
        from surefoot.tasks.nomiracl_pairs import bundled_pairs as bundled_judged_pairs

        return bundled_judged_pairs()
    if suite == "contexts":
        from surefoot.tasks.contexts import context_tasks
        from surefoot.worlds.contexts import bundled_pairs

        return context_tasks(bundled_pairs())
    from surefoot.worlds.conflicts import bundled_conflicts

    return bundled_conflicts()
