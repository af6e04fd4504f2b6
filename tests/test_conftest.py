"""The guards that all other tests rely on."""

from __future__ import annotations

import random
import socket

import pytest


def test_a_connection_to_another_machine_is_refused() -> None:
    with socket.socket() as sock:
        sock.settimeout(0.1)
        for connect in (sock.connect, sock.connect_ex):
            with pytest.raises(OSError, match=r"Tests are offline.*192\.0\.2\.1"):
                connect(("192.0.2.1", 80))
    with pytest.raises(OSError, match=r"Tests are offline.*example\.org"):
        socket.create_connection(("example.org", 80), timeout=0.1)


def test_a_connection_to_this_machine_is_let_through() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.sendall(b"x")
        connection, _ = server.accept()
        with connection:
            assert connection.recv(1) == b"x"


@pytest.mark.parametrize("_", range(2))
def test_every_test_starts_from_the_same_seed(_: int) -> None:
    assert random.random() == random.Random(0).random()
