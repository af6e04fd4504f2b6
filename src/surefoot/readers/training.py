"""Training of readers in stages: other questions first, then the ones that are meant, the best epoch of each kept.

    stages = [Stage("single steps", single_step_rows(world, 2000), epochs=3), Stage("implicit", rows, 15, dev)]
    reader = train(YesNoReader.new(), stages).reader

AdamW with a slanted-triangular learning rate (Howard and Ruder 2018, arXiv:1801.06146): with T steps, cut = cut_frac T
and p = t / cut up to the cut and 1 - (t - cut) / (T - cut) behind it, the rate of step t is
rate_max (1 + p (ratio - 1)) / ratio. Source: Geva et al. 2021 (TACL, StrategyQA) and its released configuration, whose
settings are the defaults of `Recipe`. Each stage begins with the weights (encoder and head) that the last one chose, a
new optimiser and a new schedule.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

import torch
from torch import nn

from surefoot.errors import BadInput
from surefoot.training.fit import FitSettings, FitStep, fit

if TYPE_CHECKING:
    from surefoot.readers.heads import Headed

Row = TypeVar("Row")
Read_contra = TypeVar("Read_contra", contravariant=True)
OwnReader = TypeVar("OwnReader", bound="Trainable[Any]")


class Trainable(Protocol[Read_contra]):
    """A reader: a module, the loss of rows with gradients, and whether it is right on each."""

    module: Headed

    def loss(self, rows: Sequence[Read_contra]) -> torch.Tensor: ...
    def correct(self, rows: Sequence[Read_contra]) -> list[bool]: ...
    def copy(self) -> Any: ...


@dataclass(frozen=True)
class Recipe:
    """How each stage is trained; the defaults are the published settings for StrategyQA.

    `batch` rows at a time, `accumulate` batches a step. `frozen_layers` of the encoder stay as they are, and its
    embeddings with them (0: all is trained). `clip` bounds the norm of the gradient; it is this project's.
    """

    learning_rate: float = 1e-5
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    cut_frac: float = 0.06
    ratio: float = 32.0
    batch: int = 2
    accumulate: int = 16
    clip: float = 1.0
    seed: int = 42
    frozen_layers: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.cut_frac < 1:
            raise BadInput(f"cut_frac is {self.cut_frac}; give the share of steps that rise, above 0 and below 1.")
        if self.ratio < 1:
            raise BadInput(f"ratio is {self.ratio}; give how many times the highest rate is the lowest, at least 1.")
        for name in ("batch", "accumulate"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; give at least 1.")
        if self.frozen_layers < 0:
            raise BadInput(f"frozen_layers is {self.frozen_layers}; give 0 to train all layers.")

    def settings(self, rows: int, epochs: int) -> SlantedFit:
        """What `fit` is given for so many epochs over so many rows."""
        return SlantedFit(
            steps=max(1, ceil(rows * epochs / (self.batch * self.accumulate))),
            batch=self.batch,
            learning_rate=self.learning_rate,
            warmup=self.cut_frac,
            weight_decay=self.weight_decay,
            clip=self.clip,
            accumulate=self.accumulate,
            seed=self.seed,
            betas=self.betas,
            eps=self.eps,
            ratio=self.ratio,
        )


@dataclass(frozen=True)
class SlantedFit(FitSettings):
    """AdamW with a slanted-triangular rate; `warmup` is cut_frac."""

    betas: tuple[float, float] = (0.9, 0.98)
    eps: float = 1e-6
    ratio: float = 32.0

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        highest = self.learning_rate or 0.0
        cut = floor(self.steps * self.warmup)
        p = step / cut if step < cut else 1 - (step - cut) / max(1, self.steps - cut)
        return highest * (1 + p * (self.ratio - 1)) / self.ratio

    def optimizer(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """AdamW with this recipe's moments."""
        return torch.optim.AdamW(
            parameters, lr=self.rate(0), betas=self.betas, eps=self.eps, weight_decay=self.weight_decay
        )


@dataclass(frozen=True)
class Stage(Generic[Row]):
    """Rows that are trained on for some epochs. With `dev` rows the epoch with the best accuracy on them is kept, the
    first of equals; without, the last one."""

    name: str
    rows: Sequence[Row]
    epochs: int = 15
    dev: Sequence[Row] = ()

    def __post_init__(self) -> None:
        if not self.rows or self.epochs < 1:
            raise BadInput(
                f'The stage "{self.name}" has {len(self.rows)} rows and {self.epochs} epochs; give at least 1 of each.'
            )


