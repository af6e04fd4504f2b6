"""A small task, the demo tasks, and an encoder with planted vectors, for the tests of paraphrases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surefoot.paraphrases import Filters, Paraphrased
from surefoot.tasks.loading import load_tasks
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction

OFF = Filters(floor=0)
DEMO = {task.name: task for task in load_tasks("demo")}
EXAMPLES = tuple(Example(str(n), {"input": f"Is {n} odd?"}, ("yes", "no"), (n + 1) % 2) for n in range(4))


def wording(id: str, text: str, **settings: object) -> Instruction:
    return Instruction(id, f"{text}\n{{{{ input }}}}\n", **settings)  # type: ignore[arg-type]


def task_of(*wordings: Instruction) -> Task:
    return Task("odd", "binary", EXAMPLES, wordings, fixed_options=True)


def texts(result: Paraphrased) -> list[str]:
    return [p.text.split("\n")[0] for group in result.groups for p in group.paraphrases]


class Planted:
    """An encoder that knows three directions: texts with `far` are far from all others, texts with `near` the same."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        rows = {"far": (0.0, 0.0, 1.0), "near": (1.0, 0.0, 0.0), "ref": (1.0, 0.0, 0.0)}
        vectors = [next((rows[k] for k in rows if k in text), (0.8, 0.6, 0.0)) for text in texts]
        return np.array(vectors, dtype=np.float32)
