"""Texts that join others on their way are the texts that each would be alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

import surefoot as sf
import tiny
from marking import key_of
from surefoot.decoding import flow
from surefoot.decoding.sampling import Sampling
from surefoot.errors import NotAvailable
from surefoot.models.base import Generation
from surefoot.models.branches import CausalBranch
from surefoot.models.stream import Stream
from surefoot.text.prompt import Prompt

NOTHING = Generation("", (), (), "interrupted")
COUNT = 30
RNG = random.Random(3)
PROMPTS = [Prompt.of("Say " + "very much and " * RNG.randrange(4) + f"{n}.") for n in range(COUNT)]
SAMPLINGS = [
    Sampling(max_new_tokens=RNG.randrange(1, 14), temperature=(n % 3) * 0.8, seed=n % 4, stop=("a",) * (n % 5 == 0))
    for n in range(COUNT)
]


def never(_: Sequence[int]) -> bool:
    return False


def streamed(
    model: Any, order: Sequence[int], at_once: int, ended: Callable[[Sequence[int]], bool] = never
) -> dict[int, Generation]:
    """All texts, `at_once` on their way or waiting at a time; one that ends is followed by the next in the order."""
    stream: Stream[int] = Stream(model)
    waiting = list(order)
    found: dict[int, Generation] = {}

    def put(count: int) -> None:
        for key in waiting[:count]:
            stream.put(key, PROMPTS[key], SAMPLINGS[key], NOTHING, ended)
        del waiting[:count]

    put(at_once)
    while made := stream.take():
        assert not found.keys() & dict(made).keys()
        found.update(made)
        put(len(made))
    return found


def alone(model: sf.LanguageModel) -> dict[int, Generation]:
    return {k: model.generate([PROMPTS[k]], SAMPLINGS[k])[0] for k in range(COUNT)}


def same(found: dict[int, Generation], expected: dict[int, Generation]) -> None:
    assert found.keys() == expected.keys()
    for key, text in expected.items():
        own = found[key]
        assert (own.text, own.token_ids, own.finish_reason) == (text.text, text.token_ids, text.finish_reason)
        assert (own.prompt_tokens, own.truncated) == (text.prompt_tokens, text.truncated)
        for one, other in zip(
            (own.logprobs, own.sampled_logprobs, own.plain_logprobs),
            (text.logprobs, text.sampled_logprobs, text.plain_logprobs),
            strict=True,
        ):
            assert one == pytest.approx(other, abs=1e-3)


@pytest.mark.parametrize("at_once", [1, 3, 9, 100])
def test_texts_are_those_that_are_written_alone(at_once: int) -> None:
    model = tiny.causal()
    order = random.Random(at_once).sample(range(COUNT), COUNT)
    same(streamed(model, order, at_once), alone(model))


@pytest.mark.parametrize(("name", "settings"), [("cad", {}), ("watermark", {"key": key_of(delta=2.5)})])
def test_treated_models_texts_too(name: str, settings: dict[str, Any]) -> None:
    model = sf.treat(name, tiny.causal(), **settings)
    same(streamed(model, range(COUNT), 9), alone(model))


@pytest.mark.parametrize("kind", [tiny.t5, lambda: tiny.causal(tiny.gpt2_weights())])
def test_models_whose_rows_cannot_join_wait_for_each_other(kind: Callable[[], Any]) -> None:
    model = kind()
    same(streamed(model, range(COUNT), 9), alone(model))


def test_others_join_while_some_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many steps as the tokens of all, divided by places, need at least; waiting for batches would take more."""
    model = tiny.causal()
    steps: list[int] = []
    real = CausalBranch.next

    def counted(branch: CausalBranch, tokens: torch.Tensor) -> Any:
        steps.append(len(tokens))
        return real(branch, tokens)

    monkeypatch.setattr(CausalBranch, "next", counted)
    monkeypatch.setattr(flow, "JOINING", 1)
    found = streamed(model, range(COUNT), 5)
    joined, total = len(steps), sum(steps)
    longest = max(len(text.token_ids) for text in found.values())
    assert max(steps) == 5
    assert total / 5 <= joined <= total / 5 + longest + 1
    steps.clear()
    for start in range(0, COUNT, 5):
        streamed(model, range(start, start + 5), 5)
    assert joined < len(steps) - 10


