"""lm-evaluation-harness on the same grid: tasks as YAML over local JSON Lines, scored through `simple_evaluate`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lm_eval import simple_evaluate  # type: ignore[import-untyped]
from lm_eval.models.huggingface import HFLM  # type: ignore[import-untyped]
from lm_eval.tasks import TaskManager  # type: ignore[import-untyped]

from grid import Grid

TASK = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: prompt
doc_to_target: gold
doc_to_choice: choices
metric_list: [{{metric: acc}}]
"""


class Outcome(NamedTuple):
    """Seconds of the whole call, of its `loglikelihood` alone, and of the processor there; scores by wording, item."""

    seconds: float
    scoring: float
    cpu: float
    scores: list[list[list[float]]]


class Watched(HFLM):  # type: ignore[misc]  # lm_eval is untyped
    """HFLM that remembers how long scoring took and which token ids it scored."""

    scoring = cpu = 0.0
    scored: Sequence[tuple[int, ...]] = ()

    def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> Any:
        start, cpu = time.perf_counter(), time.process_time()
        result = super().loglikelihood(requests, disable_tqdm=True)
        self.scoring, self.cpu = time.perf_counter() - start, time.process_time() - cpu
        return result

    def _loglikelihood_tokens(self, requests: Any, disable_tqdm: bool = True, override_bs: Any = None) -> Any:
        self.scored = [(*context, *answer) for _, context, answer in requests]
        return super()._loglikelihood_tokens(requests, disable_tqdm=True, override_bs=override_bs)


def load_harness(weights: Path, dtype: str, batch: int, softmax: str | None = None) -> Watched:
    """The model as a user of lm-eval loads it. `softmax` is the precision of its log-softmax; None keeps `dtype`."""
    return Watched(pretrained=str(weights), device="cpu", dtype=dtype, softmax_dtype=softmax, batch_size=batch)


class Harness:
    """A grid written down as lm-eval tasks, one a wording, and the call that scores it."""

    def __init__(self, grid: Grid, folder: Path, chat: bool) -> None:
        self.chat = chat
        self.names = [f"wording_{i:02d}" for i in range(len(grid.task.wordings))]
        os.environ["HF_DATASETS_CACHE"] = str(folder / "cache")
        for name, queries in zip(self.names, grid.queries(), strict=True):
            file = folder / f"{name}.jsonl"
            rows = [{"prompt": q.prompt.text, "choices": q.labels, "gold": q.gold} for q in queries]
            file.write_text("".join(json.dumps(row) + "\n" for row in rows))
            (folder / f"{name}.yaml").write_text(TASK.format(name=name, file=file))
        self.manager = TaskManager(include_path=str(folder), include_defaults=False)

    def run(self, model: Watched, batch: int) -> Outcome:
        """One evaluation. The bootstrap of its standard errors is left out: it is not scoring."""
        model.batch_size_per_gpu = batch
        start = time.perf_counter()
        found = simple_evaluate(
            model, tasks=self.names, task_manager=self.manager, apply_chat_template=self.chat, bootstrap_iters=0
        )
        seconds = time.perf_counter() - start
        return Outcome(seconds, model.scoring, model.cpu, [_scores(found["samples"][name]) for name in self.names])


def _scores(samples: Sequence[dict[str, Any]]) -> list[list[float]]:
    ordered = sorted(samples, key=lambda sample: sample["doc_id"])
    return [[float(pair[0]) for pair in sample["filtered_resps"]] for sample in ordered]
