"""Prompts that go forward together: who takes part in which step, and what an interruption leaves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import Generation
from surefoot.models.writing import GenerationInterrupted
from surefoot.text.prompt import Prompt
from surefoot.treatments.retrieval.pool import NOTHING, flowing, pooled
from surefoot.treatments.retrieval.together import Texts, all_texts


@dataclass(eq=False)
class Way:
    """Takes `left` more steps."""

    name: str
    left: int

    @property
    def done(self) -> bool:
        return self.left == 0


def test_as_one_ends_another_begins_and_no_step_has_more_than_fit() -> None:
    begun: list[list[str]] = []
    steps: list[list[str]] = []

    def step(ways: Sequence[Way]) -> None:
        steps.append([way.name for way in ways])
        for way in ways:
            way.left -= 1

    ways = [Way("a", 1), Way("b", 3), Way("c", 0), Way("d", 2), Way("e", 1)]
    ended = [way.name for way in pooled(ways, lambda new: begun.append([way.name for way in new]), step, together=2)]
    assert steps == [["a", "b"], ["b", "d"], ["b", "d"], ["e"]]
    assert [names for names in begun if names] == [["a", "b"], ["c"], ["d"], ["e"]]
    assert ended == ["a", "c", "b", "d", "e"]


@given(st.lists(st.integers(0, 4), max_size=20), st.integers(1, 6), st.randoms(use_true_random=False))
def test_each_goes_its_own_steps_whichever_are_answered_first(lengths: list[int], together: int, rng: Random) -> None:
    ways = [Way(str(n), left) for n, left in enumerate(lengths)]
    asked: list[Way] = []
    steps: list[str] = []
    begun: list[str] = []

    def ask(way: Way) -> None:
        assert way not in asked
        assert way.left
        asked.append(way)
        assert len(asked) <= together

    def answered() -> list[Way]:
        gone = rng.sample(asked, rng.randrange(1, len(asked) + 1))
        for way in gone:
            asked.remove(way)
            way.left -= 1
            steps.append(way.name)
        return gone

    ended = [way.name for way in flowing(ways, lambda new: begun.extend(w.name for w in new), ask, answered, together)]
    assert sorted(ended, key=int) == begun == [str(n) for n in range(len(lengths))]
    assert Counter(steps) == Counter({str(n): left for n, left in enumerate(lengths) if left})
    assert asked == []


def test_nothing_is_stepped_where_nothing_waits() -> None:
    assert list(pooled([], lambda _: None, lambda _: pytest.fail("stepped"))) == []


PROMPTS = [Prompt.of(text) for text in "abcd"]
SAMPLINGS = [Sampling(max_new_tokens=n) for n in (1, 2, 3, 4)]


def written(prompt: Prompt, sampling: Sampling, begun: Generation = NOTHING) -> Generation:
    return Generation(f"{begun.text}{prompt.text}{sampling.max_new_tokens}", (), (), "stop")


def backwards(prompts: Sequence[Prompt], samplings: Sequence[Sampling], begun: Sequence[Generation]) -> Texts:
    """The last prompt ends first."""
    for place in reversed(range(len(prompts))):
        yield place, written(prompts[place], samplings[place], begun[place])


def test_texts_stand_at_their_prompts_and_finished_ones_are_not_written_again() -> None:
    assert [text.text for text in all_texts(backwards, PROMPTS, SAMPLINGS, None)] == ["a1", "b2", "c3", "d4"]
    begun = [NOTHING, Generation("kept", (), (), "stop"), Generation("cut", (), (), "length"), NOTHING]
    assert [text.text for text in all_texts(backwards, PROMPTS, SAMPLINGS, begun)] == ["a1", "kept", "c3", "d4"]


def test_an_interruption_keeps_what_had_ended_and_closes_what_wrote() -> None:
    closed = []

    def stopped(prompts: Sequence[Prompt], samplings: Sequence[Sampling], begun: Sequence[Generation]) -> Texts:
        try:
            for place, text in backwards(prompts, samplings, begun):
                if place == 0:
                    yield place, Generation("half-", (), (), "interrupted")
                    raise KeyboardInterrupt
                yield place, text
        finally:
            closed.append(True)

    begun = [Generation("kept", (), (), "stop"), NOTHING, NOTHING, NOTHING]
    with pytest.raises(GenerationInterrupted) as caught:
        all_texts(stopped, PROMPTS, SAMPLINGS, begun)
    assert [text.text for text in caught.value.written] == ["kept", "half-", "c3", "d4"]
    assert closed == [True]
    again = all_texts(backwards, PROMPTS, SAMPLINGS, caught.value.written)
    assert [text.text for text in again] == ["kept", "half-b2", "c3", "d4"]


def test_texts_of_other_prompts_are_refused() -> None:
    with pytest.raises(BadInput, match="3 texts were begun for 4 prompts"):
        all_texts(backwards, PROMPTS, SAMPLINGS, [NOTHING] * 3)
