"""A server that nobody here wrote: `transformers serve` on loopback, its greedy texts beside those in process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import command
import surefoot
from surefoot.decoding.sampling import Sampling


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(command.save_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def address(folder: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    line = [str(Path(sys.executable).parent / "transformers"), "serve", folder, "--device", "cpu", "--dtype", "float32"]
    with (tmp_path_factory.mktemp("log") / "log").open("wb") as out:
        offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
        server = subprocess.Popen(
            [*line, "--host", "127.0.0.1", "--port", str(port)], stdout=out, stderr=out, env=offline
        )
        try:
            while server.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            server.kill()
            server.wait()


def test_greedy_texts_are_those_in_process_and_what_it_lacks_is_found_out(address: str, folder: str) -> None:
    model = surefoot.load(address, model=folder)
    assert model.can == {"generate"}
    assert model.card.details["offers"]["chat completions"] is True
    local = surefoot.load(folder, format="chat", dtype="float32")
    prompts = [f"Is {n} odd?" for n in range(3)]
    found, expected = (one.generate(prompts, Sampling(8)) for one in (model, local))
    assert [text.text for text in found] == [text.text for text in expected]
    assert [text.prompt_tokens for text in found] == [text.prompt_tokens for text in expected]
