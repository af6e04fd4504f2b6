"""Scores and texts of local models against hand-written chains of log-softmax and transformers' own generate."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import tiny
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import Choice, ranked
from surefoot.models.local import LocalModel
from surefoot.models.tree_attention import Unsupported

PROMPTS = ["Is it so?", "Is it so? Yes or no:", "Is a cat an animal", "B", "Is it so? " + "very long " * 9, "Is it so?"]
OPTIONS = [["yes", "no"], ["yes", "no", "nobody"], ["a b c", "a b d"], ["x"], ["yes", "yes it is"], ["no", "yes"]]
CAUSAL = {"llama": tiny.llama_weights, "gpt2": tiny.gpt2_weights}


def tensor(model: LocalModel, ids: list[list[int]]) -> torch.Tensor:
    return torch.tensor(ids, device=model.model.device)


def chain(model: LocalModel, prompt: list[int], answer: list[int]) -> list[float]:
    """log p of each answer token by one unbatched forward pass and a log-softmax, as in a textbook."""
    values = []
    for k, token in enumerate(answer):
        ids = tensor(model, [prompt + answer[:k]])
        with torch.no_grad():
            if model.model.config.is_encoder_decoder:
                decoder = tensor(model, [[model.model.config.decoder_start_token_id, *answer[:k]]])
                logits = model.model(input_ids=tensor(model, [prompt]), decoder_input_ids=decoder).logits[0, -1]
            else:
                logits = model.model(input_ids=ids).logits[0, -1]
        values.append(float(torch.log_softmax(logits.double(), -1)[token]))
    return values


def models() -> list[Any]:
    built = [pytest.param(tiny.causal(make()), id=name) for name, make in CAUSAL.items()]
    return [*built, pytest.param(tiny.causal(chat=True), id="llama-chat"), pytest.param(tiny.t5(), id="t5")]


@pytest.mark.parametrize("model", models())
def test_scores_equal_a_handwritten_chain_of_log_softmax(model: LocalModel) -> None:
    pairs = [(prompt, option) for prompt, options in zip(PROMPTS, OPTIONS, strict=True) for option in options]
    for (prompt, option), score in zip(pairs, model.score(pairs), strict=True):
        expected = chain(model, model.encode([prompt])[0], list(score.token_ids))
        assert score.logprobs == pytest.approx(expected, abs=1e-4, rel=1e-4), (prompt, option)


@pytest.mark.parametrize("model", models())
def test_a_batch_scores_as_its_items_one_by_one(model: LocalModel) -> None:
    together = model.choose(PROMPTS, OPTIONS)
    for prompt, options, choice in zip(PROMPTS, OPTIONS, together, strict=True):
        alone = model.choose([prompt], [options])[0]
        assert choice.scores == pytest.approx(alone.scores, abs=1e-4, rel=1e-4)
        assert choice.index == alone.index


@pytest.mark.parametrize("make", CAUSAL.values(), ids=CAUSAL)
@pytest.mark.parametrize("chat", [False, True])
def test_prefix_sharing_changes_no_score(make: Any, chat: bool) -> None:
    shared = tiny.causal(make(), chat=chat)
    plain = tiny.causal(make(), chat=chat, prefix_sharing=False)
    assert shared.shares_prefixes
    assert not plain.shares_prefixes
    for a, b in zip(shared.choose(PROMPTS, OPTIONS), plain.choose(PROMPTS, OPTIONS), strict=True):
        assert a.scores == pytest.approx(b.scores, abs=1e-4, rel=1e-4)
    assert shared.tokens.computed < plain.tokens.computed
    assert shared.tokens.asked == plain.tokens.asked == plain.tokens.computed


def test_small_blocks_and_packs_change_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tiny.causal().choose(PROMPTS, OPTIONS)
    monkeypatch.setattr("surefoot.models.causal.BLOCK_TOKENS", 3)
    model = tiny.causal(batch_tokens=1)
    for a, b in zip(model.choose(PROMPTS, OPTIONS), expected, strict=True):
        assert a.scores == pytest.approx(b.scores, abs=1e-4, rel=1e-4)


def test_a_complete_one_token_label_space_sums_to_one() -> None:
    model = tiny.causal()
    ids = model.encode(["Is it so?"])
    every = [[[token] for token in range(270)]]
    assert sum(math.exp(lp[0]) for lp in model._logprobs(ids, every)[0]) == pytest.approx(1, abs=1e-4, rel=1e-4)


def test_only_distinct_prefixes_are_computed() -> None:
    model = tiny.causal()
    assert model.shares_prefixes
    ids = model.encode(PROMPTS)
    distinct = {
        tuple(path[:end])
        for prompt, options in zip(ids, OPTIONS, strict=True)
        for option in options
        for path in [prompt + model.encoder.labels([" " + option])[0][:-1]]
        for end in range(1, len(path) + 1)
    }
    model.choose(PROMPTS, OPTIONS)
    assert model.tokens.computed == len(distinct)


def test_memory_running_out_halves_the_pack_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tiny.causal().choose(PROMPTS, OPTIONS)
    model = tiny.causal()
    assert model.shares_prefixes
    forward, sizes = type(model.model).forward, []

    def stingy(self: Any, *args: Any, **kwargs: Any) -> Any:
        sizes.append(kwargs["input_ids"].numel())
        if sizes[-1] == max(sizes) and sizes[-1] > 100:
            raise torch.OutOfMemoryError("out of memory")
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(type(model.model), "forward", stingy)
    monkeypatch.setattr("surefoot.models.causal.BLOCK_TOKENS", 20)
    got = model.choose(PROMPTS, OPTIONS)
    assert max(sizes) > 100, "the test must have run out of memory"
    for a, b in zip(got, expected, strict=True):
        assert a.scores == pytest.approx(b.scores, abs=1e-4, rel=1e-4)


def test_attention_that_blocks_cannot_express_falls_back_to_plain_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = tiny.causal().choose(PROMPTS, OPTIONS)
    model = tiny.causal()
    assert model.shares_prefixes

    def refuse(*_: Any) -> None:
        raise Unsupported("sliding window")

    monkeypatch.setattr("surefoot.models.tree_runner.TreeRunner.read", refuse)
    for a, b in zip(model.choose(PROMPTS, OPTIONS), expected, strict=True):
        assert a.scores == pytest.approx(b.scores, abs=1e-4, rel=1e-4)
    assert not model.shares_prefixes


@pytest.mark.parametrize("model", models())
def test_the_mean_is_the_sum_over_the_number_of_tokens_and_end_adds_the_end_token(model: LocalModel) -> None:
    total, mean, end = (
        model.choose(["Is it so?"], [["yes", "nobody"]], scorer)[0] for scorer in ("sum", "mean", "end")
    )
    scores = model.score([("Is it so?", "yes"), ("Is it so?", "nobody")])
    assert total.scores == pytest.approx([s.sum for s in scores], abs=1e-4, rel=1e-4)
    assert mean.scores == pytest.approx([s.sum / len(s.token_ids) for s in scores], abs=1e-4, rel=1e-4)
    prompt = model.encode(["Is it so?"])[0]
    expected = [sum(chain(model, prompt, [*s.token_ids, 1])) for s in scores]
    assert end.scores == pytest.approx(expected, abs=1e-4, rel=1e-4)


@pytest.mark.parametrize("model", models())
def test_the_paper_scorer_reads_the_models_own_greedy_steps(model: LocalModel) -> None:
    options = ["nobody", "yes no"]
    prompt = model.encode(["Is it so?"])[0]
    labels = [ids + [1] * model.model.config.is_encoder_decoder for ids in model.encoder.labels(options)]
    m = min(len(label) for label in labels)
    greedy = model.generate(["Is it so?"], Sampling(max_new_tokens=m))[0].token_ids
    expected = []
    for label in labels:
        steps = [chain(model, prompt, [*greedy[:k], label[k]])[-1] for k in range(min(m, len(greedy) + 1))]
        expected.append(sum(steps))
    paper = model.choose(["Is it so?"], [options], "paper")[0]
    assert paper.scores == pytest.approx(expected, abs=1e-4, rel=1e-4)
    exact = model.choose(["Is it so?"], [options], "sum")[0]
    assert abs(paper.scores[0] - exact.scores[0]) > 0.1


def test_the_paper_scorer_ties_on_labels_that_share_a_prefix_and_takes_the_first() -> None:
    model = tiny.causal()
    for options in (["ab", "abcd"], ["abcd", "ab"]):
        choice = model.choose(["Is it so?"], [options], "paper")[0]
        assert choice.scores[0] == choice.scores[1]
        assert choice.index == 0


@pytest.mark.parametrize("model", models())
def test_greedy_text_is_token_identical_to_transformers_generate(model: LocalModel) -> None:
    prompts = PROMPTS[:5]
    ours = model.generate(prompts, Sampling(max_new_tokens=12))
    for prompt, generation in zip(prompts, ours, strict=True):
        ids = tensor(model, [model.encode([prompt])[0]])
        theirs = model.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False
        )[0].tolist()
        new = theirs[1:] if model.model.config.is_encoder_decoder else theirs[ids.shape[1] :]
        assert list(generation.token_ids) == [token for token in new if token != 1]
        expected = chain(model, ids[0].tolist(), new)
        assert generation.logprobs == pytest.approx(expected, abs=1e-3)
        assert generation.finish_reason == ("stop" if 1 in new else "length")


@pytest.mark.parametrize("model", models())
def test_sampled_text_depends_on_prompt_and_seed_and_not_on_the_batch(model: LocalModel) -> None:
    sampling = Sampling(max_new_tokens=8, temperature=1.0, seed=3)
    together = model.generate(PROMPTS, sampling)
    backwards = model.generate(PROMPTS[::-1], sampling)[::-1]
    alone = [model.generate([prompt], sampling)[0] for prompt in PROMPTS]
    assert [g.token_ids for g in together] == [g.token_ids for g in backwards] == [g.token_ids for g in alone]
    other = model.generate(PROMPTS, Sampling(max_new_tokens=8, temperature=1.0, seed=4))
    assert [g.token_ids for g in together] != [g.token_ids for g in other]


def test_sampling_draws_from_the_models_distribution() -> None:
    from scipy.stats import chisquare

    model = tiny.causal()
    ids = model.encode(["Is it so?"])
    logp = torch.tensor([lp[0] for lp in model._logprobs(ids, [[[t] for t in range(270)]])[0]]).double()
    draws = [
        model.generate(["Is it so?"], Sampling(max_new_tokens=1, temperature=1.5, seed=seed))[0] for seed in range(400)
    ]
    tokens = torch.tensor([g.token_ids[0] if g.token_ids else 1 for g in draws])
    expected = torch.softmax(logp / 1.5, -1) * len(draws)
    common = expected > 5
    observed = torch.bincount(tokens, minlength=270).double()
    f_obs = [*observed[common].tolist(), float(observed[~common].sum())]
    f_exp = [*expected[common].tolist(), float(expected[~common].sum())]
    assert chisquare(f_obs, f_exp, sum_check=False).pvalue > 1e-3


def test_a_small_nucleus_leaves_the_most_probable_token() -> None:
    model = tiny.causal()
    greedy = model.generate(["Is it so?"], Sampling(max_new_tokens=5))[0]
    narrow = model.generate(["Is it so?"], Sampling(max_new_tokens=5, temperature=1.0, top_p=1e-9))[0]
    assert narrow.token_ids == greedy.token_ids


def test_a_stop_string_ends_the_text_before_it() -> None:
    model = tiny.causal()
    free = model.generate(["Is it so?"], Sampling(max_new_tokens=12))[0]
    stop = free.text[3:5]
    stopped = model.generate(["Is it so?"], Sampling(max_new_tokens=12, stop=(stop,)))[0]
    assert stopped.text == free.text[: free.text.index(stop)]
    assert stopped.finish_reason == "stop"


@pytest.mark.parametrize("model", models())
def test_hidden_states_equal_a_single_forward_pass(model: LocalModel) -> None:
    states = model.hidden_states(PROMPTS, layer=1)
    for prompt, state in zip(PROMPTS, states, strict=True):
        ids = tensor(model, [model.encode([prompt])[0]])
        with torch.no_grad():
            if model.model.config.is_encoder_decoder:
                start = tensor(model, [[model.model.config.decoder_start_token_id]])
                out = model.model(input_ids=ids, decoder_input_ids=start, output_hidden_states=True)
                expected = out.decoder_hidden_states[1][0, -1]
            else:
                expected = model.model(input_ids=ids, output_hidden_states=True).hidden_states[1][0, -1]
        assert state == pytest.approx(expected.cpu().numpy(), abs=1e-4, rel=1e-4)


def test_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match="layers 0 to 2; 7"):
        tiny.causal().hidden_states(["a"], layer=7)


def test_a_prompt_beyond_the_context_is_refused_and_counted() -> None:
    with pytest.raises(BadInput, match=r"1 of 2 prompts do not fit into the 256 tokens.*--truncate left"):
        tiny.causal().choose(["short", "x" * 300], [["a"], ["a"]])


def test_truncation_on_the_left_keeps_the_beginning_token_and_the_end_of_the_prompt() -> None:
    model = tiny.causal(truncate="left")
    long, short = model.choose(["x" * 300 + "?", "short"], [["a"], ["a"]])
    assert (long.truncated, short.truncated) == (True, False)
    assert long.prompt_tokens + 1 <= 256
    kept, _ = model._fit(model.encode(["x" * 300 + "?"]), 2)
    assert kept[0][0] == 0
    assert model.encoder.tokenizer.decode(kept[0][-2:]) == "x?"


def test_options_are_ranked_by_the_sum_or_the_mean_of_their_tokens() -> None:
    logprobs = [[-3.0], [-1.0, -1.5, -2.0]]
    assert ranked(logprobs, "sum", 7, True) == Choice(0, (-3.0, -4.5), 7, True)
    assert ranked(logprobs, "mean") == Choice(1, (-3.0, -1.5))
    assert ranked([[float("-inf")], [float("-inf")]], "sum").index is None
