"""One probe in process and through `surefoot serve` on loopback, in turns, and the ratio of their times.

    python benchmarks/serving_probe.py --items 10 --turns 3

Both have the same items and wordings, and their scores are compared. Beside the time on the clock stands that of the
processors (client and server together), which neighbours on the machine disturb less.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import surefoot as sf
from serving_clients import OURS, server
from surefoot.endpoints import EndpointSettings
from surefoot.tasks.loading import load_tasks


class Took(NamedTuple):
    """Seconds on the clock and of the processors."""

    wall: float
    cpu: float


def processor_seconds(pid: int) -> float:
    """Of a process, all its threads."""
    after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after[11]) + int(after[12])) / os.sysconf("SC_CLK_TCK")


def timed(model: Any, task: Any, pid: int | None) -> tuple[list[list[float]], Took]:
    """The scores of a probe's rows, and what it took here and in the server."""
    wall, cpu, other = time.perf_counter(), time.process_time(), processor_seconds(pid) if pid else 0.0
    rows = sf.probe("phrasing", model, task).rows.to_pylist()
    spent = time.process_time() - cpu + (processor_seconds(pid) - other if pid else 0.0)
    return [row["option_scores"] for row in rows], Took(time.perf_counter() - wall, spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="demo/facts")
    parser.add_argument("--items", type=int, default=10)
    parser.add_argument("--wordings", type=int, help="only the first so many")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args()
    (task,) = load_tasks(args.task, limit=args.items)
    task = dataclasses.replace(task, wordings=task.wordings[: args.wordings])
    local = sf.load("smollm2", dtype=args.dtype)
    here: list[Took] = []
    there: list[Took] = []
    with server([*OURS, "--model", "smollm2", "--dtype", args.dtype]) as (client, pid):
        sf.probe("phrasing", local, dataclasses.replace(task, wordings=task.wordings[:1]))
        for turn in range(args.turns):
            settings = EndpointSettings(tokenizer="smollm2")  # a new model each time: it keeps its answers
            behind = sf.load(str(client.base_url), model="smollm2", endpoint=settings)
            own, took = timed(local, task, None)
            here.append(took)
            other, took = timed(behind, task, pid)
            there.append(took)
            furthest = max(abs(a - b) for x, y in zip(own, other, strict=True) for a, b in zip(x, y, strict=True))
            print(
                f"turn {turn + 1}: {len(own)} rows, in process {here[-1].wall:.1f} s, over loopback "
                f"{there[-1].wall:.1f} s; scores differ by {furthest:.5f} at most",
                flush=True,
            )
    for name in ("wall", "cpu"):
        one, two = (median(getattr(took, name) for took in all_) for all_ in (here, there))
        print(f"{name:<5} in process {one:6.1f} s   over loopback {two:6.1f} s   ratio {two / one:.2f}")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
