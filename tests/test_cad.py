"""Context-aware decoding against transformers' guidance, two plain forward passes, and its own closed forms."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import tiny
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.local import LocalModel
from surefoot.models.scripted import ScriptedModel
from surefoot.text.prompt import Part, Prompt
from surefoot.treatments import treat

CONTEXTS = ["The sea is red. ", "All cats are blue and some of them are green, they say. ", "", "No. "]
QUESTIONS = ["Which colour has the sea?", "Are cats blue?", "Which colour has the sea?", "Is it?"]
PROMPTS = [
    Prompt((*([Part("context", c)] if c else []), Part("input", q))) for c, q in zip(CONTEXTS, QUESTIONS, strict=True)
]
CAUSAL = [pytest.param(tiny.causal(), id="llama"), pytest.param(tiny.causal(tiny.gpt2_weights()), id="gpt2")]
MODELS = [*CAUSAL, pytest.param(tiny.causal(chat=True), id="chat"), pytest.param(tiny.t5(), id="t5")]


def logits(model: LocalModel, prompt: Prompt, written: list[int]) -> torch.Tensor:
    """One plain forward pass, float64."""
    ids = torch.tensor([model.encode([prompt])[0]])
    with torch.no_grad():
        if model.model.config.is_encoder_decoder:
            return model.model(input_ids=ids, decoder_input_ids=torch.tensor([[2, *written]])).logits[0, -1].double()
        return (
            model.model(input_ids=torch.cat([ids, torch.tensor([written], dtype=torch.long)], 1)).logits[0, -1].double()
        )


def by_hand(model: LocalModel, prompt: Prompt, alpha: float, steps: int) -> list[int]:
    """Greedy decoding of (1 + alpha) l_c - alpha l_0 from two passes a step, without any cache."""
    written: list[int] = []
    while len(written) < steps:
        combined = (1 + alpha) * logits(model, prompt, written) - alpha * logits(
            model, prompt.without("context"), written
        )
        token = int(combined.argmax())
        if token == 1:
            break
        written.append(token)
    return written


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("alpha", [0.0, 0.5, 2.0])
def test_greedy_text_is_that_of_two_plain_passes_a_step(model: LocalModel, alpha: float) -> None:
    written = treat("cad", model, alpha=alpha).generate(PROMPTS, Sampling(max_new_tokens=10))
    assert [list(w.token_ids) for w in written] == [by_hand(model, prompt, alpha, 10) for prompt in PROMPTS]
    if alpha == 0:
        assert [w.token_ids for w in written] == [
            w.token_ids for w in model.generate(PROMPTS, Sampling(max_new_tokens=10))
        ]


@pytest.mark.parametrize("model", CAUSAL)
def test_greedy_text_is_that_of_transformers_with_guidance(model: LocalModel) -> None:
    written = treat("cad", model, alpha=0.75).generate(PROMPTS, Sampling(max_new_tokens=10))
    for prompt, ours in zip(PROMPTS, written, strict=True):
        whole, bare = (torch.tensor(model.encode([p])) for p in (prompt, prompt.without("context")))
        theirs = model.model.generate(
            input_ids=whole,
            attention_mask=torch.ones_like(whole),
            negative_prompt_ids=bare,
            guidance_scale=1.75,
            max_new_tokens=10,
            do_sample=False,
        )[0, whole.shape[1] :].tolist()
        assert list(ours.token_ids) == [token for token in theirs if token != 1]


@pytest.mark.parametrize("model", MODELS)
def test_a_batch_writes_and_scores_as_its_prompts_one_by_one(model: LocalModel) -> None:
    treated = treat("cad", model, alpha=1.0)
    drawn = Sampling(max_new_tokens=8, temperature=0.8, seed=2)
    together = treated.generate(PROMPTS, drawn)
    assert [w.token_ids for w in together] == [treated.generate([p], drawn)[0].token_ids for p in PROMPTS]
    options = [["yes", "no", "nobody"]] * 4
    chosen = treated.choose(PROMPTS, options)
    for prompt, own, choice in zip(PROMPTS, options, chosen, strict=True):
        assert choice.scores == pytest.approx(treated.choose([prompt], [own])[0].scores, abs=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_a_score_is_the_chain_of_combined_distributions(model: LocalModel) -> None:
    treated, alpha = treat("cad", model, alpha=0.5), 0.5
    for prompt, score in zip(PROMPTS, treated.score([(p, "nobody") for p in PROMPTS]), strict=True):
        for k, (token, value) in enumerate(zip(score.token_ids, score.logprobs, strict=True)):
            before = list(score.token_ids[:k])
            combined = (1 + alpha) * logits(model, prompt, before) - alpha * logits(
                model, prompt.without("context"), before
            )
            assert value == pytest.approx(float(combined.log_softmax(-1)[token]), abs=1e-3)


def test_what_is_written_is_scored_as_it_was_written() -> None:
    model = tiny.causal()
    treated = treat("cad", model, alpha=0.5)
    for prompt, written in zip(PROMPTS, treated.generate(PROMPTS, Sampling(max_new_tokens=6)), strict=True):
        forced = treated.forced([prompt], [[written.token_ids]])[0].logits[0].log_softmax(-1)
        expected = [float(forced[k, token]) for k, token in enumerate(written.token_ids)]
        assert written.logprobs[: len(expected)] == pytest.approx(expected, abs=1e-3)
        plain = model.forced([prompt], [[written.token_ids]])[0].logits[0].log_softmax(-1)
        expected = [float(plain[k, token]) for k, token in enumerate(written.token_ids)]
        assert written.plain_logprobs[: len(expected)] == pytest.approx(expected, abs=1e-3)


def test_log_odds_grow_linearly_with_alpha_by_the_difference_of_mutual_information() -> None:
    model, prompt = tiny.causal(), PROMPTS[0]
    a, b = "yes", "no"

    def odds(alpha: float) -> float:
        scores = treat("cad", model, alpha=alpha).choose([prompt], [[a, b]])[0].scores
        return scores[0] - scores[1]

    with_context = model.choose([prompt], [[a, b]])[0].scores
    without = model.choose([prompt.without("context")], [[a, b]])[0].scores
    slope = (with_context[0] - without[0]) - (with_context[1] - without[1])
    assert odds(0) == pytest.approx(with_context[0] - with_context[1], abs=1e-3)
    for alpha in (0.5, 1.0, 3.0):
        assert odds(alpha) - odds(0) == pytest.approx(alpha * slope, abs=1e-2)
    assert abs(slope) > 0.1


def test_a_prompt_without_context_is_answered_as_ever_for_every_alpha() -> None:
    model = tiny.causal()
    plain = [p.without("context") for p in PROMPTS]
    for alpha in (0.5, 4.0):
        treated = treat("cad", model, alpha=alpha)
        for a, b in zip(
            treated.choose(plain, [["yes", "no"]] * 4), model.choose(plain, [["yes", "no"]] * 4), strict=True
        ):
            assert a.scores == pytest.approx(b.scores, abs=1e-3)


def test_each_prompt_may_have_a_strength_of_its_own() -> None:
    treated: Any = treat("cad", tiny.causal(), alpha=0.5)
    alphas = [0.0, 0.5, 1.0, 3.0]
    mixed = treated.at(alphas).generate(PROMPTS, Sampling(max_new_tokens=8))
    alone = [
        treat("cad", tiny.causal(), alpha=alpha).generate([prompt], Sampling(max_new_tokens=8))[0]
        for alpha, prompt in zip(alphas, PROMPTS, strict=True)
    ]
    assert [w.token_ids for w in mixed] == [w.token_ids for w in alone]
    with pytest.raises(BadInput, match="1 strengths for 4 prompts"):
        treated.at([1.0]).generate(PROMPTS)


def test_treatments_of_decoding_stack() -> None:
    """(1 + a) l_c - a l_0 with the instruction taken away from what has the passage taken away: four prompts a row."""
    model = tiny.causal()
    prompt = Prompt((Part("instruction", "Be brief. "), Part("context", "The sea is red. "), Part("input", "Sea?")))
    twice = treat("cad", treat("cad", model, alpha=0.5), alpha=1.0, without="instruction")
    weights = {(): 2 * 1.5, ("context",): -2 * 0.5, ("instruction",): -1.5, ("instruction", "context"): 0.5}
    combined = sum(w * logits(model, prompt.without(*roles), []) for roles, w in weights.items())  # type: ignore[arg-type]
    score = twice.score([(prompt, "no")])[0]
    assert isinstance(combined, torch.Tensor)
    assert score.logprobs[0] == pytest.approx(float(combined.log_softmax(-1)[score.token_ids[0]]), abs=1e-3)
    assert list(twice.generate([prompt], Sampling(max_new_tokens=1))[0].token_ids) == [int(combined.argmax())]


def test_a_floor_leaves_only_what_is_plausible_given_the_context() -> None:
    model = tiny.causal()
    prompt = PROMPTS[0]
    p = logits(model, prompt, []).softmax(-1)
    scores = treat("cad", model, alpha=5.0, floor=0.5).forced([prompt], [[[token] for token in range(270)]])[0].logits
    kept = {token for token, own in enumerate(scores) if float(own[0, token]) > -500}
    assert kept == {token for token in range(270) if p[token] >= 0.5 * p.max()}


def test_sampling_draws_from_the_combined_distribution() -> None:
    from scipy.stats import chisquare

    model, prompt = tiny.causal(), PROMPTS[0]
    combined = 1.5 * logits(model, prompt, []) - 0.5 * logits(model, prompt.without("context"), [])
    expected = torch.softmax(combined / 3, -1) * 600
    treated = treat("cad", model, alpha=0.5)
    each = [Sampling(max_new_tokens=1, temperature=3.0, seed=seed) for seed in range(600)]
    drawn = torch.tensor([g.token_ids[0] if g.token_ids else 1 for g in treated.generate([prompt] * 600, each)])
    observed, common = torch.bincount(drawn, minlength=270).double(), expected > 5
    f_obs = [*observed[common].tolist(), float(observed[~common].sum())]
    f_exp = [*expected[common].tolist(), float(expected[~common].sum())]
    assert chisquare(f_obs, f_exp, sum_check=False).pvalue > 1e-3


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"alpha": -1}, "alpha is -1"),
        ({"alpha": float("inf")}, "alpha is inf"),
        ({"without": "contxt"}, 'Did you mean "context"'),
        ({"without": ()}, "No part"),
        ({"floor": 1}, "floor is 1"),
        ({"alfa": 1}, 'Did you mean "alpha"'),
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(BadInput, match=part):
        treat("cad", tiny.causal(), **settings)


def test_a_prompt_of_which_nothing_is_left_is_refused() -> None:
    with pytest.raises(BadInput, match="Without its context, nothing is left"):
        treat("cad", tiny.causal()).generate([Prompt((Part("context", "All of it."),))])


def test_a_model_without_logits_is_refused() -> None:
    with pytest.raises(NotAvailable, match="The treatment cad needs logits"):
        treat("cad", ScriptedModel({}))


def test_the_paper_scorer_reads_greedy_steps_of_the_combined_distribution() -> None:
    model, prompt = tiny.causal(), PROMPTS[0]
    labels = model.encoder.labels(["nobody", "yes no"])
    steps = min(map(len, labels))
    greedy = by_hand(model, prompt, 0.5, steps)
    expected = [0.0, 0.0]
    for k in range(min(steps, len(greedy) + 1)):
        combined = 1.5 * logits(model, prompt, greedy[:k]) - 0.5 * logits(model, prompt.without("context"), greedy[:k])
        expected = [e + float(combined.log_softmax(-1)[label[k]]) for e, label in zip(expected, labels, strict=True)]
    scores = treat("cad", model, alpha=0.5).choose([prompt], [["nobody", "yes no"]], "paper")[0].scores
    assert scores == pytest.approx(expected, abs=1e-3)


def test_a_very_large_strength_costs_the_real_model_its_language(smollm2: Any) -> None:
    """Perplexity of what is written, under the plain model: an alpha that is ignored would not raise it."""
    facts = [("Norway", "Stavanger"), ("Japan", "Osaka")]
    prompts = [
        Prompt((Part("context", f"The capital of {land} is {town}.\n"), Part("input", f"Where is the king of {land}?")))
        for land, town in facts
    ]
    perplexity = {}
    for alpha in (0.0, 8.0):
        texts = treat("cad", smollm2, alpha=alpha).generate(prompts, Sampling(max_new_tokens=12))
        values = [value for text in texts for value in text.plain_logprobs]
        perplexity[alpha] = float(torch.tensor(values).mean().neg().exp())
    assert perplexity[0.0] < 10
    assert perplexity[8.0] > 10 * perplexity[0.0]
