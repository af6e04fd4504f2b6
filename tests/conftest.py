"""What all tests share: no network, fixed seeds, the one real model, the published results."""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

REFERENCE = Path(__file__).resolve().parents[2] / "shared" / "data" / "zero-shot-robustness"
MARKERS = {"smollm2": "model", "reference_data": "data"}

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test after the fixtures that it uses."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in MARKERS:
                item.add_marker(MARKERS[fixture])


class NetworkBlocked(OSError):
    """A test opened a connection. An `OSError`, so that the code under test sees a machine without a network."""


def _guarded(function: Any, host_of: Any) -> Any:
    def guard(*arguments: Any, **named: Any) -> Any:
        host = host_of(*arguments)
        if host not in (None, "", "localhost", "::1") and not str(host).startswith("127."):
            raise NetworkBlocked(f"Tests are offline, and this one asked for {host}.")
        return function(*arguments, **named)

    return guard


def _peer(sock: socket.socket, address: Any, *_: Any) -> Any:
    return None if sock.family == socket.AF_UNIX else address[0]


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name), _peer))
        patch.setattr(socket, "getaddrinfo", _guarded(socket.getaddrinfo, lambda host, *_: host))
        yield


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def smollm2() -> Any:
    """SmolLM2-135M-Instruct, loaded once. Tests that use it are marked `model`."""
    import surefoot

    return surefoot.load("smollm2")


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of published results and items. Tests that use it are marked `data`."""
    if not REFERENCE.is_dir():
        pytest.skip("the reference data zero-shot-robustness is not in ../shared/data beside this checkout")
    return REFERENCE
