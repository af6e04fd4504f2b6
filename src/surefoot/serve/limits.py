"""Bodies of bounded size: a client that sends more is refused before it is read whole.

Closing a connection on which a client still sends throws away the answer too: the client sees a reset in its place. So
the answer goes out first, and what still comes is read and dropped, up to a bound in bytes and in seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

DROPPED_BYTES, DROPPED_SECONDS = 2**26, 10.0


class Bounded:
    """ASGI middleware that answers 413 to a body of more than `limit` bytes, announced or not."""

    def __init__(self, app: Any, limit: int) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self.limit:
            await self._refuse(receive, send)
            return
        chunks, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
            if size > self.limit:
                await self._refuse(receive if more else None, send)
                return
            chunks.append(message.get("body", b""))
        body, given = b"".join(chunks), False

        async def replay() -> Any:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, replay, send)

    async def _refuse(self, receive: Any, send: Any) -> None:
        """Answers, and drops what `receive` still gives; None where all has come."""
        sentence = f"The request is larger than {self.limit} bytes; send less at once."
        body = json.dumps({"error": {"message": sentence, "type": "invalid_request_error"}}).encode()
        length = str(len(body)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        if receive is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_drop(receive), DROPPED_SECONDS)
        await send({"type": "http.response.body", "body": b""})


async def _drop(receive: Any) -> None:
    """Reads what a client still sends, until it has sent all, has gone, or has sent too much."""
    size = 0
    while size <= DROPPED_BYTES:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
        size += len(message.get("body", b""))
