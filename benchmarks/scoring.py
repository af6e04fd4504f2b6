"""Surefoot's scoring engine beside lm-evaluation-harness: same grid, weights, token ids, machine and threads.

Needs the extra `benchmark`. `docs/speed.md` says what is measured and how.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

# Read by the hub's client and by lm-eval when they are imported.
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", LMEVAL_LOG_LEVEL="ERROR", TOKENIZERS_PARALLELISM="true")

import torch

from agreement import Scores, compare
from grid import DATA, Grid, distinct_prefixes, make_grid, sequences
from harness import Harness, Outcome, load_harness
from measuring import forget_peak, forward_rates, held_mib, peak_mib, shares
from memory import in_new_process
from surefoot.models.causal import CausalModel
from surefoot.models.load import load
from surefoot.models.weights import smollm2_gguf, unpacked

BATCHES = (8, 16, 32, 64)
Result = TypeVar("Result")


class Run(NamedTuple):
    """One pass of the engine over the grid."""

    seconds: float
    cpu: float
    computed: int
    scores: Scores


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", choices=("a", "b"), default="a", help="answers: a letters, b option texts")
    parser.add_argument("--wordings", type=int, default=10)
    parser.add_argument("--items", type=int, default=None, help="all by default")
    parser.add_argument("--repeats", type=int, default=3, help="alternating pairs of runs")
    parser.add_argument("--batch", type=int, default=0, help="lm-eval's batch size; found on two wordings by default")
    parser.add_argument("--format", choices=("chat", "plain"), default="chat")
    parser.add_argument("--threads", type=int, default=0, help="torch's own choice by default")
    parser.add_argument("--data", type=Path, default=DATA)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--agreement", action="store_true", help="do both choose the same options?")
    what.add_argument("--memory", action="store_true", help="does memory grow with the items?")
    what.add_argument("--profile", action="store_true", help="where does the engine's time go?")
    return parser.parse_args()


def engine_run(model: CausalModel, grid: Grid) -> Run:
    """Rendering, tokenising, planning and scoring, a wording at a time as the probe does."""
    before, start, cpu = model.tokens.computed, time.perf_counter(), time.process_time()
    scores = []
    for queries in grid.queries():
        choices = model.choose([q.prompt for q in queries], [q.labels for q in queries])
        scores.append([list(choice.scores) for choice in choices])
    ended = time.perf_counter() - start, time.process_time() - cpu
    return Run(*ended, model.tokens.computed - before, scores)


def engine(dtype: str, form: str) -> CausalModel:
    """The loaded engine, which has compared its attention with a plain pass (once for a model)."""
    model = load("smollm2", dtype=dtype, device="cpu", format=form)
    assert isinstance(model, CausalModel)
    assert model.shares_prefixes
    return model


def best_batch(args: argparse.Namespace, weights: Path) -> int:
    """lm-eval's fastest batch size on two of the grid's wordings."""
    grid = make_grid(args.grid, min(2, args.wordings), args.items, args.data)
    with tempfile.TemporaryDirectory() as folder:
        harness, model = Harness(grid, Path(folder), args.format == "chat"), load_harness(weights, "bfloat16", 1)
        harness.run(model, BATCHES[0])  # warm up
        found = {batch: harness.run(model, batch).scoring for batch in BATCHES}
    print("lm-eval's batch size, two wordings: " + ", ".join(f"{b}: {s:.1f} s" for b, s in found.items()))
    return min(found, key=lambda batch: found[batch])


def speed(args: argparse.Namespace, weights: Path) -> None:
    """Alternating runs, medians and ratios."""
    grid, batch = make_grid(args.grid, args.wordings, args.items, args.data), args.batch or best_batch(args, weights)
    ours, theirs = engine("bfloat16", args.format), load_harness(weights, "bfloat16", batch)
    asked = [sequence for queries in grid.queries() for sequence in sequences(ours, queries)]
    warm = make_grid(args.grid, 1, 4, args.data)
    engine_run(ours, warm)
    rates = [forward_rates(ours.model)]
    runs: list[Run] = []
    peer: list[Outcome] = []
    peaks: dict[str, list[float]] = {"surefoot": [], "lm-eval": []}
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        Harness(warm, Path(one), args.format == "chat").run(theirs, batch)
        harness = Harness(grid, Path(two), args.format == "chat")
        for turn in range(args.repeats):
            runs.append(_with_peak(lambda: engine_run(ours, grid), peaks["surefoot"]))
            peer.append(_with_peak(lambda: harness.run(theirs, batch), peaks["lm-eval"]))
            _check_same_ids(asked, theirs.scored)
            rates.append(forward_rates(ours.model))
            print(
                f"pair {turn + 1}: surefoot {runs[-1].seconds:.2f} s, lm-eval {peer[-1].scoring:.2f} s scoring, "
                f"{peer[-1].seconds:.2f} s in all",
                flush=True,
            )
    _print(args, batch, asked, runs, peer, rates)
    for name, found in peaks.items():
        print(f"memory above what was held before, {name}: {median(found):.0f} MiB (peak of the process - start)")


def _with_peak(call: Callable[[], Result], peaks: list[float]) -> Result:
    forget_peak()
    before = held_mib()
    result = call()
    peaks.append(peak_mib() - before)
    return result


def _check_same_ids(asked: Sequence[tuple[int, ...]], scored: Sequence[tuple[int, ...]]) -> None:
    """Prompt and answer as one sequence. lm-eval counts the chat template's last line break to the answer, which adds
    the same log-probability to all options of an item."""
    if list(asked) != list(scored):
        place = next(i for i, (x, y) in enumerate(zip(asked, scored, strict=False)) if x != y)
        raise SystemExit(f"Request {place} has other token ids in lm-eval: {asked[place]} and {scored[place]}.")


def _print(
    args: argparse.Namespace,
    batch: int,
    asked: Sequence[tuple[int, ...]],
    runs: Sequence[Run],
    peer: Sequence[Outcome],
    rates: Sequence[tuple[float, float]],
) -> None:
    ours = median(run.seconds for run in runs)
    scoring, whole = median(run.scoring for run in peer), median(run.seconds for run in peer)
    distinct, computed = distinct_prefixes(list(asked)), runs[-1].computed
    full, headless = (median(rate[i] for rate in rates) for i in range(2))
    pace = computed / ours
    pairs = f"{median(p.scoring / r.seconds for p, r in zip(peer, runs, strict=True)):.2f}"
    print(
        f"\ngrid {args.grid}, {args.format}, bf16, {torch.get_num_threads()} threads, medians of {args.repeats} pairs"
    )
    print(f"surefoot              {ours:8.2f} s")
    print(f"lm-eval, scoring      {scoring:8.2f} s   {scoring / ours:.2f} x (median of the pairs' ratios {pairs})")
    print(f"lm-eval, whole call   {whole:8.2f} s   {whole / ours:.2f} x (batch size {batch})")
    busy = [median(run.cpu for run in side) for side in (runs, peer)]
    print(f"processor time        {busy[0]:8.2f} s   lm-eval, scoring: {busy[1]:.2f} s, {busy[1] / busy[0]:.2f} x")
    print(f"tokens asked for      {sum(len(s) - 1 for s in asked):8,}     (every option behind its whole prompt)")
    print(f"distinct prefixes     {distinct:8,}")
    print(f"tokens computed       {computed:8,}     {computed / distinct:.3f} x distinct")
    print(f"tokens/s, whole run   {pace:8,.0f}")
    print(f"bare forward pass     {full:8,.0f}     tokens/s with all logits; the run reaches {pace / full:.0%}")
    print(f"  without any logits  {headless:8,.0f}     tokens/s; the run reaches {pace / headless:.0%}")


def agreement(args: argparse.Namespace, weights: Path) -> None:
    """Ours beside lm-eval's choices in fp32 and bf16, and lm-eval's beside its own at another batch size."""
    grid, batch = make_grid(args.grid, args.wordings, args.items, args.data), args.batch or 16
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(grid, Path(folder), args.format == "chat")

        def peer(dtype: str, size: int, softmax: str | None = None) -> Scores:
            return harness.run(load_harness(weights, dtype, size, softmax), size).scores

        exact, exact_peer = engine_run(engine("float32", args.format), grid).scores, peer("float32", batch)
        print(f"fp32, surefoot and lm-eval: {compare(exact, exact_peer)}", flush=True)
        ours = engine_run(engine("bfloat16", args.format), grid).scores
        print(f"surefoot bf16 and fp32: {compare(ours, exact)}", flush=True)
        for softmax in (None, "float32"):
            small, large = (peer("bfloat16", size, softmax) for size in (batch, 1))
            print(f"\nlm-eval in bf16, log-softmax in {softmax or 'bfloat16 (its default)'}")
            print(f"  lm-eval and itself, batch sizes {batch} and 1: {compare(small, large)}")
            print(f"  surefoot and lm-eval, batch size {batch}: {compare(ours, small)}")
            print(f"  surefoot and lm-eval, batch size 1: {compare(ours, large)}")
            print(f"  lm-eval bf16 and fp32: {compare(small, exact_peer)}", flush=True)


def main() -> None:
    args = options()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.memory:
        for rows in (1_000, 10_000):
            print(in_new_process(rows), flush=True)
        return
    weights = unpacked(smollm2_gguf())
    if args.profile:
        model, grid = engine("bfloat16", args.format), make_grid(args.grid, args.wordings, args.items, args.data)
        engine_run(model, grid)
        for kind, share in shares(lambda: engine_run(model, grid)).items():
            print(f"{share:6.1%}  {kind}")
        return
    (agreement if args.agreement else speed)(args, weights)


if __name__ == "__main__":
    main()
