"""Probes: each measures one way in which a model slips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from surefoot.catalogue import find

if TYPE_CHECKING:
    from surefoot.models.base import LanguageModel
    from surefoot.probes.reading import Reading
    from surefoot.tasks.task import Task


def probe(
    name: str,
    model: LanguageModel | str,
    task: str | Task | Sequence[str | Task] | None = None,
    *,
    limit: int | None = None,
    shots: int = 0,
    seed: int = 0,
    held_out: bool = False,
    out: str | None = None,
    watch: Callable[[Any], None] | None = None,
    **settings: Any,
) -> Reading:
    """Measure one slip of a model.

    `name`: a probe of `surefoot list`. `model`: a model or what `load` takes. `task`: what
    `surefoot.tasks.loading.load_tasks` takes, a task, or several of these; the probe's own suite by default. `limit`:
    items a task, a fixed sample. `shots`: worked examples, taken out of the items. `held_out`: only the wordings that
    training leaves out, and the controls (`surefoot.tasks.split`). `out`: a run folder that the same call goes on from;
    without it rows stay in memory. `settings`: the probe's own (for `phrasing`: `answering`, `recheck`, `batch_cells`).

    >>> probe("phrasing", "smollm2", limit=5)  # doctest: +SKIP
    """
    from surefoot.models.load import load
    from surefoot.settings import build
    from surefoot.tasks.loading import tasks_of

    instrument = build(find("probe", name), {**settings, "seed": seed})
    task = instrument.suite if task is None else task
    tasks = tasks_of(task, limit=limit, shots=shots, seed=seed, held_out=held_out)
    loaded = load(model) if isinstance(model, str) else model
    call = {"task": task if isinstance(task, str) else [t.name for t in tasks], "limit": limit, "shots": shots}
    call |= {"seed": seed, "held_out": held_out}
    return instrument.measure(loaded, tasks, out=out, call={**call, **settings}, watch=watch)  # type: ignore[no-any-return]
