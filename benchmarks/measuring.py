"""Small measures: the bare forward pass, peak memory, and where the time of a run goes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any

import torch

KINDS = {
    "matrix products": ("mm", "linear", "matmul", "bmm", "mkldnn"),
    "attention": ("scaled_dot_product", "flash_attention", "softmax"),
    "log-softmax of read positions": ("logsumexp",),
    "copies, gathers and casts": ("copy", "index", "cat", "_to_copy", "contiguous", "clone", "gather", "masked_fill"),
}


def forward_rates(model: Any, rows: int = 8, width: int = 128, repeats: int = 7) -> tuple[float, float]:
    """Tokens/s (median) of a plain pass over random ids: with logits of every position, and without any."""
    ids = torch.randint(100, 40000, (rows, width), generator=torch.Generator().manual_seed(0))

    def rate(call: Callable[..., Any]) -> float:
        with torch.inference_mode():
            call(input_ids=ids, use_cache=False)
            return rows * width / median(seconds(lambda: call(input_ids=ids, use_cache=False)) for _ in range(repeats))

    return rate(model), rate(model.get_decoder())


def seconds(call: Callable[[], Any]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def forget_peak() -> None:
    """Set this process's peak memory to what it holds now (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_mib() -> float:
    """Peak resident memory of this process since `forget_peak`."""
    return _status("VmHWM")


def held_mib() -> float:
    """Resident memory of this process now."""
    return _status("VmRSS")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def shares(call: Callable[[], Any]) -> dict[str, float]:
    """Share of a call's wall-clock time by kind of work, from torch's profiler; what no operator counts is Python.

    The profiler itself costs time, which is counted as Python: read that share as an upper bound.
    """
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        total = seconds(call)
    spent: dict[str, float] = defaultdict(float)
    for event in recorded.key_averages():
        if event.key.startswith("aten::"):
            spent[_kind(event.key)] += event.self_cpu_time_total / 1e6
    spent["Python: text, plan, masks, the library's own"] = max(0.0, total - sum(spent.values()))
    return {kind: part / total for kind, part in sorted(spent.items(), key=itemgetter(1), reverse=True)}


def _kind(operator: str) -> str:
    name = operator.removeprefix("aten::")
    return next((kind for kind, words in KINDS.items() if any(word in name for word in words)), "other operators")