class StageLog(NamedTuple):
    """What a stage did: accuracy on its dev rows after each epoch (empty without), the epoch that was kept, counted
    from 1, and the loss of each step."""

    name: str
    accuracies: tuple[float, ...]
    kept: int
    losses: tuple[float, ...]


class Trained(NamedTuple, Generic[OwnReader]):
    """A trained reader and the log of its stages."""

    reader: OwnReader
    stages: tuple[StageLog, ...]


def train(
    reader: OwnReader,
    stages: Sequence[Stage[Any]],
    recipe: Recipe | None = None,
    watch: Callable[[str, FitStep], None] | None = None,
) -> Trained[OwnReader]:
    """A copy of the reader that went through the stages in order; `reader` itself stays as it is.

    `watch` is told the stage and each step. The result is a function of reader, rows and recipe. Cost: a forward and a
    backward pass a row and epoch, and a forward pass a dev row and epoch. Raises `BadInput` where there is no stage.
    """
    if not stages:
        raise BadInput("There is no stage to train; give at least one Stage.")
    trained: OwnReader = reader.copy()
    done = [_trained(trained, stage, recipe or Recipe(), watch) for stage in stages]
    return Trained(trained, tuple(done))


def _trained(
    reader: Trainable[Any], stage: Stage[Any], recipe: Recipe, watch: Callable[[str, FitStep], None] | None
) -> StageLog:
    """One stage, in place."""
    settings = recipe.settings(len(stage.rows), stage.epochs)
    ends = epoch_ends(len(stage.rows), stage.epochs, recipe.batch * recipe.accumulate)
    accuracies: list[float] = []
    best: dict[str, torch.Tensor] = {}

    def after(step: FitStep) -> None:
        if watch is not None:
            watch(stage.name, step)
        if stage.dev:
            for _ in range(ends.count(step.step)):
                accuracies.append(_accuracy(reader, stage.dev))
                if accuracies[-1] > max(accuracies[:-1], default=-1.0):
                    best.update({n: t.detach().clone() for n, t in reader.module.state_dict().items()})

    log = fit(RowObjective(reader, stage, recipe), settings, watch=after)
    if best:
        reader.module.load_state_dict(best)
    reader.module.eval()
    kept = accuracies.index(max(accuracies)) + 1 if accuracies else stage.epochs
    return StageLog(stage.name, tuple(accuracies), kept, tuple(step.losses["loss"] for step in log))


def epoch_ends(rows: int, epochs: int, batch: int) -> list[int]:
    """The steps, counted from 1, with which each epoch has been read whole; an epoch smaller than a step shares it."""
    return [ceil(rows * epoch / batch) for epoch in range(1, epochs + 1)]


class RowObjective:
    """The loss of rows, for `fit`. Dropout depends on the seed and on which rows are read together, nothing else."""

    autocast = False

    def __init__(self, reader: Trainable[Any], stage: Stage[Any], recipe: Recipe) -> None:
        self.reader, self.rows, self.seed = reader, stage.rows, recipe.seed
        self.examples = len(stage.rows)
        self.parameters: Mapping[str, nn.Parameter] = reader.module.trainable(recipe.frozen_layers)
        self.identity = hashlib.sha256(repr((stage.name, stage.epochs, list(stage.rows))).encode()).hexdigest()[:16]
        for parameter in reader.module.parameters():
            parameter.requires_grad_(False)
        for parameter in self.parameters.values():
            parameter.requires_grad_(True)

    def losses(self, places: list[int]) -> Mapping[str, torch.Tensor]:
        """`loss` of the rows at these places, in nats."""
        module = self.reader.module
        device = module.pairs.device
        drawn = hashlib.sha256(repr((self.seed, places)).encode()).digest()
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(int.from_bytes(drawn[:8], "big") >> 1)
            module.train()
            loss = self.reader.loss([self.rows[place] for place in places])
            module.eval()
        return {"loss": loss}


def _accuracy(reader: Trainable[Any], rows: Sequence[Any]) -> float:
    right = reader.correct(rows)
    return sum(right) / len(right)
