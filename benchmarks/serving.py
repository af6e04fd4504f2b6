"""The server under several clients, beside `transformers serve` with and without its continuous batching, in one run.

    python benchmarks/serving.py                                  tokens/s and time to the first token, 1 to 16 clients
    python benchmarks/serving.py --peers                          the same for transformers serve
    python benchmarks/serving.py --prefix                         many requests under one long system message
    python benchmarks/serving.py --minutes 10                     mixed load, clients that leave, memory

Every client asks for other things, and its answer under load is held against its answer alone: none may be lost, and
none may be another client's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import openai

WORDS = (
    *("river", "lamp", "garden", "train", "violin", "bridge", "market", "window"),
    *("letter", "island", "engine", "forest", "mirror", "harbour", "ladder", "candle"),
)
LONG = "You answer visitors of a museum. " + " ".join(
    f"Rule {k}: hall {k} is open from {k} to {k + 3}." for k in range(30)
)


class Answer(NamedTuple):
    """A text, its tokens, and the seconds to its first token and to its end."""

    text: str
    tokens: int
    first: float
    whole: float


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def server(command: Sequence[str]) -> Iterator[tuple[openai.OpenAI, int]]:
    """A server in a process of its own, once it answers."""
    port = free_port()
    process = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
                break
            time.sleep(0.5)
        with openai.OpenAI(
            base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0, timeout=600
        ) as client:
            yield client, process.pid
    finally:
        process.terminate()
        process.wait(30)


def ask(client: openai.OpenAI, model: str, prompt: str, tokens: int, system: str = "") -> Answer:
    """One greedy text, read as a stream."""
    began, first, text, count = time.perf_counter(), 0.0, "", 0
    messages: list[Any] = [{"role": "user", "content": prompt}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    stream = client.chat.completions.create(
        model=model, messages=messages, max_tokens=tokens, temperature=0, stream=True
    )
    for chunk in stream:
        if chunk.choices and chunk.choices[0].delta.content:
            first = first or time.perf_counter() - began
            text += chunk.choices[0].delta.content
            count += 1
    return Answer(text, count, first, time.perf_counter() - began)


def prompts(count: int) -> list[str]:
    return [
        f"Write a long story about a {WORDS[k % 16]} and number {100 + k}. Begin with the number." for k in range(count)
    ]


def agreement(a: str, b: str) -> int:
    """Characters that two texts begin with alike."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def loaded(client: openai.OpenAI, model: str, clients: int, rounds: int, tokens: int) -> tuple[list[Answer], float]:
    """Answers of so many clients at once, each asking `rounds` times, and the seconds it took."""
    asked = prompts(clients * rounds)

    def one(place: int) -> list[Answer]:
        return [ask(client, model, prompt, tokens) for prompt in asked[place::clients]]

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        parts = list(pool.map(one, range(clients)))
    seconds = time.perf_counter() - began
    found: dict[str, Answer] = {}
    for place, answers in enumerate(parts):
        found.update(zip(asked[place::clients], answers, strict=True))
    return [found[prompt] for prompt in asked], seconds


def table(name: str, client: openai.OpenAI, model: str, args: argparse.Namespace) -> None:
    ask(client, model, "Warm up.", 8)
    alone = [ask(client, model, prompt, args.tokens) for prompt in prompts(max(args.clients) if args.check else 0)]
    for clients in args.clients:
        rounds = max(1, args.rounds if clients < 8 else args.rounds // 2)
        answers, seconds = loaded(client, model, clients, rounds, args.tokens)
        crossed = other_texts = 0
        for k, answer in enumerate(answers[: len(alone)]):
            near = [agreement(answer.text, other.text) for other in alone]
            crossed += near[k] < max(near)
            other_texts += answer.text != alone[k].text
        lost = sum(not answer.text for answer in answers)
        first = median(answer.first for answer in answers)
        rate = sum(answer.tokens for answer in answers) / seconds
        print(
            f"{name:<28} {clients:3d} clients {rate:7.1f} tokens/s  first token {first:6.2f} s"
            f"  lost {lost} crossed {crossed} other than alone {other_texts}",
            flush=True,
        )


def prefixes(args: argparse.Namespace) -> None:
    """Requests one after the other under one long system message, with and without what was read before."""
    for mib in (0, 512):
        with server([*OURS, "--prefix-mib", str(mib)]) as (client, _):
            ask(client, "smollm2", "Warm up.", 2)
            answers = [ask(client, "smollm2", f"When is hall {k} open?", 8, LONG) for k in range(args.rounds * 4)]
            print(
                f"prefix store {mib:4d} MiB: first token after {median(a.first for a in answers[1:]):.2f} s", flush=True
            )


def mixed(args: argparse.Namespace) -> None:
    """Clients that come, ask for something of random size, and sometimes go away in the middle."""
    with server(OURS) as (client, pid):
        expected = {p: ask(client, "smollm2", p, 24).text for p in prompts(12)}
        before, until = resident(pid), time.monotonic() + 60 * args.minutes
        counts, lock = {"whole": 0, "left": 0, "wrong": 0, "error": 0}, threading.Lock()

        def one(seed: int) -> None:
            rng = random.Random(seed)
            while time.monotonic() < until:
                prompt = rng.choice(list(expected))
                try:
                    if rng.random() < 0.3:
                        stream = client.chat.completions.create(
                            model="smollm2", messages=[{"role": "user", "content": prompt}], max_tokens=200, stream=True
                        )
                        for _ in range(rng.randrange(1, 6)):
                            next(iter(stream), None)
                        stream.close()
                        kind = "left"
                    else:
                        text = ask(client, "smollm2", prompt, 24).text
                        near = {p: agreement(text, other) for p, other in expected.items()}
                        kind = "whole" if near[prompt] == max(near.values()) else "wrong"
                except openai.OpenAIError:
                    kind = "error"
                with lock:
                    counts[kind] += 1

        threads = [threading.Thread(target=one, args=(seed,)) for seed in range(12)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(min(60.0, max(1.0, until - time.monotonic())))
            print(f"{counts}  {resident(pid):.0f} MiB", flush=True)
        print(f"memory {before:.0f} -> {resident(pid):.0f} MiB, {counts}")


def resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


OURS = [sys.executable, "-m", "surefoot.cli", "serve", "--model", "smollm2"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="*", default=[1, 4, 8, 16])
    parser.add_argument("--dtype", default="auto", help="of our server; in float32 every answer must be the one alone")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("--check", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--prefix", action="store_true")
    parser.add_argument("--minutes", type=float, default=0)
    args = parser.parse_args()
    if args.minutes:
        return mixed(args)
    if args.prefix:
        return prefixes(args)
    with server([*OURS, "--dtype", args.dtype]) as (client, _):
        table(f"surefoot serve {args.dtype}", client, "smollm2", args)
    if args.peers:
        from surefoot.models.weights import smollm2_gguf, unpacked

        folder = str(unpacked(smollm2_gguf()))
        binary = str(Path(sys.executable).parent / "transformers")
        for name, flags in (("transformers serve", []), ("... continuous batching", ["--continuous-batching"])):
            command = [binary, "serve", folder, "--device", "cpu", "--dtype", "bfloat16", *flags]
            with server(command) as (client, _):
                table(name, client, folder, args)
    return None


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
