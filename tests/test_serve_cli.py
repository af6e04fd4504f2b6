"""`surefoot serve` as a process, where it may listen, which keys it takes, and how it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest

import command
from surefoot.cli import main
from surefoot.errors import BadInput
from surefoot.serve.run import KEYS, check_host, read_keys


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_alone_may_be_served_without_a_key(host: str) -> None:
    check_host(host, ())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org", "127.0.0.1.example.org"])
def test_other_machines_are_served_with_a_key_alone(host: str) -> None:
    check_host(host, ("secret-one",))
    with pytest.raises(BadInput, match=f"{KEYS} or give --keys"):
        check_host(host, ())


def test_the_command_refuses_an_open_address_before_it_loads_a_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(KEYS, raising=False)
    monkeypatch.setattr(sys, "argv", ["surefoot", "serve", "--model", "no-such-model", "--host", "0.0.0.0"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "0.0.0.0 can be reached from other machines" in capsys.readouterr().err


def test_keys_come_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "keys"
    file.write_text("secret-one\n\n  secret-two \n")
    monkeypatch.setenv(KEYS, "secret-three, secret-four,")
    assert read_keys(None) == ("secret-three", "secret-four")
    assert read_keys(file) == ("secret-one", "secret-two")
    monkeypatch.delenv(KEYS)
    assert read_keys(None) == ()


@pytest.mark.parametrize(("text", "sentence"), [(None, "no file"), ("\n", "has no API key"), ("short", "fewer than 8")])
def test_keys_that_cannot_be_used_are_refused(text: str | None, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadInput, match=sentence):
        read_keys(file)


@contextmanager
def process(folder: Path, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The command on a tiny model, once it listens, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    line = [sys.executable, "-m", "surefoot.cli", "serve", "--model", str(command.save_model(folder)), "--name", "tiny"]
    with log.open("wb") as out:
        started = subprocess.Popen([*line, "--dtype", "float32", "--port", str(port)], stdout=out, stderr=out)
        try:
            while started.poll() is None:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield started, f"http://127.0.0.1:{port}/v1"
        finally:
            started.kill()
            started.wait()


def test_a_server_that_is_told_to_stop_ends_the_text_under_way_and_has_logged_no_prompt(tmp_path: Path) -> None:
    with (
        process(tmp_path / "model", tmp_path / "log") as (server, address),
        openai.OpenAI(base_url=address, api_key="none", max_retries=0) as client,
    ):
        turns = [{"role": "user", "content": "Is it private?"}]
        alone = client.chat.completions.create(model="tiny", messages=turns, max_tokens=60, temperature=0)  # type: ignore
        stream = client.chat.completions.create(
            model="tiny",
            messages=turns,  # type: ignore[arg-type]
            max_tokens=60,
            temperature=0,
            stream=True,
        )
        pieces = [next(iter(stream))]
        server.send_signal(signal.SIGTERM)
        pieces += stream
        assert "".join(one.choices[0].delta.content or "" for one in pieces) == alone.choices[0].message.content
        assert pieces[-1].choices[0].finish_reason == alone.choices[0].finish_reason
        assert server.wait(30) in (0, -signal.SIGTERM)
    told = (tmp_path / "log").read_text()
    assert f"Serving tiny at {address}" in told
    assert "private" not in told
    assert "Traceback" not in told
