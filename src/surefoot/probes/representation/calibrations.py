"""The representation probe's calibrations: models whose states and answers are planted, so the reading is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from surefoot.calibration import Calibration, Truth
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.asking import Cell
from surefoot.probes.filling import every_cell
from surefoot.tasks.task import Task
from surefoot.text.instruction import Klass
from surefoot.text.prompt import Prompt

WIDTH = 8
SHIFT = 3.0  # of every unobserved wording
LOSS = 0.05  # accuracy that a planted wording loses for each unit of distance
OBSERVED = 4


class Planted(ScriptedModel):
    """A scripted model with states: `states` gives one for each prompt, the same at every layer."""

    def __init__(self, script: Callable[[Prompt, Sequence[str]], str], states: Callable[[Prompt], np.ndarray]) -> None:
        super().__init__(script, name="planted", can=frozenset({"logprobs", "generate", "hidden_states"}))
        self.states = states

    def hidden_states(self, prompts: Sequence[Prompt | str], layer: int = -2, position: int = -1) -> np.ndarray:
        return np.stack([self.states(Prompt.of(prompt)) for prompt in prompts]).astype(np.float32)


def world() -> Task:
    """The phrasing probe's world with four observed wordings and eight unobserved ones, and its controls."""
    from surefoot.probes.phrasing.calibrations import world as phrasing_world

    task = phrasing_world()
    right = [wording for wording in task.wordings if wording.is_right]
    klasses: dict[str, Klass] = {w.id: "observed" if k < OBSERVED else "unobserved" for k, w in enumerate(right)}
    return replace(task, wordings=tuple(replace(w, klass=klasses.get(w.id, w.klass)) for w in task.wordings))


def item_state(cell: Cell) -> np.ndarray:
    """A state for each item, at whole distances from each other: item k at k along the first direction."""
    state = np.zeros(WIDTH)
    state[0] = int(cell.example.id)
    return state


def step(cell: Cell) -> int:
    """How many units an unobserved wording lies off: 1 to 8, one after the other; 0 for all other wordings."""
    kind, _, number = cell.wording.id.partition("-")
    return int(number) - OBSERVED + 1 if kind == "right" and int(number) >= OBSERVED else 0


def planted(task: Task, answer: Callable[[Cell], bool], state: Callable[[Cell], np.ndarray]) -> Planted:
    """The model that is right where `answer` says and has the states of `state`."""
    cells = {cell.query.prompt.text: cell for cell in every_cell([task])}

    def script(prompt: Prompt, _: Sequence[str]) -> str:
        cell = cells[prompt.text]
        gold = cell.example.gold or 0
        return cell.example.options[gold if answer(cell) else 1 - gold]

    return Planted(script, lambda prompt: state(cells[prompt.text]))


def off(cell: Cell, distance: float) -> np.ndarray:
    """The item's state, moved sideways."""
    state = item_state(cell)
    state[1] = distance
    return state


def calibrations() -> tuple[Calibration, ...]:
    """Wordings that are not told apart, all moved alike, moved step by step with a planted loss, and a coin."""
    task = world()
    items = len(task.examples)
    between = (items + 1) / 3  # mean |i - k| over pairs of 0 .. n-1
    worst = items * LOSS * 8

    def loses(cell: Cell) -> bool:
        return int(cell.example.id) >= round(items * LOSS * step(cell))

    assert worst <= items
    return (
        Calibration(
            "deaf",
            "the same state whatever the wording",
            lambda: _read(task, lambda _: True, item_state),
            {"distance": Truth(0, 0), "scaled distance": Truth(0, 0), "a line is fitted": Truth(0, 0)},
        ),
        Calibration(
            "shifted",
            f"every unobserved wording moves the state by {SHIFT:g}",
            lambda: _read(task, lambda _: True, lambda cell: off(cell, SHIFT * (step(cell) > 0))),
            {
                "distance": Truth(SHIFT, 1e-6),
                "scaled distance": Truth(SHIFT / between, 1e-6),
                "distance of observed": Truth(0, 0),
                "a line is fitted": Truth(0, 0),
            },
        ),
        Calibration(
            "stepwise",
            f"unobserved wording k moves the state by k and loses {100 * LOSS:g} points for each unit",
            lambda: _read(task, loses, lambda cell: off(cell, step(cell))),
            {
                "distance": Truth(4.5, 1e-6),
                "slope": Truth(LOSS, 1e-6),
                "slope of scaled": Truth(LOSS * between, 1e-6),
                "r squared": Truth(1, 1e-9),
                "permutation p": Truth(1 / 2000, 2 / math.factorial(8) + 4e-3),
            },
        ),
        Calibration(
            "unmoved accuracy",
            "unobserved wording k moves the state by k and loses nothing",
            lambda: _read(task, lambda cell: int(cell.example.id) % 2 == 0, lambda cell: off(cell, step(cell))),
            {"distance": Truth(4.5, 1e-6), "slope": Truth(0, 1e-9)},
        ),
    )


def _read(task: Task, answer: Callable[[Cell], bool], state: Callable[[Cell], np.ndarray]) -> Mapping[str, float]:
    from surefoot.probes.representation.probe import Representation

    summary = Representation(recheck=0, points=0).measure(planted(task, answer, state), [task]).summary
    classes = {found.klass: found for found in summary.tasks[0].classes}
    line, scaled = summary.raw.pooled, summary.scaled.pooled
    return {
        "distance": summary.target.distance.value,
        "scaled distance": summary.target.scaled.value,
        "distance of observed": classes["observed"].distance.value,
        "a line is fitted": float(line is not None),
        "slope": math.nan if line is None else line.slope.value,
        "slope of scaled": math.nan if scaled is None else scaled.slope.value,
        "r squared": math.nan if line is None else line.r2,
        "permutation p": summary.raw.permutation_p,
    }
