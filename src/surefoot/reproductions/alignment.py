"""R0's alignment where the truth is known: a tiny model, tuned from scratch on some wordings, treated and measured.

For every seed a world (`surefoot.worlds`) and a model of random weights, tuned on the world's observed wordings; then
`soft-align` in its modes on paraphrases of those, never on a held-out wording; then the phrasing probe and the hidden
states, before and after. Differences are paired within a world; intervals resample worlds and tasks.

Source: the alignment of Sun, Shaib & Wallace 2024 (arXiv:2306.11270), at a scale that two processor cores
finish in minutes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from surefoot.errors import BadInput
from surefoot.reproductions.alignment_measures import GuardReading, Measures, guard_reading, measures
from surefoot.reproductions.alignment_plan import REGIMES, Plan, Recipe, plan_of
from surefoot.reproductions.alignment_result import AlignmentReport, AlignmentResult, SeedOutcome
from surefoot.worlds.world import World

if TYPE_CHECKING:
    from surefoot.models.base import LanguageModel
    from surefoot.tasks.task import Task

Say = Callable[[str], None]


def reproduce_alignment(seeds: int = 5, *, size: str = "small", jobs: int | None = None, say: Say | None = None) -> Any:
    """Both regimes over seeds 1, 2, ..., `seeds`: an `AlignmentReport`. `size` is one of `SIZES`; see `alignment`."""
    return AlignmentReport(tuple(_results([plan_of(name, size) for name in REGIMES], seeds, jobs, say)))


def alignment(seeds: int = 5, plan: Plan | None = None, *, jobs: int | None = None, say: Say | None = None) -> Any:
    """One plan over seeds 1, 2, ..., `seeds`; seed 0 and below are for choosing settings.

    `jobs` worlds are worked on at a time, each on one thread, so that the numbers do not depend on it (default: one a
    processor). `say` hears what is done; it must be a function of a module where there are several jobs.
    """
    (result,) = _results([plan or Plan()], seeds, jobs, say)
    return result


def _results(plans: Sequence[Plan], seeds: int, jobs: int | None, say: Say | None) -> Iterator[AlignmentResult]:
    if seeds < 1:
        raise BadInput(f"seeds is {seeds}; give at least one, and five or more for intervals that mean something.")
    work = [(seed, plan) for plan in plans for seed in range(1, seeds + 1)]
    timed = _all_outcomes(work, min(len(work), jobs or _processors()), say)
    for plan in plans:
        own = [outcome for (_, its), outcome in zip(work, timed, strict=True) if its is plan]
        yield AlignmentResult(tuple(one.outcome for one in own), plan, sum(one.minutes for one in own))


def to_stderr(line: str) -> None:
    """Progress on the terminal."""
    print(line, file=sys.stderr, flush=True)


def seed_outcome(seed: int, plan: Plan, say: Say | None = None) -> SeedOutcome:
    """One world: build, tune, treat, measure."""
    world = replace(plan.world, seed=seed)
    if not world.disjoint():
        raise BadInput(f"World {seed} repeats a wording; the held-out ones would not be held out.")
    tasks = world.tasks(plan.held_out)
    tell = _teller(f"{'noisy ' if world.noise else ''}seed {seed}", say)
    base = tuned(world, plan, tell)
    found: dict[str, Mapping[str, Measures]] = {}
    guards: dict[str, GuardReading] = {}
    for state in plan.states:
        found[state], guards[state] = _measured(_model(state, base, world, plan), tasks)
        tell(f"{state} measured")
    return SeedOutcome(seed, found, guards)


def tuned(world: World, plan: Plan, tell: Say, *, held_out: bool = False) -> LanguageModel:
    """A model of the world's seed, tuned on the observed wordings, and with `held_out` on the held-out ones too."""
    from surefoot.worlds.tiny import language_model, random_weights, tokenizer
    from surefoot.worlds.tuning import tune

    extra = {name: getattr(world.wordings[name], plan.held_out) for name in world.wordings} if held_out else {}
    weights = random_weights(world.seed, plan.shape)
    tune(weights, tokenizer(), world.lessons(extra), plan.tuning, tell)
    return language_model(weights, f"tiny-{world.seed}{'-bound' if held_out else ''}")


def treated(mode: str, base: LanguageModel, world: World, recipe: Recipe) -> LanguageModel:
    """The model under `soft-align`, trained on other rows than are measured and on paraphrases of observed wordings.

    KL alone lets the gradient through the reference too: with that stopped, one model of five did not collapse.
    """
    from surefoot.treatments import treat

    rates = {"FT": recipe.full_learning_rate, "FT+KL": recipe.full_learning_rate, "KL": recipe.control_learning_rate}
    return treat(
        "soft-align",
        base,
        task=world.training_tasks(recipe.items),
        paraphrases=world.paraphrases(),
        mode=mode,
        items=1.0,
        kind=recipe.kind,
        tokens=recipe.tokens,
        weight=recipe.weight,
        teacher=recipe.teacher,
        steps=recipe.steps,
        batch=recipe.batch,
        learning_rate=rates.get(mode, recipe.learning_rate),
        detach=mode != "KL",
        seed=abs(world.seed),  # worlds for choosing settings have seeds below 0, and draws of batches cannot
    )


def _model(state: str, base: LanguageModel, world: World, plan: Plan) -> LanguageModel:
    from surefoot.treatments import treat
    from surefoot.worlds.wordings import ELSEWHERE

    if state == "untouched":
        return base
    if state == "marked":
        return treat("system-prompt", base, text=ELSEWHERE)
    if state == "bound":
        return tuned(world, plan, lambda _: None, held_out=True)
    return treated(state, base, world, plan.recipe)


def _measured(model: LanguageModel, tasks: Sequence[Task]) -> tuple[dict[str, Measures], GuardReading]:
    from surefoot.probes import probe

    reading = probe("phrasing", model, tasks, recheck=0.0)
    return measures(model, tasks, reading), guard_reading(reading)


class Timed(NamedTuple):
    """An outcome and the minutes that it took on one thread."""

    outcome: SeedOutcome
    minutes: float


def _all_outcomes(work: Sequence[tuple[int, Plan]], jobs: int, say: Say | None) -> list[Timed]:
    if jobs < 2:
        return [_on_one_thread(seed, plan, say) for seed, plan in work]
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return list(pool.map(_on_one_thread, *zip(*work, strict=True), [say] * len(work)))


def _on_one_thread(seed: int, plan: Plan, say: Say | None) -> Timed:
    """Sums over threads round differently; one thread gives the same weights wherever it runs."""
    import torch

    before, began = torch.get_num_threads(), time.monotonic()
    torch.set_num_threads(1)
    try:
        return Timed(seed_outcome(seed, plan, say), (time.monotonic() - began) / 60)
    finally:
        torch.set_num_threads(before)


def _teller(name: str, say: Say | None) -> Say:
    return (lambda line: say(f"{name}: {line}")) if say else (lambda _: None)


def _processors() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
