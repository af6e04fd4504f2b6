"""A request is tried again, with exponential back-off and jitter, for a bounded time."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from surefoot.endpoints.settings import Patience
from surefoot.endpoints.transport import Failure, Unanswered

T = TypeVar("T")


def persistently(
    send: Callable[[], T],
    patience: Patience,
    stop: threading.Event,
    wait: Callable[[float], object] | None = None,
) -> T:
    """What `send` gives, tried again after a `Failure` that may pass. Raises `Unanswered` when patience is at its end.

    Waiting ends when `stop` is set. Waits are added up rather than measured, so that the bound is on what is waited.
    """
    waited, tries, alike, before = 0.0, 0, 0, ""
    draw = random.Random()  # never the seeded one: threads would wait in step
    while True:
        try:
            return send()
        except Failure as failure:
            tries += 1
            if failure.again == "never":
                raise Unanswered(f"{failure}.", failure) from None
            alike, before = 1 + alike * (str(failure) == before), str(failure)
            pause = _pause(failure, patience, tries, draw)
            if failure.status == 500 and alike >= patience.same:
                raise Unanswered(_broken(failure, alike), failure) from None
            tired = failure.again == "few" and tries >= patience.few
            if tired or stop.is_set() or waited + pause > patience.seconds:
                raise Unanswered(_given_up(failure, tries, waited), failure) from None
            (wait or stop.wait)(pause)
            waited += pause


def _pause(failure: Failure, patience: Patience, tries: int, draw: random.Random) -> float:
    own = min(patience.longest, patience.first * 2.0 ** min(tries - 1, 30)) * draw.uniform(0.5, 1.5)
    return own if failure.after is None else failure.after + draw.uniform(0, patience.first)


def _broken(failure: Failure, alike: int) -> str:
    return (
        f"{failure}, the same {alike} times: an error inside that server, which asking again does not mend. "
        "Every answer so far is kept, and the same command goes on from there."
    )


def _given_up(failure: Failure, tries: int, waited: float) -> str:
    times = "once" if tries == 1 else f"{tries} times within {waited:.0f} seconds"
    asks = f" and asks to wait {failure.after:.0f} seconds" if failure.after and failure.after > 60 else ""
    return (
        f"{failure}{asks}; it was asked {times}. Every answer so far is kept, and the same command goes on from there."
    )
