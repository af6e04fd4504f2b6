"""What the alignment experiment consists of: its states, the recipe of the treatment, and its two regimes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from surefoot.errors import BadInput, nearest
from surefoot.worlds.tiny import Shape
from surefoot.worlds.tuning import Tuning
from surefoot.worlds.world import HeldOut, World

MODES = ("PT", "PT+KL", "KL", "FT", "FT+KL")
STATES = ("untouched", "marked", *MODES, "bound")
"""`marked` puts the word in front of every prompt that marks texts without house style: the planted soft prompt, as it
were. `bound` is a model from the same random weights that was tuned on the held-out wordings too."""


@dataclass(frozen=True)
class Recipe:
    """Settings of `soft-align`, chosen on development wordings of other seeds (docs/alignment-from-scratch.md)."""

    kind: Literal["prompt", "prefix"] = "prompt"
    tokens: int = 10
    weight: float = 0.5
    teacher: Literal["training", "base"] = "training"
    steps: int = 150
    batch: int = 8
    learning_rate: float = 1e-2
    full_learning_rate: float = 1e-3  # of the modes that train all weights
    control_learning_rate: float = 0.1  # of KL alone, which is meant to fail: gentle steps do not get there
    items: int = 200  # training rows of each task


@dataclass(frozen=True)
class Plan:
    """One experiment. `held_out` `development` measures the wordings that settings may be chosen on."""

    states: tuple[str, ...] = ("untouched", "marked", "PT", "PT+KL", "KL", "FT")
    world: World = field(default_factory=World)
    shape: Shape = field(default_factory=Shape)
    tuning: Tuning = field(default_factory=Tuning)
    recipe: Recipe = field(default_factory=Recipe)
    held_out: HeldOut = "unobserved"

    def __post_init__(self) -> None:
        for state in self.states:
            if state not in STATES:
                raise BadInput(f'"{state}" is not a state of the experiment.{nearest(state, STATES)}')


REGIMES: Mapping[str, Plan] = {
    "sure": Plan(),
    "noisy": Plan(
        states=("untouched", "PT", "PT+KL", "FT", "FT+KL"),
        world=World(noise=0.3),
        tuning=Tuning(steps=600),
        recipe=Recipe(items=10, weight=0.9, teacher="base", learning_rate=3e-2),
    ),
}
"""`sure`: every answer is right, in tuning and in treatment. `noisy`: three in ten are another digit, the treatment has
ten rows a task, and the divergence is from the untouched model, whose distribution no longer follows single answers."""

SIZES: Mapping[str, Shape] = {"small": Shape(), "planned": Shape(width=128, layers=4)}
"""0.2 and 1.1 million parameters."""


def plan_of(regime: str, size: str = "small") -> Plan:
    """The plan of a regime with a model of this size."""
    for value, table, what in ((regime, REGIMES, "regime"), (size, SIZES, "size")):
        if value not in table:
            raise BadInput(f'"{value}" is not a {what} of the alignment experiment.{nearest(value, table)}')
    return replace(REGIMES[regime], shape=SIZES[size])
