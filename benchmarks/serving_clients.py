"""What the benchmarks of the server share: a server in a process of its own, clients, and whose answer a text is."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import openai

OURS = [sys.executable, "-m", "surefoot.cli", "serve"]
WORDS = (
    *("river", "lamp", "garden", "train", "violin", "bridge", "market", "window"),
    *("letter", "island", "engine", "forest", "mirror", "harbour", "ladder", "candle"),
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
def server(command: Sequence[str], log: Path | None = None) -> Iterator[tuple[openai.OpenAI, int]]:
    """A server in a process of its own, once it answers: a client, and the process's number."""
    port = free_port()
    with open(log or "/dev/null", "ab") as out:
        process = subprocess.Popen([*command, "--port", str(port)], stdout=out, stderr=out)
        try:
            _wait_for(process, port)
            with openai.OpenAI(
                base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0, timeout=600
            ) as client:
                yield client, process.pid
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        if process.poll() is not None:
            break
        time.sleep(0.5)
    raise SystemExit(f"The server does not start: {process.args}")


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


def is_own(text: str, prompt: str, alone: Mapping[str, str]) -> bool:
    """Whether a text agrees with the answer to its own prompt, asked alone, at least as far as with any other's."""
    near = {other: agreement(text, expected) for other, expected in alone.items()}
    return near[prompt] == max(near.values())


def resident(pid: int) -> float:
    """MiB of memory that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024
