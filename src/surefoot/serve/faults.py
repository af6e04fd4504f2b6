"""Errors inside the server: one line in its log, and a number by which the client's answer and that line are matched.

Neither has the error's own message, which may hold what a client has sent.
"""

from __future__ import annotations

import json
import logging
import traceback
from hashlib import blake2b
from pathlib import Path
from typing import Any

LOG = logging.getLogger("surefoot.serve")


def reported(error: BaseException) -> str:
    """Logs the type of the error and where it was raised. Returns the sentence for the client.

    The number depends on both alone, so that an error that comes again has the same one.
    """
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "nowhere"
    kind = type(error).__name__
    number = blake2b(f"{kind} {place}".encode(), digest_size=4).hexdigest()
    LOG.error("error %s: %s at %s", number, kind, place)
    return f"The server could not finish this request (error {number}; its log says more)."


class Guarded:
    """ASGI middleware that answers 500 where a route fails, and logs what failed without its text."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        begun = False

        async def sending(message: Any) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:
            sentence = reported(error)
            if scope["type"] == "http" and not begun:
                await _answer(send, sentence)


async def _answer(send: Any, sentence: str) -> None:
    body = json.dumps({"error": {"message": sentence, "type": "server_error", "param": None, "code": None}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": body})
