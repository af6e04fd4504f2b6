"""Sweeps: the phrasing probe over several models or prompts, with one report.

`closer-look` sets the classes of wordings beside each other (is it the wording, or what it asks?), `scaling` goes over
models from small to large, `shots` over numbers of worked examples. Each arm is an ordinary run in a folder of its own,
so a sweep goes on after an interruption as its runs do.

Source: the closer look, the scaling and the one-shot experiments of Sun, Shaib & Wallace 2024 (arXiv:2306.11270).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from surefoot.catalogue import find
from surefoot.probes.class_comparison import compare_classes
from surefoot.sweeps.arms import SWEEPS, Arm, arms_of
from surefoot.sweeps.result import ArmFinding, Sweep

if TYPE_CHECKING:
    from surefoot.endpoints.settings import EndpointSettings
    from surefoot.models.base import LanguageModel
    from surefoot.tasks.task import Task

__all__ = ["SWEEPS", "Sweep", "sweep"]


def sweep(
    name: str,
    models: Sequence[str],
    task: str | Sequence[Task] = "demo",
    *,
    out: str,
    shots: Sequence[int] = (0, 1),
    limit: int | None = None,
    seed: int = 0,
    classes: tuple[str, str] = ("observed", "unobserved"),
    watch: Callable[[str], None] | None = None,
    endpoint: EndpointSettings | None = None,
    **settings: Any,
) -> Sweep:
    """Run the phrasing probe for every arm and put the findings together.

    `name`: one of `SWEEPS`. `models`: what `load` takes. `out`: a folder; each arm's run is in it. `classes`: the two
    classes of wordings whose gap is shown. `watch` is told the label of each arm as it begins; `settings` are the
    phrasing probe's. `endpoint` is how models behind an address are asked; its budget is of all of them together.

    Raises `BadInput` for a sweep that varies nothing, and whatever `load` and the probe refuse.
    """
    from surefoot.endpoints.budget import Meter
    from surefoot.settings import build
    from surefoot.tasks.loading import tasks_of

    meter = Meter.of(endpoint.budget) if endpoint else None
    opened = _opener(models, replace(endpoint, budget=meter) if endpoint else None)
    instrument = build(find("probe", "phrasing"), {**settings, "seed": seed})
    told = {"task": task if isinstance(task, str) else [one.name for one in task], "limit": limit, "seed": seed}
    found: list[ArmFinding] = []
    loaded: tuple[str, LanguageModel] | None = None
    asked: dict[int, tuple[Task, ...]] = {}  # by number of worked examples
    for arm in arms_of(name, models, shots):
        if watch is not None:
            watch(arm.label)
        if loaded is None or loaded[0] != arm.model:
            loaded = (arm.model, opened(arm.model))
        folder = f"{out.rstrip('/')}/{_folder(arm.label)}"
        if arm.shots not in asked:
            asked[arm.shots] = tasks_of(task, limit=limit, shots=arm.shots, seed=seed)
        tasks = asked[arm.shots]
        reading = instrument.measure(loaded[1], tasks, out=folder, call={**told, "shots": arm.shots, **settings})
        if watch is not None and meter is not None and meter.requests:
            watch(f"{arm.label}: {meter} so far")
        found.append(_finding(arm, loaded[1], reading, tasks, classes, seed))
    if name == "scaling":
        found.sort(key=lambda arm: arm.parameters or 0)
    return Sweep(name, *classes, tuple(found), {"sweep": name, "models": list(models), **told, **settings})


def _opener(models: Sequence[str], endpoint: EndpointSettings | None) -> Callable[[str], LanguageModel]:
    """`load`, with `endpoint` for what is behind an address; for all where nothing is, which `load` refuses."""
    from surefoot.endpoints.address import is_address
    from surefoot.models.load import load

    if endpoint is None:
        return load
    behind = [spec for spec in models if is_address(spec)] or models
    return lambda spec: load(spec, endpoint=endpoint) if spec in behind else load(spec)


def _finding(
    arm: Arm, model: LanguageModel, reading: Any, tasks: Sequence[Task], classes: tuple[str, str], seed: int
) -> ArmFinding:
    has_both = any({*classes} <= {w.klass for w in task.wordings} for task in tasks)
    gap = compare_classes(reading.rows, tasks, model.name, *classes, seed=seed) if has_both else None
    parameters = model.card.details.get("parameters")
    return ArmFinding(arm.label, arm.shots, parameters, reading.summary, gap)


def _folder(label: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in label)
