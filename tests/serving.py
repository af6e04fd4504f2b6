"""A server over a tiny model on loopback, in a thread of the test's process."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

import tiny
from surefoot.cli.options import treated_by
from surefoot.serve.app import build_app
from surefoot.serve.catalogue import Catalogue, Offer
from surefoot.serve.desk import Limits
from surefoot.serve.engine import Engine
from surefoot.serve.run import plain_twin

OFFERS = ("cad:alpha=1.0", "system-prompt:text=Be brief.")


def catalogue(model: Any = None, always: tuple[str, ...] = (), offers: tuple[str, ...] = OFFERS) -> Catalogue:
    chat = model or tiny.causal(chat=True)
    named = [Offer(text.partition(":")[0], treated_by(text)) for text in offers]
    return Catalogue("tiny", chat, plain_twin(chat), [treated_by(text) for text in always], named)


@contextmanager
def serving(
    models: Catalogue | None = None, *, rows: int = 8, queue: int = 64, limits: Limits | None = None, keys: Any = ()
) -> Iterator[tuple[str, Engine]]:
    """The address of a running server, and its engine."""
    engine = Engine(rows, queue)
    app = build_app(models or catalogue(), engine, limits, keys)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1", engine
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
