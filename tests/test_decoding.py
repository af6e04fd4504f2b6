"""The decoding loop against transformers' generate, closed forms, and itself without batches and interruptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from transformers import LogitsProcessorList, NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

import tiny
from surefoot.decoding.batch import Batch
from surefoot.decoding.branch import Blend, Next, Ruled, Variants, plausible, weighted_sum
from surefoot.decoding.loop import decode, write
from surefoot.decoding.rows import Draft, Row
from surefoot.decoding.rules import FromTransformers
from surefoot.decoding.sampling import Penalties, Sampling
from surefoot.errors import BadInput
from surefoot.models.local import LocalModel
from surefoot.models.writing import GenerationInterrupted
from surefoot.text.prompt import Part, Prompt
from surefoot.treatments import treat

PROMPTS = ["Is it so?", "Is it so? Yes or no:", "Is a cat an animal", "B", "Is it so? " + "very long " * 9]
MODELS = [
    pytest.param(tiny.causal(), id="llama"),
    pytest.param(tiny.causal(tiny.gpt2_weights()), id="gpt2"),
    pytest.param(tiny.t5(), id="t5"),
]
DRAWN = Sampling(max_new_tokens=12, temperature=1.3, top_p=0.9, top_k=40, seed=5)


def texts(generations: Sequence[Any]) -> list[tuple[int, ...]]:
    return [generation.token_ids for generation in generations]


def transformers_writes(model: LocalModel, prompt: str, **settings: Any) -> list[int]:
    """What `generate` of the transformers library writes, without the end token."""
    ids = torch.tensor(model.encode([prompt]), device=model.model.device)
    out = model.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False, **settings
    )[0].tolist()
    start = 1 if model.model.config.is_encoder_decoder else ids.shape[1]
    return [token for token in out[start:] if token != 1]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sampling", [Sampling(max_new_tokens=12), DRAWN], ids=["greedy", "drawn"])
def test_a_text_that_was_begun_goes_on_as_if_nothing_had_happened(model: LocalModel, sampling: Sampling) -> None:
    whole = model.generate(PROMPTS, sampling)
    begun = model.generate(PROMPTS, [replace(sampling, max_new_tokens=n) for n in (1, 4, 4, 7, 12)])
    resumed = model.generate(PROMPTS, sampling, begun)
    assert texts(resumed) == texts(whole)
    assert [g.finish_reason for g in resumed] == [g.finish_reason for g in whole]
    for a, b in zip(resumed, whole, strict=True):
        assert a.text == b.text
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-3)
        assert a.sampled_logprobs == pytest.approx(b.sampled_logprobs, abs=1e-3)


def test_an_interruption_keeps_what_was_written_and_the_rest_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.causal()
    whole = model.generate(PROMPTS, DRAWN)
    calls = 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        return original(*arguments)

    original = type(model._branch([[1]], [[]])).next
    monkeypatch.setattr("surefoot.models.branches.CausalBranch.next", interrupted)
    with pytest.raises(GenerationInterrupted, match="tokens written") as caught:
        model.generate(PROMPTS, DRAWN)
    written = caught.value.written
    assert [g.token_ids for g in written] == [g.token_ids[:6] for g in whole]
    assert {g.finish_reason for g in written} == {"interrupted"}
    monkeypatch.undo()
    assert texts(model.generate(PROMPTS, DRAWN, written)) == texts(whole)


@pytest.mark.parametrize("model", MODELS)
def test_each_row_has_settings_of_its_own(model: LocalModel) -> None:
    own = [
        Sampling(max_new_tokens=5),
        DRAWN,
        replace(DRAWN, temperature=0.6, seed=1),
        Sampling(max_new_tokens=9, penalties=Penalties(repetition=1.5)),
        replace(DRAWN, max_new_tokens=3),
    ]
    together = model.generate(PROMPTS, own)
    alone = [model.generate([prompt], sampling)[0] for prompt, sampling in zip(PROMPTS, own, strict=True)]
    assert texts(together) == texts(alone)
    assert len(set(texts(together))) == len(own)


def test_a_number_of_settings_that_fits_no_number_of_prompts_is_refused() -> None:
    with pytest.raises(BadInput, match="2 samplings for 5 prompts"):
        tiny.causal().generate(PROMPTS, [DRAWN, DRAWN])
    with pytest.raises(BadInput, match="1 texts were begun for 5 prompts"):
        tiny.causal().generate(PROMPTS, DRAWN, tiny.causal().generate(["B"]))


@pytest.mark.parametrize("model", MODELS[:2])
def test_the_repetition_penalty_is_that_of_transformers(model: LocalModel) -> None:
    sampling = Sampling(max_new_tokens=12, penalties=Penalties(repetition=1.7))
    ours = model.generate(PROMPTS, sampling)
    theirs = [transformers_writes(model, prompt, repetition_penalty=1.7) for prompt in PROMPTS]
    assert [list(t) for t in texts(ours)] == theirs
    assert texts(ours) != texts(model.generate(PROMPTS, Sampling(max_new_tokens=12)))


def branch_rows(model: LocalModel, prompts: Sequence[str] = PROMPTS) -> tuple[Any, list[Draft], list[Sampling]]:
    continuation = model.continuing(prompts, [12] * len(prompts))
    drafts = [Draft(index, ids) for index, ids in enumerate(continuation.prompts)]
    return continuation, drafts, [Sampling(max_new_tokens=12)] * len(prompts)


@pytest.mark.parametrize("model", MODELS[:2])
def test_a_logits_processor_of_transformers_fits_in_without_change(model: LocalModel) -> None:
    processors = LogitsProcessorList([NoRepeatNGramLogitsProcessor(2), RepetitionPenaltyLogitsProcessor(1.3)])
    continuation, drafts, samplings = branch_rows(model)
    branch = Ruled(continuation.open(range(len(drafts)), [[]] * len(drafts)), FromTransformers(processors), drafts)
    with torch.inference_mode():
        write(branch, drafts, samplings, model.vocabulary)
    theirs = [transformers_writes(model, prompt, logits_processor=processors) for prompt in PROMPTS]
    assert [draft.written for draft in drafts] == theirs


def test_presence_and_frequency_are_taken_off_what_was_written() -> None:
    from surefoot.decoding.picking import penalised

    rows = [Row(0, [3, 3, 3], [4, 4, 5]), Row(1, [4], [])]
    logits = torch.zeros(2, 7)
    given = logits.clone()
    changed = penalised(rows, logits, Penalties(presence=0.5, frequency=0.25))
    assert changed.tolist() == [[0, 0, 0, 0, -1.0, -0.75, 0], [0.0] * 7]
    assert torch.equal(logits, given)


def test_the_three_log_probabilities_are_those_of_model_draw_and_plain_model() -> None:
    model = tiny.causal()
    sampling = Sampling(max_new_tokens=6, temperature=0.7, top_k=2, seed=3)
    continuation, drafts, _ = branch_rows(model, PROMPTS[:2])

    def double(_: Sequence[Row], logits: torch.Tensor) -> torch.Tensor:
        return 2 * logits

    branch = Ruled(continuation.open([0, 1], [[], []]), double, drafts)
    with torch.inference_mode():
        write(branch, drafts, [sampling] * 2, model.vocabulary)
    for prompt, draft in zip(PROMPTS, drafts, strict=False):
        for k, token in enumerate(draft.written):
            ids = torch.tensor([model.encode([prompt])[0] + draft.written[:k]])
            with torch.no_grad():
                logits = model.model(input_ids=ids).logits[0, -1].double()
            top = (2 * logits / 0.7).topk(2).values
            assert draft.plain[k] == pytest.approx(float(logits.log_softmax(-1)[token]), abs=1e-3)
            assert draft.logprobs[k] == pytest.approx(float((2 * logits).log_softmax(-1)[token]), abs=1e-3)
            assert draft.sampled[k] == pytest.approx(float(2 * logits[token] / 0.7 - top.logsumexp(-1)), abs=1e-3)


def test_what_all_prompts_begin_with_is_computed_once() -> None:
    begin = "The same long beginning of all. "
    prompts = [begin + end for end in ("One", "And another one?", "Three of them")]
    model = tiny.causal()
    alone = [model.generate([prompt], DRAWN)[0] for prompt in prompts]
    model.tokens.asked = model.tokens.computed = 0
    together = model.generate(prompts, DRAWN)
    assert texts(together) == texts(alone)
    assert model.tokens.asked - model.tokens.computed >= 2 * len(begin)


def test_a_prompt_that_is_the_beginning_of_another_is_written_on_like_alone() -> None:
    model = tiny.causal()
    prompts = ["a long enough beginning", "a long enough beginning", "a long enough beginning and more"]
    alone = [model.generate([prompt])[0] for prompt in prompts]
    assert texts(model.generate(prompts)) == texts(alone)


def test_tokens_taken_back_leave_no_trace() -> None:
    model = tiny.causal()
    rows = [model.encode([prompt])[0] for prompt in PROMPTS]
    with torch.inference_mode():
        straight, winding = model._branch(rows, [[]] * 5), model._branch(rows, [[]] * 5)
        straight.first()
        winding.first()
        winding.extend(torch.arange(20, 35).view(5, 3))
        winding.forget([3, 2, 3, 3, 1])
        winding.keep(torch.tensor([0, 2, 3]))
        straight.keep(torch.tensor([0, 2, 3]))
        tokens = torch.tensor([40, 41, 42])
        assert torch.allclose(straight.next(tokens).logits, winding.next(tokens).logits, atol=1e-4)


TREATED = {
    "plain": lambda model: model,
    "cad": lambda model: treat("cad", model, alpha=1.0, without="input"),
    "cad twice": lambda model: treat("cad", treat("cad", model, alpha=0.5, without="input"), alpha=1.0, without="cue"),
}


@pytest.mark.parametrize("name", TREATED)
@pytest.mark.parametrize("weights", [tiny.llama_weights, tiny.gpt2_weights], ids=["llama", "gpt2"])
def test_rows_that_join_a_running_batch_are_written_as_alone(name: str, weights: Any) -> None:
    """One row starts, others join after some steps, some end in between: continuous batching changes no text."""
    model = TREATED[name](tiny.causal(weights()))
    prompts = [
        Prompt((Part("instruction", f"{text} Say"), Part("input", " it."), Part("cue", " Yes"))) for text in PROMPTS
    ]
    each = [replace(DRAWN, max_new_tokens=n, seed=n) for n in (12, 3, 9, 5, 7)]
    alone = [model.generate([prompt], sampling)[0].token_ids for prompt, sampling in zip(prompts, each, strict=True)]
    continuation = model.continuing(prompts, [12] * 5)
    drafts = [Draft(index, ids) for index, ids in enumerate(continuation.prompts)]

    def batch(*rows: int) -> Batch:
        branch = continuation.open(rows, [[]] * len(rows))
        return Batch(branch, [drafts[row] for row in rows], [each[row] for row in rows], model.vocabulary)

    with torch.inference_mode():
        running = batch(0, 1)
        for at in range(12):
            running.pick()
            running.advance()
            if at == 1:
                running.join(batch(2))
            if at == 4:
                running.join(batch(3, 4))
    assert [tuple(draft.written) for draft in drafts] == alone


def test_out_of_memory_halves_the_batch_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.causal()
    expected = texts(model.generate(PROMPTS, DRAWN))
    original = type(model._branch([[1]], [[]])).next

    def narrow(self: Any, tokens: torch.Tensor) -> Any:
        if len(tokens) > 2:
            raise MemoryError
        return original(self, tokens)

    monkeypatch.setattr("surefoot.models.branches.CausalBranch.next", narrow)
    assert texts(model.generate(PROMPTS, DRAWN)) == expected


class Fixed:
    """A branch with the same logits at each step."""

    def __init__(self, logits: torch.Tensor) -> None:
        self.logits = logits

    def first(self) -> Next:
        return Next(self.logits, self.logits)

    def next(self, tokens: torch.Tensor) -> Next:
        return self.first()

    def keep(self, rows: torch.Tensor) -> None:
        self.logits = self.logits[rows]

    @property
    def joins(self) -> bool:
        return True

    def join(self, other: Fixed) -> None:
        self.logits = torch.cat([self.logits, other.logits])


def test_a_blend_is_the_product_of_its_branches_to_the_power_of_their_weights() -> None:
    torch.manual_seed(0)
    parts, weights = torch.randn(3, 2, 5), torch.tensor([[1.5, 1.0], [-0.5, 2.0], [0.25, 0.0]])
    blended = Blend([Fixed(part) for part in parts], weights, weighted_sum)
    variants = Variants(Fixed(parts.reshape(6, 5)), weights, weighted_sum)
    p = parts.softmax(-1)
    expected = torch.stack([(p[:, row] ** weights[:, row, None]).prod(0) for row in range(2)])
    expected = expected / expected.sum(-1, keepdim=True)
    for branch in (blended, variants):
        assert torch.allclose(branch.first().logits.softmax(-1), expected, atol=1e-6)
        assert torch.equal(branch.first().plain, parts[0])
        branch.keep(torch.tensor([1, 1, 0]))
        assert torch.allclose(branch.next(torch.zeros(3, dtype=torch.long)).logits.softmax(-1), expected[[1, 1, 0]])


def test_plausibility_rules_out_what_is_far_below_the_best() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]]))
    kept = plausible(torch.zeros(1, 4), logits, 0.2)
    assert torch.allclose(kept.softmax(-1), torch.tensor([[1 / 3, 1 / 3, 1 / 3, 0]]), atol=1e-6)
    assert float(kept[0, 3]) == pytest.approx(float(logits[0, 3]) - 1000)
    assert plausible(torch.zeros(1, 4), logits, 0.0).tolist() == [[0.0] * 4]


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"max_new_tokens": 0}, "at least one token"),
        ({"temperature": -1}, "greedy"),
        ({"temperature": float("nan")}, "greedy"),
        ({"top_p": 0}, "top_p is 0"),
        ({"top_k": -1}, "top_k is -1"),
        ({"min_p": 1.5}, "min_p is 1.5"),
        ({"typical_p": 0}, "typical_p is 0"),
        ({"eta": 1}, "eta is 1"),
        ({"stop": ("",)}, "stop text is empty"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(BadInput, match=part):
        Sampling(**settings)


def test_penalties_out_of_range_are_refused() -> None:
    with pytest.raises(BadInput, match="repetition penalty is 0"):
        Penalties(repetition=0)
    with pytest.raises(BadInput, match="presence penalty is 3"):
        Penalties(presence=3)


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, [0.4, 0.3, 0.2, 0.1]),
        ({"temperature": 0.5}, [0.16, 0.09, 0.04, 0.01]),
        ({"top_k": 2}, [0.4, 0.3, 0, 0]),
        ({"top_p": 0.65}, [0.4, 0.3, 0, 0]),
        ({"min_p": 0.4}, [0.4, 0.3, 0.2, 0]),
        ({"typical_p": 0.4}, [0, 0.3, 0.2, 0]),  # surprisals 0.92, 1.20, 1.61, 2.30 around an entropy of 1.28 nats
        ({"eta": 0.3}, [0.4, 0.3, 0.2, 0]),  # tokens below min(eta, sqrt(eta) e^-1.28) = 0.15 go
    ],
)
def test_a_distribution_is_truncated_as_its_definition_says(settings: dict[str, Any], kept: list[float]) -> None:
    from surefoot.decoding.picking import offered

    logits = torch.log(torch.tensor([[0.4, 0.3, 0.2, 0.1]]))
    p = offered([Row(0, [0])], logits, Sampling(**{"temperature": 1.0, **settings})).softmax(-1)[0]
    expected = torch.tensor(kept) / sum(kept)
    assert torch.allclose(p, expected, atol=1e-6)


def test_drawn_texts_have_the_probabilities_of_an_enumerable_chain() -> None:
    """A Markov chain over three tokens and an end: every text of at most three tokens, its probability, its share."""
    from itertools import product

    from scipy.stats import chisquare

    from surefoot.decoding.branch import Continuation
    from surefoot.decoding.rows import Vocabulary

    chance = torch.tensor([[0.1, 0.3, 0.2, 0.4], [0.5, 0.1, 0.1, 0.3], [0.2, 0.2, 0.5, 0.1]])

    class Chain:
        def __init__(self, rows: int) -> None:
            self.rows = rows

        def first(self) -> Next:
            return self.next(torch.zeros(self.rows, dtype=torch.long))

        def next(self, tokens: torch.Tensor) -> Next:
            logits = torch.log(chance[tokens])
            return Next(logits, logits)

        @property
        def joins(self) -> bool:
            return True

        def keep(self, rows: torch.Tensor) -> None:
            self.rows = len(rows)

        def join(self, other: Chain) -> None:
            self.rows += other.rows

    count = 6000
    drafts = [Draft(index, [index]) for index in range(count)]
    continuation = Continuation(
        [[i] for i in range(count)], [1] * count, [False] * count, lambda rows, _: Chain(len(rows)), 10**6
    )
    vocabulary = Vocabulary(4, frozenset({3}), str, lambda _: [], None)
    decode(continuation, drafts, [Sampling(3, temperature=1.0)] * count, vocabulary)

    def probability(text: tuple[int, ...]) -> float:
        p, last = 1.0, 0
        for token in text:
            p, last = p * float(chance[last, token]), token
        return p * (float(chance[last, 3]) if len(text) < 3 else 1.0)

    every = [text for n in range(4) for text in product(range(3), repeat=n)]
    expected = [probability(text) for text in every]
    assert sum(expected) == pytest.approx(1)
    observed = [sum(tuple(d.written) == text for d in drafts) for text in every]
    assert chisquare(observed, [count * p for p in expected], sum_check=False).pvalue > 1e-3
