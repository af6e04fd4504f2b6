"""The phrasing probe's calibrations: five models whose reading is known, on a task whose truth is arithmetic."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from surefoot.calibration import Calibration, Truth
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.asking import Answering, Cell
from surefoot.probes.filling import every_cell
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction, Klass
from surefoot.text.prompt import Prompt

ITEMS = 120
RIGHT = 12  # wordings in 3 frames
KNOWN = 0.75  # share of items that the instruction-ignorer knows
FRAMES = (
    "{{ instruction }}\n{{ input }}\n",
    "Q: {{ input }}\n{{ instruction }}\n",
    "{{ input }}\n\n{{ instruction }}\n",
)


def calibrations() -> tuple[Calibration, ...]:
    """Ignorer, coin, oracle, half-right and silent model."""
    task = world()
    right = [wording for wording in task.wordings if wording.is_right]
    half = frozenset(wording.id for wording in right[::2])
    binomial = math.sqrt(0.25 / ITEMS)  # sd over wordings of a coin's accuracy
    half_sd = 0.5 * math.sqrt(RIGHT / (RIGHT - 1))
    return (
        Calibration(
            "instruction-ignorer",
            f"right on the same {100 * KNOWN:.0f} % of items whatever the instruction says",
            lambda: _read(task, lambda cell: _gold(cell, knows(cell.example)), "sum"),
            {
                "mean": Truth(KNOWN, 0),
                "sd over wordings": Truth(0, 0),
                "items that flip": Truth(0, 0),
                "guard raised": Truth(1, 0),
            },
        ),
        Calibration(
            "coin",
            "a fair coin for every cell",
            lambda: _read(task, lambda cell: _gold(cell, _toss(cell)), "sum"),
            {
                "mean": Truth(0.5, 4 * math.sqrt(0.25 / (ITEMS * RIGHT))),
                "sd over wordings": Truth(binomial, 4 * binomial / math.sqrt(2 * (RIGHT - 1))),
                "sd by item noise": Truth(binomial, 0.2 * binomial),
                "guard raised": Truth(0, 0),
            },
        ),
        Calibration(
            "oracle",
            "always right, and obeys a negated instruction",
            lambda: _read(task, _obey, "sum"),
            {
                "mean": Truth(1, 0),
                "sd over wordings": Truth(0, 0),
                "mean of negated": Truth(0, 0),
                "guard raised": Truth(0, 0),
            },
        ),
        Calibration(
            "half-right",
            "right under every other right wording, wrong under the others",
            lambda: _read(task, lambda cell: _gold(cell, cell.wording.id in half), "sum"),
            {
                "mean": Truth(0.5, 0),
                "sd over wordings": Truth(half_sd, 1e-9),
                "range": Truth(1, 0),
                "items that flip": Truth(1, 0),
            },
        ),
        Calibration(
            "silent",
            "writes something that is no answer",
            lambda: _read(task, lambda _: "I would rather not say.", "generate"),
            {"mean": Truth(0, 0), "share unparsed": Truth(1, 0), "sd over wordings": Truth(0, 0)},
        ),
    )


def world() -> Task:
    """Which number is larger? Items, truth and wordings from arithmetic alone, gold balanced over both places."""
    examples = tuple(_item(i) for i in range(ITEMS))
    right = tuple(_wording("right", k, f"Answer question type {k}: which number is larger?") for k in range(RIGHT))
    negated = tuple(_wording("negated", k, f"Answer question type {k}: which number is not larger?") for k in range(4))
    nonsense = tuple(_wording("nonsense", k, f"Squirrel number {k} opens the court.") for k in range(4))
    wordings = right + negated + nonsense
    return Task("larger", "binary", examples, wordings, input_template="{{ pair }}", fixed_options=True)


def knows(example: Example) -> bool:
    """Whether the instruction-ignorer knows the item: exactly `KNOWN` of them."""
    return int(example.id) % 4 < 4 * KNOWN


def _item(i: int) -> Example:
    small, large = 100 + i, 300 + 2 * i
    first, second = (large, small) if i % 2 else (small, large)
    return Example(str(i), {"pair": f"{first} and {second}"}, (str(first), str(second)), int(i % 2 == 0))


def _wording(klass: Klass, k: int, text: str) -> Instruction:
    frame = k % len(FRAMES)
    return Instruction(f"{klass}-{k}", text, klass, f"frame-{frame}", FRAMES[frame], cue="Answer:")


def _gold(cell: Cell, right: bool) -> str:
    gold = cell.example.gold or 0
    return cell.example.options[gold if right else 1 - gold]


def _obey(cell: Cell) -> str:
    if cell.wording.klass == "nonsense":
        return _gold(cell, _toss(cell))
    return _gold(cell, cell.wording.klass != "negated")


def _toss(cell: Cell) -> bool:
    return hashlib.sha256(f"{cell.wording.id}/{cell.example.id}".encode()).digest()[0] % 2 == 0


def _read(task: Task, answer: Callable[[Cell], str], answering: Answering) -> Mapping[str, float]:
    from surefoot.probes.phrasing.probe import Phrasing

    by_text = {cell.query.prompt.text: answer(cell) for cell in every_cell([task])}

    def script(prompt: Prompt, _: Sequence[str]) -> Any:
        return by_text[prompt.text]

    summary = Phrasing(answering).measure(ScriptedModel(script), [task]).summary
    one = summary.tasks[0]
    classes = {score.klass: score for score in one.classes}
    assert one.spread is not None
    return {
        "mean": one.spread.mean.value,
        "sd over wordings": one.spread.sd.value,
        "sd by item noise": one.spread.noise_sd,
        "range": one.spread.range,
        "items that flip": one.flip_rate,
        "mean of negated": classes["negated"].mean.value,
        "share unparsed": one.unparsed / (one.items * len(one.wordings)),
        "guard raised": float(one.guard.raised),
    }
