"""From the engine's thread to a request's coroutine, and what becomes of work that nobody waits for any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from surefoot.serve.jobs import Job, Piece, Weighing


class Mail:
    """Pieces on their way from the engine's thread to the request's coroutine."""

    def __init__(self, count: int) -> None:
        self.loop = asyncio.get_running_loop()
        self.queue: asyncio.Queue[tuple[int, Piece]] = asyncio.Queue()
        self.open = count

    def slot(self, index: int) -> Any:
        def tell(piece: Piece) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for it any more
                self.loop.call_soon_threadsafe(self.queue.put_nowait, (index, piece))

        return tell


@dataclass
class Open:
    """Work under way, and when it must be finished."""

    mail: Mail
    jobs: Sequence[Job | Weighing]
    until: float

    def cancel(self) -> None:
        for job in self.jobs:
            job.cancelled = True

    async def pieces(self, watching: asyncio.Task[None] | None) -> AsyncIterator[tuple[int, Piece]]:
        """Pieces of all texts as they come, until each has ended."""
        left = len(self.jobs)
        while left:
            got = asyncio.ensure_future(self.mail.queue.get())
            waiting = {got} if watching is None else {got, watching}
            seconds = max(0.0, self.until - asyncio.get_running_loop().time())
            try:
                done, _ = await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            finally:
                got.cancel()  # does nothing to what is done; where the client was cut off, nobody waits for it any more
            if got not in done:
                gone_away = watching is not None and watching in done
                raise HTTPException(499 if gone_away else 504, "The request took too long; ask for fewer tokens.")
            index, piece = got.result()
            if piece.error:
                raise HTTPException(piece.status, piece.error)
            left -= bool(piece.finish_reason)
            yield index, piece


async def gone(request: Request) -> None:
    """Returns when the client has gone away."""
    while not await request.is_disconnected():
        await asyncio.sleep(0.25)
