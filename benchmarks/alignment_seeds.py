"""Runs of one model against runs of another over all seeds: mean, spread beyond item noise, worst wording.

    python benchmarks/alignment_seeds.py --before runs/a/run-held --after runs/a/PT-{0,1,2}/run-held
    python benchmarks/alignment_seeds.py --before runs/a/run-observed --after runs/a/run-held    its two sets
    python benchmarks/alignment_seeds.py --before ... --after ... --without runs/b/PT-0/run-held        on other items

Each number is taken in each run, averaged over tasks and over the runs of a side, and the sides are subtracted. The
interval is 1.96 standard errors from drawing items, the same ones in all runs; so it is for these seeds and wordings.
`surefoot compare` says the same of two runs, with tests. Only items that all runs have are counted, and of
them those that the runs behind `--without` have not: what is left is new to whoever has read these.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from surefoot.comparison.cells import Cells, cells_of
from surefoot.stats.intervals import Floats
from surefoot.stats.paired import Means, Paired, beyond_noise, mean, spread, worst

RIGHT = ("right", "observed", "unobserved")
NUMBERS = {"mean": mean, "spread": beyond_noise, "plain sd": spread, "worst": worst}
DRAWS = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", nargs="+", type=Path, required=True)
    parser.add_argument("--after", nargs="+", type=Path, required=True)
    parser.add_argument("--without", nargs="*", type=Path, default=[], help="runs whose items are left out")
    args = parser.parse_args()
    unfinished = [str(path) for path in (*args.before, *args.after, *args.without) if not (path / "DONE").is_file()]
    if unfinished:
        raise SystemExit(
            f"{', '.join(unfinished)}: not finished; a wording that lacks items would be counted as it is."
        )
    sides = [[cells_of(path, str(path)) for path in paths] for paths in (args.before, args.after)]
    tasks = sorted(sides[0][0].tasks)
    known = [cells_of(path, str(path)) for path in args.without]
    items = {task: shared([run for side in sides for run in side], known, task) for task in tasks}
    rng = np.random.default_rng(0)
    weights = {task: drawn(len(items[task]), rng) for task in tasks}
    counts = ", ".join(f"{task} {len(items[task])}" for task in tasks)
    print(f"items: {counts}\n{'':<9} {'before':>22} {'after':>22} {'change':>8}  95 % interval")
    for name, number in NUMBERS.items():
        each = [[over_tasks(run, items, weights, number) for run in side] for side in sides]
        before, after = (np.mean(side, axis=0) for side in each)
        change, error = (after - before)[0], (after - before)[1:].std(ddof=1)
        told = [" ".join(f"{100 * run[0]:.1f}" for run in side) for side in each]
        low, high = 100 * (change - 1.96 * error), 100 * (change + 1.96 * error)
        print(f"{name:<9} {told[0]:>22} {told[1]:>22} {100 * change:+8.1f}  {low:+.1f} to {high:+.1f}")


def shared(runs: Sequence[Cells], known: Sequence[Cells], task: str) -> list[str]:
    """The task's items that all of the runs have and none of the known ones."""
    common = set.intersection(*({*run.tasks[task].items} for run in runs))
    left = common - {item for run in known if task in run.tasks for item in run.tasks[task].items}
    if not left:
        raise SystemExit(f"{task}: no item that all runs have is left; give runs that share items.")
    return sorted(left)


def drawn(count: int, rng: np.random.Generator) -> Floats:
    """Each item once, and below it `DRAWS` samples with replacement: how often each item is in them."""
    samples = rng.multinomial(count, np.full(count, 1 / count), size=DRAWS)
    return np.vstack([np.ones(count), samples]).astype(np.float64)


def over_tasks(
    run: Cells, items: dict[str, list[str]], weights: dict[str, Floats], number: Callable[[Means], Floats]
) -> Floats:
    """The number's mean over tasks, for the data and for each draw."""
    return np.asarray(np.mean([number(means(run, task, items[task], weights[task])) for task in items], axis=0))


def means(run: Cells, task: str, items: list[str], weights: Floats) -> Means:
    cells = run.tasks[task]
    rows = [cells.items.index(item) for item in items]
    columns = [place for place, klass in enumerate(cells.klasses) if klass in RIGHT]
    scores = cells.score[np.ix_(rows, columns)]
    return Paired(scores, scores).resampled(weights).before


if __name__ == "__main__":
    main()
