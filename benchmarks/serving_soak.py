"""The server under mixed load for some minutes: is an answer lost or another client's, and does its memory stay flat?

    python benchmarks/serving_soak.py --minutes 10
    python benchmarks/serving_soak.py --minutes 5 --warm 0.4 --model random --dtype float32

Clients come one after the other and do what `--seed` draws for them: ask for a text at once or as a stream, weigh a
text, leave in mid-stream, are killed (their socket is reset, in the request or in the answer), send 10 MB, or send what
is malformed. Whole answers are held against the answer to the same prompt alone; in float32 they must be equal.

Memory is sampled every second. After the warm-up the samples are averaged over equal stretches of time, as samples
beside each other are not independent, and a line through the averages gives the slope with its 95 % interval.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import struct
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import openai

from serving_clients import OURS, ask, is_own, prompts, resident, server
from surefoot.stats.regression import fit_line

STRETCHES = 12
TOKENS = 24
MALFORMED: tuple[tuple[bytes, int], ...] = (
    (b"{not json", 400),
    (b"\xff\xfe\x00", 400),
    (b'{"model": "served", "messages": [{"role": "user", "content": "x"}], "n": 1000}', 400),
    (json.dumps({"model": "served", "messages": [], "stop": ["x"] * 10_000}).encode(), 400),
    (b'{"model": "another", "messages": [{"role": "user", "content": "x"}]}', 404),
    (b"[" * 100_000, 400),
)


@dataclass
class Load:
    """What clients do, and what became of it. `alone` has the answer to each prompt, asked alone."""

    url: str
    alone: Mapping[str, str]
    weights: Mapping[str, list[float]]
    exact: bool
    counts: Counter[str] = field(default_factory=Counter)

    def whole(self, rng: random.Random) -> str:
        """A text at once or as a stream."""
        prompt = rng.choice(list(self.alone))
        with self._client() as client:
            if rng.random() < 0.5:
                text = ask(client, "served", prompt, TOKENS).text
            else:
                turns: Any = [{"role": "user", "content": prompt}]
                answer = client.chat.completions.create(
                    model="served", messages=turns, max_tokens=TOKENS, temperature=0
                )
                text = answer.choices[0].message.content or ""
        right = text == self.alone[prompt] if self.exact else is_own(text, prompt, self.alone)
        return "whole" if right else "wrong text"

    def weighed(self, rng: random.Random) -> str:
        """The probabilities of a given text."""
        prompt = rng.choice(list(self.weights))
        with self._client() as client:
            found = weights_of(client, prompt)
        near = np.abs(np.subtract(found, self.weights[prompt])).max() if len(found) == len(self.weights[prompt]) else 9
        return "weighed" if near < (0.001 if self.exact else 0.5) else "wrong weights"

    def leaves(self, rng: random.Random) -> str:
        """Closes its stream after a few tokens."""
        with self._client() as client:
            turns: Any = [{"role": "user", "content": rng.choice(list(self.alone))}]
            stream = client.chat.completions.create(model="served", messages=turns, max_tokens=150, stream=True)
            for _ in range(rng.randrange(1, 6)):
                next(iter(stream), None)
            stream.close()
        return "left"

    def killed(self, rng: random.Random) -> str:
        """Its connection is reset, as when its process is killed: in the request, while it waits, or in the answer."""
        parts = urlsplit(self.url)
        body = {"model": "served", "messages": [{"role": "user", "content": rng.choice(list(self.alone))}]}
        data = json.dumps({**body, "max_tokens": 150, "stream": rng.random() < 0.5}).encode()
        head = f"POST {parts.path}/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        sent = f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data
        with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(sent[: rng.choice((len(sent) // 2, len(sent), len(sent)))])
            time.sleep(rng.random())
        return "killed"

    def oversized(self, _: random.Random) -> str:
        answer = httpx.post(f"{self.url}/completions", content=bytes(10_000_000), timeout=120)
        return "refused" if answer.status_code == 413 else f"status {answer.status_code} to 10 MB"

    def malformed(self, rng: random.Random) -> str:
        content, expected = rng.choice(MALFORMED)
        kind = {"Content-Type": "application/json"}
        answer = httpx.post(f"{self.url}/chat/completions", content=content, headers=kind, timeout=120)
        return "refused" if answer.status_code == expected else f"status {answer.status_code} to {content[:20]!r}"

    def run(self, seed: int, until: float) -> None:
        """One client after the other, until the time is over."""
        rng = random.Random(seed)
        kinds: tuple[Callable[[random.Random], str], ...] = (self.whole, self.weighed, self.leaves, self.killed)
        while time.monotonic() < until:
            (do,) = rng.choices((*kinds, self.oversized, self.malformed), (45, 15, 15, 15, 3, 7))
            try:
                outcome = do(rng)
            except (openai.OpenAIError, httpx.HTTPError, OSError) as error:
                outcome = f"{do.__name__}: {type(error).__name__}"
            self.counts[outcome] += 1

    def _client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=self.url, api_key="none", max_retries=0, timeout=300)


def weights_of(client: openai.OpenAI, prompt: str) -> list[float]:
    answer = client.completions.create(model="served", prompt=prompt, echo=True, logprobs=0, max_tokens=0)
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    return [value for value in logprobs.token_logprobs or () if value is not None]


def random_model(folder: Path) -> Path:
    """SmolLM2's tokenizer over 6 layers of width 192 with random weights: load without the computing."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from surefoot.models.weights import smollm2_gguf, unpacked

    own = {
        "num_hidden_layers": 6,
        "hidden_size": 192,
        "intermediate_size": 384,
        "num_attention_heads": 3,
        "head_dim": 64,
    }
    source = str(unpacked(smollm2_gguf()))
    torch.manual_seed(0)
    config = AutoConfig.from_pretrained(source, **own, num_key_value_heads=3, layer_types=None)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return folder