def test_a_text_ends_where_its_own_rule_says() -> None:
    model = tiny.causal()
    cut = streamed(model, range(COUNT), 7, lambda ids: sum(ids) % 3 == 0)
    for key, text in alone(model).items():
        first = next((n for n in range(1, len(text.token_ids) + 1) if sum(text.token_ids[:n]) % 3 == 0), None)
        ids = text.token_ids[:first]
        assert cut[key].token_ids == ids
        if len(ids) < len(text.token_ids):
            assert cut[key].finish_reason == "length"


def test_what_was_begun_is_gone_on_with_to_the_same_end() -> None:
    model = tiny.causal()
    whole = alone(model)
    stream: Stream[int] = Stream(model)
    for key, text in whole.items():
        n = len(text.token_ids) // 2
        begun = Generation("", text.token_ids[:n], text.logprobs[:n], "interrupted", text.prompt_tokens)
        values = (text.sampled_logprobs[:n], text.plain_logprobs[:n])
        begun = Generation("", begun.token_ids, begun.logprobs, "interrupted", text.prompt_tokens, False, *values)
        stream.put(key, PROMPTS[key], SAMPLINGS[key], begun, never)
    found: dict[int, Generation] = {}
    while made := stream.take():
        found.update(made)
    same(found, whole)


@pytest.mark.parametrize("most", [1, 2, 5])
@pytest.mark.parametrize("at", ["first", "next"])
def test_where_memory_runs_out_fewer_go_on_together(most: int, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.causal()
    expected = alone(model)
    real = getattr(CausalBranch, at)

    def tight(branch: CausalBranch, *tokens: torch.Tensor) -> Any:
        if len(branch.mask) > most:
            raise MemoryError
        return real(branch, *tokens)

    monkeypatch.setattr(CausalBranch, at, tight)
    same(streamed(model, range(COUNT), 12), expected)


def test_what_has_no_room_alone_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(CausalBranch, "next", none)
    with pytest.raises(MemoryError):
        streamed(tiny.causal(), range(4), 4)


def test_batches_stay_within_what_the_model_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.causal(batch_tokens=50)
    cells: list[int] = []
    real = CausalBranch.next

    def counted(branch: CausalBranch, tokens: torch.Tensor) -> Any:
        cells.append(len(tokens) * (1 + int(branch.mask.sum(1).max())))
        return real(branch, tokens)

    monkeypatch.setattr(CausalBranch, "next", counted)
    found = streamed(model, range(COUNT), 20)
    bound = model.continuing(PROMPTS[:1], [1]).batch_tokens
    assert max(cells) <= bound
    monkeypatch.undo()
    same(found, alone(tiny.causal()))


@pytest.mark.parametrize("cells", [1, 12])
def test_texts_of_which_only_one_has_room_go_one_by_one(cells: int) -> None:
    same(streamed(tiny.causal(batch_tokens=cells), range(COUNT), 20), alone(tiny.causal()))


def test_the_count_of_tokens_asked_is_that_of_plain_writing() -> None:
    one, other = tiny.causal(), tiny.causal()
    streamed(one, range(COUNT), 9)
    other.generate(PROMPTS, SAMPLINGS)
    assert one.tokens.asked == other.tokens.asked


def test_a_model_that_joins_no_rows_says_so_to_nobody() -> None:
    branch = tiny.t5().continuing(PROMPTS[:1], [2]).open([0], [[]])
    with pytest.raises(NotAvailable):
        branch.join(branch)
