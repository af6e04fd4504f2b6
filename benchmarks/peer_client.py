"""lm-evaluation-harness as a client of the server: do its accuracies equal those of its own in-process run?

    python benchmarks/peer_client.py --items 25 --wordings 2

In float32, so that rounding does not hide a difference. `local-completions` scores the same items through the server,
for the model as it is and under a treatment; `local-chat-completions` lets it write.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from lm_eval import simple_evaluate  # type: ignore[import-untyped]
from lm_eval.api.instance import Instance  # type: ignore[import-untyped]
from lm_eval.models.openai_completions import (  # type: ignore[import-untyped]
    LocalChatCompletion,
    LocalCompletionsAPI,
)

from agreement import compare
from grid import make_grid
from harness import Harness, _scores, load_harness
from serving_clients import OURS, server
from surefoot.decoding.sampling import Sampling
from surefoot.models.load import load
from surefoot.models.weights import smollm2_gguf, unpacked

TREATED = "smollm2+system-prompt"


def through_server(port_url: str, model: str, weights: Path, harness: Harness, chat: bool) -> tuple[Any, float]:
    """Scores by wording and item, and the seconds of the whole call."""
    client = LocalCompletionsAPI(
        base_url=f"{port_url}completions",
        model=model,
        pretrained=model,
        tokenizer=str(weights),
        tokenizer_backend="huggingface",
        num_concurrent=8,
        batch_size=16,
        max_length=2048,
    )
    began = time.perf_counter()
    found = simple_evaluate(
        client, tasks=harness.names, task_manager=harness.manager, apply_chat_template=chat, bootstrap_iters=0
    )
    return [_scores(found["samples"][name]) for name in harness.names], time.perf_counter() - began


def accuracy(grid: Any, scores: Any) -> list[float]:
    """Share of right choices of each wording."""
    return [
        sum(max(range(len(s)), key=s.__getitem__) == q.gold for s, q in zip(own, queries, strict=True)) / len(own)
        for own, queries in zip(scores, grid.queries(), strict=True)
    ]


def texts(url: str, prompts: list[str], tokens: int) -> list[str]:
    """What the harness gets of the chat endpoint."""
    client = LocalChatCompletion(
        base_url=f"{url}chat/completions", model="smollm2", pretrained="smollm2", num_concurrent=4
    )
    settings = {"until": [], "max_gen_toks": tokens, "temperature": 0}
    asked = [
        Instance("generate_until", {}, (client.apply_chat_template([{"role": "user", "content": p}]), settings), k)
        for k, p in enumerate(prompts)
    ]
    return list(client.generate_until(asked))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=25)
    parser.add_argument("--wordings", type=int, default=2)
    parser.add_argument("--dtype", default="float32")
    args = parser.parse_args()
    weights, grid = unpacked(smollm2_gguf()), make_grid("b", args.wordings, args.items)
    treatment = "system-prompt:text=Answer with one of the options."
    command = [*OURS, "--model", "smollm2", "--dtype", args.dtype, "--offer", treatment]
    with tempfile.TemporaryDirectory() as folder, server(command) as (client, _):
        harness, url = Harness(grid, Path(folder), chat=False), str(client.base_url)
        own = harness.run(load_harness(weights, args.dtype, 16), 16)
        print(f"lm-eval in process         {accuracy(grid, own.scores)}  {own.seconds:.1f} s")
        served, seconds = through_server(url, "smollm2", weights, harness, chat=False)
        print(f"through the server         {accuracy(grid, served)}  {seconds:.1f} s  {compare(own.scores, served)}")
        treated, seconds = through_server(url, TREATED, weights, harness, chat=False)
        print(f"through it, treated        {accuracy(grid, treated)}  {seconds:.1f} s  {compare(own.scores, treated)}")
        prompts = [query.prompt.text for query in grid.queries()[0][:6]]
        expected = load("smollm2", dtype=args.dtype).generate(prompts, Sampling(max_new_tokens=16))
        got = texts(url, prompts, 16)
        same = sum(a == b.text for a, b in zip(got, expected, strict=True))
        print(f"chat: {same} of {len(prompts)} texts are those of the model in process")


if __name__ == "__main__":
    main()
