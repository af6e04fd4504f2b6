"""Prompts that go forward together, a step each: as one comes to its end, another one begins."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

from surefoot.errors import BadInput
from surefoot.models.base import Generation
from surefoot.text.prompt import Prompt

if TYPE_CHECKING:
    from surefoot.decoding.sampling import Sampling

TOGETHER = 32  # prompts; more make a step of the model little cheaper a prompt, and all they read is kept
NOTHING = Generation("", (), (), "interrupted")


class Going(Protocol):
    """A prompt on its way."""

    @property
    def done(self) -> bool: ...


Way = TypeVar("Way", bound=Going)
Texts = Generator[tuple[int, Generation], None, None]
"""The texts of prompts as each comes to its end, with its place among them."""
Write = Callable[[Sequence[Prompt], Sequence["Sampling"], Sequence[Generation]], Texts]
"""Writes texts behind prompts, each on from what was begun of it; interrupted, it gives what there is of the others."""


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


def all_texts(
    write: Write, prompts: Sequence[Prompt], samplings: Sequence[Sampling], begun: Sequence[Generation] | None
) -> list[Generation]:
    """What `write` gives for all prompts; finished texts of an earlier call are taken as they are.

    A text that was interrupted is gone on with; one that was cut is written anew, which ends in the same text.
    """
    from surefoot.models.writing import GenerationInterrupted

    done = list(begun) if begun is not None else [NOTHING] * len(prompts)
    if len(done) != len(prompts):
        raise BadInput(f"{len(done)} texts were begun for {len(prompts)} prompts; give one for each, in their order.")
    waiting = [place for place, text in enumerate(done) if text.finish_reason != "stop"]
    for place in waiting:
        if done[place].finish_reason != "interrupted":
            done[place] = NOTHING
    own = [done[i] for i in waiting]
    try:
        with closing(write([prompts[i] for i in waiting], [samplings[i] for i in waiting], own)) as texts:
            for at, text in texts:
                done[waiting[at]] = text
    except KeyboardInterrupt as interrupt:
        raise GenerationInterrupted(done) from interrupt
    return done
