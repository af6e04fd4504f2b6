"""Speculative decoding: the target's distribution, whatever the draft model proposes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

import tiny
from markov import MarkovModel, chance, shares
from surefoot.decoding.picking import offered
from surefoot.decoding.rows import Row
from surefoot.decoding.sampling import Penalties, Sampling
from surefoot.models.local import LocalModel
from surefoot.treatments import treat

PROMPTS = ["Is it so?", "Is it so? Yes or no:", "Is a cat an animal", "B", "Is it so? " + "very long " * 9]
WARPED = Sampling(max_new_tokens=3, temperature=1.4, top_p=0.9)
TARGET = tiny.causal(tiny.llama_weights(3))


def near(weights: Any, amount: float) -> Any:
    """Weights a little off: a draft model that is right most of the time."""
    import copy

    moved, random = copy.deepcopy(weights), torch.Generator().manual_seed(5)
    for parameter in moved.parameters():
        parameter.data += amount * parameter.data.std() * torch.randn(parameter.shape, generator=random)
    return moved


CLOSE = tiny.causal(near(tiny.llama_weights(3), 0.03))
DRAFTS = {"itself": TARGET, "close": CLOSE, "another": tiny.causal(tiny.gpt2_weights())}


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("tokens", [1, 2, 5])
def test_greedy_text_is_the_targets_token_by_token(draft: str, tokens: int) -> None:
    treated: Any = treat("speculative", TARGET, draft=DRAFTS[draft], tokens=tokens)
    sampling = Sampling(max_new_tokens=14, penalties=Penalties(repetition=1.2, frequency=0.3))
    found, plain = treated.generate(PROMPTS, sampling), TARGET.generate(PROMPTS, sampling)
    for a, b in zip(found, plain, strict=True):
        assert (a.token_ids, a.finish_reason, a.text) == (b.token_ids, b.finish_reason, b.text)
        assert a.logprobs == pytest.approx(b.logprobs, abs=2e-3)
        assert a.sampled_logprobs == pytest.approx(b.sampled_logprobs, abs=2e-3)
        assert a.plain_logprobs == pytest.approx(b.plain_logprobs, abs=2e-3)
    low, high = {"itself": (1.0, 1.0), "close": (0.2, 0.98), "another": (0.0, 0.3)}[draft]
    assert low <= treated.tally.share <= high
    if draft == "itself" and tokens == 5:
        assert treated.tally.passes == 3


@pytest.mark.parametrize("sampling", [replace(WARPED, top_p=1.0, temperature=1.0), WARPED], ids=["pure", "warped"])
def test_drawn_texts_have_the_targets_distribution_and_proposals_are_kept_as_often_as_distributions_overlap(
    sampling: Sampling,
) -> None:
    target, draft = MarkovModel(chance(3, 1)), MarkovModel(chance(3, 2), "draft")

    def warped(model: MarkovModel) -> torch.Tensor:
        rows = [Row(0, [token]) for token in range(3)]
        return offered(rows, model.logits([0, 1, 2]), sampling).double().softmax(-1)

    p, q = warped(target), warped(draft)
    closed, count = MarkovModel(p), 2000
    treated: Any = treat("speculative", target, draft=draft, tokens=2)
    each = [replace(sampling, seed=seed) for seed in range(count)]
    found = [text.token_ids for text in treated.generate(["a"] * count, each)]
    assert shares(found, {text: closed.probability("a", text, 3) for text in closed.texts(3)}) > 1e-3
    overlap, here, expected, judged = torch.minimum(p, q).sum(-1), torch.tensor([1.0, 0, 0]).double(), 0.0, 0.0
    for _ in range(3):
        expected, judged = expected + float(here @ overlap), judged + float(here.sum())
        here = here @ p[:, :3]
    share = expected / judged
    deviation = (share * (1 - share) / (judged * count)) ** 0.5
    assert treated.tally.judged == pytest.approx(judged * count, rel=0.03)
    assert abs(treated.tally.share - share) < 4 * deviation


@pytest.mark.parametrize("tokens", [1, 2, 5])
def test_a_pass_of_the_target_brings_as_many_tokens_as_the_break_even_says(tokens: int) -> None:
    """(1 - a^k) / (1 - a) with a = sum min(p, q): chains whose next token does not depend on the last, never ending."""
    p, q = torch.tensor([[0.6, 0.3, 0.1, 0.0]]).double(), torch.tensor([[0.2, 0.4, 0.4, 0.0]]).double()
    target, draft = MarkovModel(p.expand(3, 4)), MarkovModel(q.expand(3, 4), "draft")
    treated: Any = treat("speculative", target, draft=draft, tokens=tokens)
    treated.generate(["a"], Sampling(max_new_tokens=1000, temperature=1.0))
    a = float(torch.minimum(p, q).sum())
    assert a == pytest.approx(0.6)
    assert treated.tally.share == pytest.approx(a, abs=0.06)
    assert 1000 / max(1, treated.tally.passes) == pytest.approx((1 - a**tokens) / (1 - a), rel=0.08)


@pytest.mark.parametrize("draft", ["close", "another"])
def test_neither_proposals_nor_batch_nor_a_stop_in_between_change_a_drawn_text(draft: str) -> None:
    own = [
        Sampling(max_new_tokens=12, temperature=1.1, top_p=0.9, seed=4),
        Sampling(max_new_tokens=9),
        Sampling(max_new_tokens=12, temperature=0.7, top_k=5, penalties=Penalties(presence=0.5)),
        Sampling(max_new_tokens=4, temperature=1.5),
        Sampling(max_new_tokens=12, temperature=1.0, min_p=0.05, seed=9),
    ]
    models = [treat("speculative", TARGET, draft=DRAFTS[draft], tokens=tokens) for tokens in (1, 3, 6)]
    found = [[text.token_ids for text in model.generate(PROMPTS, own)] for model in models]
    assert found[0] == found[1] == found[2]
    alone = [models[1].generate([prompt], sampling)[0].token_ids for prompt, sampling in zip(PROMPTS, own, strict=True)]
    assert alone == found[0]
    begun = models[1].generate(
        PROMPTS, [replace(s, max_new_tokens=n) for s, n in zip(own, (5, 2, 1, 3, 7), strict=True)]
    )
    assert [text.token_ids for text in models[2].generate(PROMPTS, own, begun)] == found[0]


def test_a_stop_text_ends_a_row_within_a_round() -> None:
    plain = TARGET.generate(PROMPTS, Sampling(max_new_tokens=12))
    stop = next(text.text[3:5] for text in plain if len(text.text) > 8)
    sampling = Sampling(max_new_tokens=12, stop=(stop,))
    found = treat("speculative", TARGET, draft=CLOSE).generate(PROMPTS, sampling)
    expected = TARGET.generate(PROMPTS, sampling)
    assert [(t.token_ids, t.text, t.finish_reason) for t in found] == [
        (t.token_ids, t.text, t.finish_reason) for t in expected
    ]
    assert "stop" in {text.finish_reason for text in found}


def test_proposals_never_leave_the_context() -> None:
    weights = tiny.gpt2_weights()
    target = tiny.causal(weights)
    prompt = "x" * (256 - 6)
    sampling = Sampling(max_new_tokens=5)
    found = treat("speculative", target, draft=tiny.causal(weights)).generate([prompt, "B"], sampling)
    assert [t.token_ids for t in found] == [t.token_ids for t in target.generate([prompt, "B"], sampling)]


def windowed() -> LocalModel:
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=270, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=8, bos_token_id=0, eos_token_id=1, pad_token_id=2,
    )  # fmt: skip
    return tiny.causal(MistralForCausalLM(config).eval())


@pytest.mark.parametrize("kind", ["encoder-decoder", "window", "changed below"])
def test_a_model_that_cannot_take_tokens_back_writes_as_ever(kind: str) -> None:
    model: Any = {"encoder-decoder": tiny.t5, "window": windowed, "changed below": lambda: treat("dola", TARGET)}[
        kind
    ]()
    treated: Any = treat("speculative", model, draft=CLOSE)
    sampling = Sampling(max_new_tokens=8, temperature=0.9)
    assert treated.generate(PROMPTS, sampling) == model.generate(PROMPTS, sampling)
    assert treated.tally.judged == 0
    assert treated.tally.share != treated.tally.share
