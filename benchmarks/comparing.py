"""How long it takes to compare two runs of 100,000 rows, from their folders.

    python benchmarks/comparing.py [--tasks 10] [--items 333] [--wordings 30] [--repeats 3]

Writes two run folders with random answers (a third of the wordings are controls, 1 % of the cells computed twice) and
prints the seconds of `compare`, of the report and of the JSON; CPU seconds too, for a machine that others use.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from surefoot.comparison import compare
from surefoot.runs import ModelSettings, Run, RunSettings, TaskSettings

KLASSES = ("right", "right", "right", "right", "negated", "nonsense")
BATCH = 5_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("tasks", 10), ("items", 333), ("wordings", 30), ("repeats", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shape = (given.tasks, given.items, given.wordings)
        before, after = (write_run(f"{folder}/{seed}", seed, *shape) for seed in (0, 1))
        print(f"{given.tasks} tasks x {given.items} items x {given.wordings} wordings: {np.prod(shape):,} rows a run")
        start = time.process_time()
        times = [seconds(lambda: compare(before, after)) for _ in range(given.repeats)]
        busy = (time.process_time() - start) / given.repeats
        found = compare(before, after)
        each = ", ".join(f"{t:.2f}" for t in sorted(times))
        print(f"compare  {median(times):6.2f} s (of {given.repeats}: {each}; CPU {busy:.2f} each)")
        print(f"report   {seconds(lambda: found.save(Path(folder) / 'x.html')):6.2f} s")
        print(f"json     {seconds(lambda: json.dumps(found.to_dict())):6.2f} s")


def write_run(path: str, seed: int, tasks: int, items: int, wordings: int) -> str:
    """A run folder whose answers are coins."""
    names = [f"task-{t}" for t in range(tasks)]
    settings = RunSettings(
        probe="phrasing",
        model=ModelSettings(f"model {seed}", str(seed), "float32"),
        tasks=tuple(TaskSettings(name, name, items, wordings) for name in names),
    )
    with Run.open(path, settings) as run:
        batch: list[dict[str, Any]] = []
        for row in rows(f"model {seed}", names, items, wordings, np.random.default_rng(seed)):
            batch.append(row)
            if len(batch) == BATCH:
                run.append(batch)
                batch = []
        run.append(batch)
        run.finish({})
    return path


def rows(model: str, tasks: list[str], items: int, wordings: int, rng: np.random.Generator) -> Iterator[dict[str, Any]]:
    """One row a cell, and a second one for a hundredth of them."""
    for task in tasks:
        right = rng.random((wordings, items)) < rng.random(items)
        again = rng.random((wordings, items)) < 0.01
        for j in range(wordings):
            names = {"model": model, "task": task, "wording": f"{task}/wording-{j}", "klass": KLASSES[j % len(KLASSES)]}
            for i in range(items):
                row = {**names, "frame": "", "item": f"{task}/item-{i}", "recheck": False, "truncated": False}
                row |= {"outcome": "right" if right[j, i] else "wrong", "score": float(right[j, i]), "gold": "yes"}
                row |= {"predicted": "yes" if right[j, i] else "no", "option_scores": [-0.5, -1.0]}
                yield row
                if again[j, i]:
                    yield {**row, "recheck": True}


def seconds(call: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
