"""IRCoT where the truth is planted: what it finds, and how many of its sentences are made up, beside OneR and NoR.

    python benchmarks/ircot_truth.py

Prints the table of docs/ircot.md, from the world and the reader of tests/test_ircot_truth.py: it copies facts from
documents and, where none states one, writes what a tiny transformer remembers that was trained on half of the facts.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def main() -> None:
    """Print a line for each way to search, and the paired tests."""
    from surefoot.stats.exact import mcnemar

    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    truth: Any = import_module("test_ircot_truth")
    print(
        "| | second document read | claims unsupported | untrue | texts with an untrue claim |\n|---|---|---|---|---|"
    )
    for way in truth.WAYS:
        bare, false, found = truth.unsupported(way), truth.untrue(way), truth.second(way)
        told = (
            f"{bare.failed} of {bare.claims}",
            f"{false.failed} of {false.claims}",
            f"{false.tainted}/{false.texts}",
        )
        print(f"| {way} | {sum(found)}/{len(found)} | {' | '.join(told)} |", flush=True)
    for other in ("oner", "random"):
        print(
            f"ircot against {other}: gained and lost {(pair := truth.gained('ircot', other))}, p = {mcnemar(*pair):.2g}"
        )


if __name__ == "__main__":
    main()