def slope(samples: list[tuple[float, float]], warm: float) -> dict[str, float]:
    """MiB a minute after `warm` seconds, with a 95 % interval; samples are (seconds, MiB)."""
    x, y = (np.array(column) for column in zip(*(one for one in samples if one[0] >= warm), strict=True))
    parts = [part for part in np.array_split(np.arange(x.size), STRETCHES) if part.size]
    line = fit_line(np.array([x[p].mean() for p in parts]) / 60, np.array([y[p].mean() for p in parts]))
    assert line is not None, "too few samples: give more minutes"
    return {"slope": line.slope.value, "low": line.slope.low, "high": line.slope.high, "from": y[0], "to": y[-1]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--warm", type=float, default=0.3, help="share of the time that is warm-up")
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument(
        "--model", default="smollm2", help="what surefoot serve takes, or random: small, random weights"
    )
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--prefix-mib", type=int, default=64, help="small, so that it is full within the warm-up")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="a JSON file for the samples and counts")
    args = parser.parse_args()
    scratch = tempfile.TemporaryDirectory()
    model = str(random_model(Path(scratch.name))) if args.model == "random" else args.model
    own = ["--model", model, "--name", "served", "--dtype", args.dtype, "--prefix-mib", str(args.prefix_mib)]
    with server([*OURS, *own]) as (client, pid):
        alone = {prompt: ask(client, "served", prompt, TOKENS).text for prompt in prompts(24)}
        weights = {prompt: weights_of(client, prompt) for prompt in prompts(24)}
        load = Load(str(client.base_url).rstrip("/"), alone, weights, args.dtype == "float32")
        began = time.monotonic()
        until = began + 60 * args.minutes
        threads = [threading.Thread(target=load.run, args=(args.seed + k, until)) for k in range(args.clients)]
        for thread in threads:
            thread.start()
        samples = []
        while any(thread.is_alive() for thread in threads):
            samples.append((time.monotonic() - began, resident(pid)))
            if len(samples) % 60 == 0:
                print(f"{samples[-1][0]:5.0f} s  {samples[-1][1]:6.0f} MiB  {dict(load.counts)}", flush=True)
            time.sleep(1)
        found = slope(samples, 60 * args.minutes * args.warm)
        after = {prompt: ask(client, "served", prompt, TOKENS).text for prompt in alone}
    print(f"{dict(load.counts)}; afterwards {sum(after[p] == alone[p] for p in alone)} of {len(alone)} texts as before")
    grown = f"memory after the warm-up {found['from']:.0f} -> {found['to']:.0f} MiB, slope {found['slope']:+.2f}"
    print(f"{grown} MiB a minute (95 % interval {found['low']:+.2f} to {found['high']:+.2f})")
    if args.out:
        told = {"minutes": args.minutes, "model": args.model, "dtype": args.dtype, "counts": dict(load.counts)}
        args.out.write_text(json.dumps({**told, "memory": found, "samples": samples}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
