"""The whole loop with every default: a model measured on the bundled suite, aligned, measured again, compared.

    python benchmarks/loop.py                          48,000 rows; 46 minutes on one busy core in November 2026
    python benchmarks/loop.py --limit 4 --steps 5      to see that it runs: 4 items a task, 5 training steps

Prints the comparison, keeps runs and the trained prompt under `--out`, and writes `report.html` there. The same command
goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import surefoot as sf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/loop"))
    parser.add_argument("--limit", type=int, help="items of each task; all by default")
    parser.add_argument("--steps", type=int, help="training steps; the default of soft-align where none are given")
    args = parser.parse_args()
    shorter: dict[str, Any] = {} if args.steps is None else {"steps": args.steps}
    model = sf.load("smollm2")
    before = sf.probe("phrasing", model, task="demo", limit=args.limit, out=str(args.out / "before"))
    steady = sf.treat("soft-align", model, task="demo", out=str(args.out / "steady"), **shorter)
    after = sf.probe("phrasing", steady, task="demo", limit=args.limit, out=str(args.out / "after"))
    change = sf.compare(before, after)
    print(change)
    print(change.save(args.out / "report.html"))


if __name__ == "__main__":
    main()
