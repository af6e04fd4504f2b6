"""FLARE where the truth is planted: its signal, its queries, and what both are worth together.

    python benchmarks/flare_truth.py

Prints the figures of docs/flare.md, from the worlds and models that tests/test_flare_truth.py holds them to.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def main() -> None:
    """Print three lists: AUC of the least probability, recall by kind of query, facts right and searches."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
    truth: Any = import_module("test_flare_truth")
    learned = truth.half_known()
    print(f"AUC, known against unknown facts: {truth.separation(learned):.2f}")
    print(f"AUC, all facts shuffled: {truth.separation(truth.shuffled()):.2f}")
    ways: dict[str, dict[str, Any]] = {
        "the draft": {"theta": 1.0, "query": "raw"},
        "the last sentence": {"mode": "previous-sentence"},
        "the question": {"mode": "single"},
    }
    for name, settings in ways.items():
        print(f"needed documents found by {name}: {100 * truth.recall(**settings):.0f} %")
    runs: dict[str, dict[str, Any]] = {
        "none": {"mode": "none"},
        "single": {"mode": "single"},
        "always": {"theta": 1.0, "initial": "none"},
        "theta 0.8": {"theta": 0.8, "initial": "none"},
    }
    for name, settings in runs.items():
        right, searches = truth.outcome(learned, **settings)
        print(f"{name}: {right} of {2 * truth.SUBJECTS} facts right, {searches} searches")


if __name__ == "__main__":
    main()
