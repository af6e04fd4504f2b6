"""A treatment that writes the texts of a request together, and what it leaves when it is interrupted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import ClassVar, NamedTuple

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import Generation
from surefoot.models.writing import GenerationInterrupted, one_each
from surefoot.text.prompt import Prompt
from surefoot.treatments.retrieval.grounded import Grounded
from surefoot.treatments.retrieval.pool import NOTHING

Texts = Iterator[tuple[int, Generation]]
"""Texts of prompts, each with its place among them."""


class Writing(NamedTuple):
    """Texts as each comes to its end, and what there is of those that began, to be gone on with."""

    ended: Texts
    left: Callable[[], Texts]


class Together(Grounded):
    """A treatment that writes the texts of a request together, step by step, and searches between the steps."""

    decides_on_texts: ClassVar[bool] = True
    reads_again: ClassVar[bool] = True

    @abstractmethod
    def writing(self, prompts: Sequence[Prompt], samplings: Sequence[Sampling], begun: Sequence[Generation]) -> Writing:
        """Texts behind prompts, each on from what was begun of it."""

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        """Texts with their traces. Of texts that were `begun`, finished ones stay and interrupted ones go on."""
        whole = [Prompt.of(prompt) for prompt in prompts]
        return all_texts(self._written, whole, one_each(sampling, len(whole)), begun)

    def _written(
        self, prompts: Sequence[Prompt], samplings: Sequence[Sampling], begun: Sequence[Generation]
    ) -> Generator[tuple[int, Generation], None, None]:
        texts = self.writing(prompts, samplings, begun)
        with self.keeping():
            try:
                yield from texts.ended
            except KeyboardInterrupt:
                yield from texts.left()
                raise


Write = Callable[
    [Sequence[Prompt], Sequence[Sampling], Sequence[Generation]], Generator[tuple[int, Generation], None, None]
]
"""Writes texts behind prompts, each on from what was begun of it; interrupted, it gives what there is of the others."""


def all_texts(
    write: Write, prompts: Sequence[Prompt], samplings: Sequence[Sampling], begun: Sequence[Generation] | None
) -> list[Generation]:
    """What `write` gives for all prompts; finished texts of an earlier call are taken as they are.

    A text that was interrupted is gone on with; one that was cut is written anew, which ends in the same text.
    """
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
