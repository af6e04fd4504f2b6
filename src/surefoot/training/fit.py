"""`fit`: gradient descent on some parameters of a frozen model, that goes on where it was interrupted.

A step's batch, its learning rate and its loss depend on the step and the seed alone. A checkpoint holds the trained
parameters and the optimiser's moments, so a run that was killed ends with the weights of one that was not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import nn

from surefoot.errors import BadInput, SurefootError
from surefoot.training.checkpoint import Checkpoint, latest, save
from surefoot.training.groups import batch_at


@dataclass(frozen=True)
class FitSettings:
    """AdamW with a linear warm-up and a linear way down to 0. `batch` counts examples, each under all its wordings.

    `learning_rate` None stands for what suits the part that is trained (`surefoot.training.adapters.RATES`).
    """

    steps: int = 60
    batch: int = 4
    learning_rate: float | None = None
    warmup: float = 0.1  # share of the steps
    weight_decay: float = 0.0
    clip: float = 1.0  # largest norm of the gradient
    accumulate: int = 1  # batches a step
    seed: int = 0
    save_every: int = 50

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "accumulate", "save_every"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; give at least 1.")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise BadInput(f"learning_rate is {self.learning_rate}; give a positive number.")

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if self.learning_rate is None:
            raise BadInput("There is no learning rate; give learning_rate=...")
        warm = max(1, round(self.warmup * self.steps))
        return self.learning_rate * min((step + 1) / warm, (self.steps - step) / max(1, self.steps - warm), 1.0)

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """AdamW over these parameters, at the rate of the first step."""
        return torch.optim.AdamW(parameters, lr=self.rate(0), weight_decay=self.weight_decay)


class Objective(Protocol):
    """What is trained: named parameters, how many examples there are, and the losses of some of them.

    `losses` gives scalars by name; `loss` is the one that is minimised. `identity` tells whether a checkpoint is of the
    same training. `autocast` asks for matrix products in bfloat16 where parameters are kept in float32.
    """

    parameters: Mapping[str, nn.Parameter]
    examples: int
    identity: str
    autocast: bool

    def losses(self, places: list[int]) -> Mapping[str, torch.Tensor]: ...


class FitStep(NamedTuple):
    """One step as it is logged: its number from 1, the mean losses of its batch, and the seconds since this call began.

    `of_this_call` counts the steps since then, fewer than `step` where an interrupted training goes on.
    """

    step: int
    steps: int
    losses: Mapping[str, float]
    seconds: float
    of_this_call: int

    def as_record(self) -> dict[str, float]:
        """What is kept of the step: its number and losses."""
        return {"step": self.step, **self.losses}


class TrainingDiverged(SurefootError):
    """The loss became NaN or infinite."""


def fit(
    objective: Objective,
    settings: FitSettings,
    *,
    out: Path | None = None,
    watch: Callable[[FitStep], None] | None = None,
) -> list[FitStep]:
    """Train the objective's parameters in place and return the log of this call's steps.

    With `out`, checkpoints are kept there and the same call goes on from the last one. Raises `TrainingDiverged` where
    the loss is no number (the last checkpoint stays) and `BadInput` where `out` holds another training.
    """
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=_device(objective) == "cpu")
    parameters = dict(objective.parameters)
    optimizer = settings.optimizer(parameters.values())
    identity = f"{objective.identity} {json.dumps(asdict(settings), sort_keys=True)}"
    start, earlier = _resume(out, identity, parameters, optimizer)
    optimizer = accelerator.prepare(optimizer)
    log, began = [], time.monotonic()
    for step in range(start, settings.steps):
        for group in optimizer.param_groups:
            group["lr"] = settings.rate(step)
        means = _accumulate(objective, settings, step, accelerator)
        if not all(math.isfinite(value) for value in means.values()):
            raise _diverged(step, settings, out)
        accelerator.clip_grad_norm_(parameters.values(), settings.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        log.append(FitStep(step + 1, settings.steps, means, time.monotonic() - began, step + 1 - start))
        if out is not None and ((step + 1) % settings.save_every == 0 or step + 1 == settings.steps):
            kept = Checkpoint.of(step + 1, identity, parameters, optimizer)
            save(out, kept._replace(log=(*earlier, *(one.as_record() for one in log))))
        if watch is not None:
            watch(log[-1])
    return log


def _accumulate(objective: Objective, settings: FitSettings, step: int, accelerator: Any) -> dict[str, float]:
    """Gradients of the step's batches, added up; the mean of each loss."""
    sums: dict[str, float] = {}
    for part in range(settings.accumulate):
        places = batch_at(objective.examples, settings.batch, step * settings.accumulate + part, settings.seed)
        with torch.autocast(_device(objective), torch.bfloat16, enabled=objective.autocast):
            losses = objective.losses(places)
        if torch.isfinite(losses["loss"]):
            accelerator.backward(losses["loss"] / settings.accumulate)
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + float(value.detach()) / settings.accumulate
    return sums


def _device(objective: Objective) -> str:
    return next(iter(objective.parameters.values())).device.type


def _resume(
    out: Path | None, identity: str, parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer
) -> tuple[int, tuple[Mapping[str, float], ...]]:
    """Put the last checkpoint back; the step to go on with, and the log up to there."""
    found = None if out is None else latest(out)
    if found is None:
        return 0, ()
    if found.identity != identity:
        raise BadInput(f'"{out}" holds a training with other data or settings; give another folder or delete it.')
    found.restore(parameters, optimizer)
    return found.step, found.log


def _diverged(step: int, settings: FitSettings, out: Path | None) -> TrainingDiverged:
    kept = None if out is None else latest(out)
    where = f"; the checkpoint of step {kept.step} is kept in {out}" if kept else ""
    return TrainingDiverged(
        f"The loss of step {step + 1} is no number{where}. Try a smaller learning rate "
        f"(it was {settings.learning_rate:g}), a longer warm-up, or dtype float32."
    )
