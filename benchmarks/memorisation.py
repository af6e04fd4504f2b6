"""The memorisation probe on canaries with known repetitions, over seeds and widths; and what its measures cost.

    python benchmarks/memorisation.py canaries --seeds 3 --widths 32,64
    python benchmarks/memorisation.py overlap

`canaries`: strings planted 0, 1, 2, 4, ..., 256 times in the training text of a tiny model; the excess of the longest
run over chance by repetitions, Spearman's rho, and whether a wider model reproduces at least as much. `overlap`: 1,000
pairs of 1,000 x 5,000 words by each measure.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch

import surefoot as sf
from surefoot.memorisation.asking import works_task
from surefoot.metrics.overlap import common_runs, edit_distance, longest_common_run, longest_common_subsequence
from surefoot.probes.memorisation.summary import MemorisationSummary
from surefoot.text.instruction import Instruction
from surefoot.worlds.canaries import CanaryWorld, Learner, learn

WORDINGS = (
    Instruction("prefix", "{{ prefix }}"),
    Instruction("direct", "called {{ title }}"),
    Instruction("wrong-title", "called {{ other_title }}", "incorrect"),
)


def canaries(seeds: int, widths: Sequence[int], epochs: int) -> None:
    """One line a width and seed, then the mean excess by repetitions."""
    print("width  seed  rho    mean excess run by repetitions")
    totals: dict[int, list[float]] = {width: [] for width in widths}
    for seed in range(seeds):
        world = CanaryWorld(seed)
        for width in widths:
            start = time.perf_counter()
            summary = measured(world, Learner(width=width, epochs=epochs, seed=seed))
            by = by_repetitions(world, summary)
            totals[width].append(sum(by.values()) / len(by))
            (found,) = summary.popularity
            means = "  ".join(f"{times}: {excess:.1f}" for times, excess in by.items())
            print(f"{width:<6} {seed:<5} {found.rho:.2f}   {means}   ({time.perf_counter() - start:.0f} s)", flush=True)
    for narrow, wide in pairwise(widths):
        wins = sum(b >= a for a, b in zip(totals[narrow], totals[wide], strict=True))
        print(f"width {wide} reproduces at least as much as {narrow} in {wins} of {seeds} seeds")


def measured(world: CanaryWorld, learner: Learner) -> MemorisationSummary:
    task = works_task(world.canaries, prefixes=[10], new_tokens=world.words, wordings=WORDINGS)
    found: MemorisationSummary = sf.probe("memorisation", learn(world, learner), task, recheck=0).summary
    return found


def by_repetitions(world: CanaryWorld, summary: MemorisationSummary) -> dict[int, float]:
    """Mean excess of the longest run over chance, in words."""
    excess = {work.work: work.excess for work in summary.works}
    cells: dict[int, list[float]] = {}
    for canary in world.canaries:
        cells.setdefault(int(canary.popularity["repetitions"]), []).append(excess[canary.id])
    return {times: sum(values) / len(values) for times, values in cells.items()}


def overlap(pairs: int) -> None:
    """Seconds for pairs of 1,000 x 5,000 words drawn from 5,000 by Zipf's law."""
    rng = random.Random(0)
    names, weights = [f"word{k}" for k in range(5000)], [1 / (k + 1) for k in range(5000)]
    texts = [(rng.choices(names, weights, k=1000), rng.choices(names, weights, k=5000)) for _ in range(pairs)]
    measures: dict[str, Callable[[Sequence[str], Sequence[str]], object]] = {
        "longest common subsequence": longest_common_subsequence,
        "longest common run": longest_common_run,
        "runs of 8 words or more": lambda a, b: common_runs(a, b, 8),
        "edit distance": edit_distance,
    }
    for name, measure in measures.items():
        wall, cpu = time.perf_counter(), time.process_time()
        for a, b in texts:
            measure(a, b)
        seconds = f"{time.perf_counter() - wall:6.2f} s ({time.process_time() - cpu:.2f} s of the processor)"
        print(f"{name:<28} {seconds} for {pairs:,} pairs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("canaries", "overlap"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--widths", default="32,64")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=1000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.what == "overlap":
        overlap(given.pairs)
    else:
        canaries(given.seeds, [int(width) for width in given.widths.split(",")], given.epochs)


if __name__ == "__main__":
    main()
