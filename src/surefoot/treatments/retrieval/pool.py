"""Prompts that go forward together, a step each: as one comes to its end, another one begins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Protocol, TypeVar

from surefoot.models.base import Generation

TOGETHER = 32  # prompts; more make a step of the model little cheaper a prompt, and all they read is kept
NOTHING = Generation("", (), (), "interrupted")


class Going(Protocol):
    """A prompt on its way."""

    @property
    def done(self) -> bool: ...


Way = TypeVar("Way", bound=Going)


def pooled(
    ways: Iterable[Way],
    begin: Callable[[Sequence[Way]], None],
    step: Callable[[Sequence[Way]], None],
    together: int = TOGETHER,
) -> Iterator[Way]:
    """All of `ways` as they come to their ends, at most `together` on their way at a time, which go a step together."""
    asked: list[Way] = []

    def answered() -> Sequence[Way]:
        going = asked.copy()
        asked.clear()
        step(going)
        return going

    return flowing(ways, begin, asked.append, answered, together)


def flowing(
    ways: Iterable[Way],
    begin: Callable[[Sequence[Way]], None],
    ask: Callable[[Way], None],
    answered: Callable[[], Sequence[Way]],
    together: int = TOGETHER,
) -> Iterator[Way]:
    """The same where none waits for another's step: `ask` begins the next step of one, `answered` waits until some of
    those that were asked have gone theirs, and gives these."""
    waiting = iter(ways)
    ready: list[Way] = []
    count = 0
    while True:
        fresh = list(islice(waiting, together - count))
        begin(fresh)
        ready += fresh
        count += len(fresh)
        if not count:
            return
        ended = [one for one in ready if one.done]
        for one in ready:
            if not one.done:
                ask(one)
        ready = []
        if not ended:
            gone = answered()
            ended = [one for one in gone if one.done]
            ready = [one for one in gone if not one.done]
        count -= len(ended)
        yield from ended
