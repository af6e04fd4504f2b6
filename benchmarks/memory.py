"""Peak memory of `surefoot.probe` on a random model of two narrow layers: what grows with the items, and what does not.

`python benchmarks/memory.py ROWS` measures one size in this process; `scoring.py --memory` starts one for each size.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import forget_peak, held_mib, peak_mib

if TYPE_CHECKING:
    from surefoot.models.causal import CausalModel

WORDINGS = 10


class Nowhere:
    """A sink that forgets: what is left is the engine's own memory."""

    def done(self) -> frozenset[Any]:
        return frozenset()

    def append(self, rows: Sequence[dict[str, Any]]) -> None:
        pass


def measure(rows: int) -> tuple[float, float]:
    """Mebibytes that the peak lies above the start: of asking `rows` cells, and of the whole probe into a folder."""
    import surefoot
    from surefoot.probes.filling import Filling, fill
    from surefoot.tasks.bank import default_wordings
    from surefoot.tasks.task import Example, Task

    names = [f"thing {i} of {rows // WORDINGS}" for i in range(rows // WORDINGS)]
    options = ("It floats on water.", "It sinks in water.", "It burns in air.", "It melts in the sun.")
    examples = tuple(Example(str(i), {"input": f"What does {n} do?"}, options, gold=i % 4) for i, n in enumerate(names))
    task = Task("things", "multiple_choice", examples, default_wordings("multiple_choice")[:WORDINGS])
    model = _tiny()
    surefoot.probe("phrasing", model, task, limit=20)  # what every run loads and allocates once
    asking = _growth(lambda: fill(model, [task], Nowhere(), Filling(recheck=0)))
    with tempfile.TemporaryDirectory() as folder:
        return asking, _growth(lambda: surefoot.probe("phrasing", model, task, out=f"{folder}/run"))


def _growth(call: Callable[[], object]) -> float:
    forget_peak()
    before = held_mib()
    call()
    return peak_mib() - before


def _tiny() -> CausalModel:
    """SmolLM2's tokenizer over a random Llama."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from surefoot.models.base import ModelCard
    from surefoot.models.causal import CausalModel
    from surefoot.models.weights import smollm2_gguf, unpacked
    from surefoot.text.formats import PromptEncoder, format_for

    tokenizer = AutoTokenizer.from_pretrained(unpacked(smollm2_gguf()))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    encoder = PromptEncoder(tokenizer, format_for(tokenizer))
    return CausalModel(LlamaForCausalLM(config), encoder, ModelCard("tiny", "0"))


def in_new_process(rows: int) -> str:
    """One printed line for one size, measured in a process of its own."""
    command = [sys.executable, str(Path(__file__)), str(rows)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip().splitlines()[-1]


if __name__ == "__main__":
    size = int(sys.argv[1])
    asked, probed = measure(size)
    print(f"{size:>7,} rows: asking {asked:+.0f} MiB, the whole probe {probed:+.0f} MiB more on top")
