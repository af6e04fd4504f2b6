"""Contrastive decoding, DoLa and contrastive search against plain passes of the same weights."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.functional import cosine_similarity

import tiny
from markov import MarkovModel, chance, shares
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.base import ModelCard
from surefoot.models.local import LocalModel
from surefoot.models.scripted import ScriptedModel
from surefoot.models.seq2seq import Seq2SeqModel
from surefoot.text.formats import PlainFormat, PromptEncoder
from surefoot.treatments import treat

PROMPTS = ["Is it so?", "Is it so? Yes or no:", "B", "Is it so? " + "very long " * 9]
SIX = Sampling(max_new_tokens=6)
DEEP = tiny.llama_weights(5)
MODELS = [
    pytest.param(tiny.causal(DEEP), id="llama"),
    pytest.param(tiny.causal(tiny.gpt2_weights()), id="gpt2"),
    pytest.param(tiny.t5(), id="t5"),
]


def passed(model: LocalModel, prompt: str, written: list[int]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Logits of the next token and all states of all layers, from one plain pass."""
    ids = torch.tensor(model.encode([prompt]))
    with torch.no_grad():
        if model.model.config.is_encoder_decoder:
            out = model.model(input_ids=ids, decoder_input_ids=torch.tensor([[2, *written]]), output_hidden_states=True)
            return out.logits[0, -1].double(), [state[0] for state in out.decoder_hidden_states]
        ids = torch.cat([ids, torch.tensor([written], dtype=torch.long)], 1)
        out = model.model(input_ids=ids, output_hidden_states=True)
        return out.logits[0, -1].double(), [state[0] for state in out.hidden_states]


Score = Callable[[str, list[int]], torch.Tensor]


def by_hand(score: Score, prompt: str, steps: int = 6) -> list[int]:
    """Greedy by a score, without any cache."""
    written: list[int] = []
    while len(written) < steps:
        token = int(score(prompt, written).argmax())
        if token == 1:
            break
        written.append(token)
    return written


def ruled(scores: torch.Tensor, logits: torch.Tensor, floor: float) -> torch.Tensor:
    """Tokens below the floor 1000 nats below their own log-probability, the others as contrasted."""
    p = logits.softmax(-1)
    return torch.where(p < floor * p.max(), p.log() - 1000, scores.log_softmax(-1))


def check_written_and_scored(treated: Any, score: Score) -> None:
    """Greedy texts, in a batch, and the chain of `score` under teacher forcing."""
    written = treated.generate(PROMPTS, SIX)
    assert [list(w.token_ids) for w in written] == [by_hand(score, prompt) for prompt in PROMPTS]
    for prompt, text in zip(PROMPTS, written, strict=True):
        (forced,) = treated.forced([prompt], [[text.token_ids]])
        for k, token in enumerate(text.token_ids):
            expected = score(prompt, list(text.token_ids[:k])).log_softmax(-1)
            assert text.logprobs[k] == pytest.approx(float(expected[token]), abs=2e-3)
            assert torch.allclose(forced.logits[0][k].double().log_softmax(-1), expected, atol=2e-3)


def test_options_below_the_floor_are_still_ranked() -> None:
    """With a floor that leaves the best token alone, single tokens are in the order of the plain probabilities."""
    model = tiny.causal(DEEP)
    treated = treat("dola", model, layers="1", floor=0.999)
    (choice,) = treated.choose(PROMPTS[:1], [["yes", "no", "nobody"]])
    assert choice.index is not None
    every = [[token] for token in range(270)]
    plain, ruled_out = (m.forced(PROMPTS[:1], [every])[0].logits for m in (model, treated))
    order = [sorted(range(270), key=lambda t, own=own: float(own[t][0, t])) for own in (plain, ruled_out)]
    assert order[0] == order[1]


# Contrastive decoding


@pytest.mark.parametrize(
    "settings",
    [
        {"beta": 0.5, "floor": 0.1},
        {"beta": 2.0, "floor": 0.0, "temperature": 2.0},
        {"form": "difference", "floor": 0.2},
        {"form": "difference", "floor": 0.1, "temperature": 0.5},
    ],
    ids=str,
)
def test_contrastive_decoding_is_its_formula(settings: dict[str, Any]) -> None:
    expert, amateur = tiny.causal(DEEP), tiny.causal(tiny.gpt2_weights())

    def score(prompt: str, written: list[int]) -> torch.Tensor:
        e, a = passed(expert, prompt, written)[0], passed(amateur, prompt, written)[0]
        if settings.get("form") == "difference":
            made = e.log_softmax(-1) - (a / settings.get("temperature", 1.0)).log_softmax(-1)
        else:
            made = (1 + settings["beta"]) * e - settings["beta"] * a / settings.get("temperature", 1.0)
        return ruled(made, e, settings["floor"])

    treated = treat("contrastive-decoding", expert, amateur=amateur, **settings)
    check_written_and_scored(treated, score)
    plain = treated.generate(PROMPTS, SIX)[0]
    for k, token in enumerate(plain.token_ids):
        expected = passed(expert, PROMPTS[0], list(plain.token_ids[:k]))[0].log_softmax(-1)[token]
        assert plain.plain_logprobs[k] == pytest.approx(float(expected), abs=1e-3)


def test_an_amateur_that_is_the_expert_changes_nothing_in_the_weighted_form() -> None:
    model = tiny.causal()
    treated = treat("contrastive-decoding", model, amateur=tiny.causal(), beta=3.0, floor=0.0)
    for a, b in zip(
        treated.choose(PROMPTS, [["yes", "no"]] * 4), model.choose(PROMPTS, [["yes", "no"]] * 4), strict=True
    ):
        assert a.scores == pytest.approx(b.scores, abs=2e-3)


def test_texts_have_the_probabilities_of_the_contrasted_chain() -> None:
    expert, amateur = MarkovModel(chance(3, 1)), MarkovModel(chance(3, 2), "weak")
    scores = (1.5 * expert.table.log() - 0.5 * amateur.table.log()).masked_fill(
        expert.table < 0.2 * expert.table.amax(-1, keepdim=True), -torch.inf
    )
    closed = MarkovModel(scores.softmax(-1))
    treated = treat("contrastive-decoding", expert, amateur=amateur, floor=0.2)
    each = [Sampling(max_new_tokens=3, temperature=1.0, seed=seed) for seed in range(1000)]
    found = [text.token_ids for text in treated.generate(["b"] * 1000, each)]
    assert shares(found, {text: closed.probability("b", text, 3) for text in closed.texts(3)}) > 1e-3
    for text in ("ab", "cc", "ba"):
        expected = closed.score([("a", text)])[0].logprobs
        assert treated.score([("a", text)])[0].logprobs == pytest.approx(expected, abs=1e-5)


def test_an_amateur_of_another_vocabulary_is_refused_and_a_card_names_it() -> None:
    with pytest.raises(BadInput, match=r'"weak" \(4 tokens\) does not share the vocabulary of "tiny" \(270 tokens\)'):
        treat("contrastive-decoding", tiny.causal(), amateur=MarkovModel(chance(3, 2), "weak"))
    with pytest.raises(BadInput, match="amateur is 7"):
        treat("contrastive-decoding", tiny.causal(), amateur=7)
    with pytest.raises(NotAvailable, match="The setting draft needs logits"):
        treat("speculative", tiny.causal(), draft=ScriptedModel({}))
    treated = treat("contrastive-decoding", tiny.causal(), amateur=tiny.causal(tiny.gpt2_weights()))
    assert treated.card.determinants["treatment 0"][1]["amateur"]["name"] == "tiny"


# DoLa


def layer_scores(model: LocalModel, layers: list[int], floor: float, normed: bool = True) -> Score:
    """log p_N - log p_M from the states of a plain pass, the layer being chosen by the entropies of the mixture."""
    decoder = model.model.get_decoder()
    norm = next(getattr(decoder, name) for name in ("norm", "ln_f", "final_layer_norm") if hasattr(decoder, name))
    t5 = model.model.config.is_encoder_decoder and model.model.config.tie_word_embeddings

    def entropy(logp: torch.Tensor) -> torch.Tensor:
        return -(logp.exp() * logp).sum()

    def score(prompt: str, written: list[int]) -> torch.Tensor:
        logits, states = passed(model, prompt, written)
        last, found = logits.log_softmax(-1), []
        for layer in layers:
            with torch.no_grad():
                state = norm(states[layer][-1]) if normed else states[layer][-1]
                state = state * model.model.config.d_model**-0.5 if t5 else state
                early = model.model.get_output_embeddings()(state).double().log_softmax(-1)
            mean = ((early.exp() + last.exp()) / 2).log()
            found.append((float(entropy(mean) - (entropy(early) + entropy(last)) / 2), early))
        early = max(found, key=lambda pair: pair[0])[1]
        return ruled(last - early, logits, floor)

    return score


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("layers", "normed"), [("high", True), ("0,1", True), ("1", True), ("0,1", False)])
def test_dola_is_its_formula_read_off_a_plain_pass(model: LocalModel, layers: str, normed: bool) -> None:
    depth = len(passed(model, "B", [])[1]) - 1
    chosen = list(range(depth // 2, depth, 2)) if layers == "high" else [int(part) for part in layers.split(",")]
    treated: Any = treat("dola", model, layers=layers, floor=0.05, normed=normed)
    assert treated.layers == chosen
    check_written_and_scored(treated, layer_scores(model, chosen, 0.05, normed))


def test_a_batch_of_dola_on_an_encoder_decoder_differs_from_its_items_by_rounding_alone() -> None:
    """In float32 the tiny T5's own scores move by some 5e-4 between batches, dola's by as much; not so in float64."""
    weights = copy.deepcopy(tiny.t5_weights()).double()
    encoder = PromptEncoder(tiny.tokenizer(bos=False, eos=True), PlainFormat(), fork=False)
    for layers in ("high", "0,1"):
        treated = treat("dola", Seq2SeqModel(weights, encoder, ModelCard("exact", "0")), layers=layers, floor=0.0)
        together = treated.choose(PROMPTS, [["yes", "no"]] * 4)
        alone = [treated.choose([prompt], [["yes", "no"]])[0] for prompt in PROMPTS]
        for a, b in zip(together, alone, strict=True):
            assert a.scores == pytest.approx(b.scores, abs=2e-5)


def test_the_layer_is_chosen_anew_for_each_token_by_the_largest_divergence() -> None:
    from surefoot.treatments.decoding.dola import furthest

    last = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]).log()
    near, far = torch.tensor([0.6, 0.3, 0.1]).log(), torch.tensor([0.05, 0.05, 0.9]).log()
    chosen = furthest(last, torch.stack([near, far])[:, None].expand(2, 2, 3))
    assert torch.equal(chosen, torch.stack([far, near]))


def test_lower_layers_leave_out_a_tied_embedding() -> None:
    from surefoot.treatments.decoding.dola import LayerContrast

    assert LayerContrast("low").candidates(12, tied=True) == [2, 4]
    assert LayerContrast("low").candidates(12, tied=False) == [0, 2, 4]
    assert LayerContrast("high").candidates(12, tied=True) == [6, 8, 10]
    with pytest.raises(BadInput, match=r'layers is "12".*0 to 11'):
        LayerContrast("12").candidates(12, tied=True)
    with pytest.raises(BadInput, match='layers is "hihg"'):
        LayerContrast("hihg")


def test_dola_leaves_the_model_and_its_states_as_they_were_and_stands_on_trained_parts() -> None:
    from surefoot.training.adapters import AdapterSettings, new_adapter
    from surefoot.treatments.weights.adapted import Adapted

    model = tiny.causal(DEEP)
    before = model.generate(PROMPTS, SIX)
    treated = treat("dola", model)
    treated.generate(PROMPTS, SIX)
    assert (treated.hidden_states(PROMPTS) == model.hidden_states(PROMPTS)).all()
    assert model.generate(PROMPTS, SIX) == before
    part = Adapted(model, new_adapter(model, AdapterSettings(tokens=3), 0), "soft-align", {})
    assert treat("dola", part).generate(PROMPTS, SIX) != treated.generate(PROMPTS, SIX)


def test_a_model_whose_logits_are_not_those_of_its_head_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tiny.llama_weights(3)
    forward = type(weights).forward

    def scaled(self: Any, *inputs: Any, **named: Any) -> Any:
        out = forward(self, *inputs, **named)
        out.logits = 2 * out.logits
        return out

    treat("dola", tiny.causal(weights))
    monkeypatch.setattr(type(weights), "forward", scaled)
    with pytest.raises(NotAvailable, match="LlamaForCausalLM does not lead its layers' states"):
        treat("dola", tiny.causal(weights))
    with pytest.raises(NotAvailable, match="apply dola first"):
        treat("dola", treat("system-prompt", tiny.causal(), text="Be brief."))


# Contrastive search


def search_by_hand(model: LocalModel, prompt: str, alpha: float, k: int, steps: int = 6) -> list[int]:
    written: list[int] = []
    while len(written) < steps:
        logits, states = passed(model, prompt, written)
        best = logits.softmax(-1).topk(k)
        scores = []
        for p, token in zip(best.values, best.indices, strict=True):
            ahead = passed(model, prompt, [*written, int(token)])[1][-1][-1]
            scores.append((1 - alpha) * float(p) - alpha * float(cosine_similarity(ahead, states[-1], dim=-1).max()))
        token = int(best.indices[max(range(k), key=lambda place: scores[place])])
        if token == 1:
            break
        written.append(token)
    return written


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("alpha", "k"), [(0.6, 4), (0.2, 3)])
def test_contrastive_search_is_its_formula_without_any_cache(model: LocalModel, alpha: float, k: int) -> None:
    found = treat("contrastive-search", model, alpha=alpha, top_k=k).generate(PROMPTS, SIX)
    assert [list(text.token_ids) for text in found] == [search_by_hand(model, p, alpha, k) for p in PROMPTS]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("settings", [{"alpha": 0.0}, {"top_k": 1}], ids=str)
def test_contrastive_search_without_weight_or_choice_is_greedy(model: LocalModel, settings: dict[str, Any]) -> None:
    greedy = model.generate(PROMPTS, SIX)
    found = treat("contrastive-search", model, **settings).generate(PROMPTS, SIX)
    assert [text.token_ids for text in found] == [text.token_ids for text in greedy]
    for a, b in zip(found, greedy, strict=True):
        assert a.logprobs == pytest.approx(b.logprobs, abs=1e-3)


def test_a_search_that_was_begun_goes_on_as_if_nothing_had_happened() -> None:
    model = treat("contrastive-search", tiny.causal(DEEP))
    own = [Sampling(max_new_tokens=n) for n in (1, 4, 4, 2)]
    begun = model.generate(PROMPTS, own)
    assert [b.token_ids for b in model.generate(PROMPTS, SIX, begun)] == [
        g.token_ids for g in model.generate(PROMPTS, SIX)
    ]


def test_contrastive_search_over_a_combination_takes_the_states_of_the_whole_prompt() -> None:
    from surefoot.text.prompt import Part, Prompt

    model = tiny.causal(DEEP)
    prompts = [Prompt((Part("context", "Red. "), Part("input", "Is it?"))), Prompt((Part("input", "Is it so?"),))]
    plain = treat("contrastive-search", model).generate(prompts, SIX)
    nothing = treat("contrastive-search", treat("cad", model, alpha=0.0)).generate(prompts, SIX)
    assert [text.token_ids for text in nothing] == [text.token_ids for text in plain]
    strong = treat("contrastive-search", treat("cad", model, alpha=2.0)).generate(prompts, SIX)
    assert strong[0].token_ids != plain[0].token_ids
    assert strong[1].token_ids == plain[1].token_ids


@pytest.mark.parametrize(
    ("name", "settings", "part"),
    [
        ("contrastive-decoding", {"form": "diff"}, "difference"),
        ("contrastive-decoding", {"beta": -1}, "beta is -1"),
        ("contrastive-decoding", {"floor": 1}, "floor is 1"),
        ("contrastive-decoding", {"temperature": 0}, "amateur's temperature is 0"),
        ("dola", {"floor": 1.5}, "floor is 1.5"),
        ("contrastive-search", {"alpha": 1.5}, "alpha is 1.5"),
        ("contrastive-search", {"top_k": 0}, "top_k is 0"),
        ("speculative", {"tokens": 0}, "tokens is 0"),
    ],
)
def test_a_setting_out_of_range_is_refused(name: str, settings: dict[str, Any], part: str) -> None:
    needed = {"contrastive-decoding": {"amateur": "smollm2"}, "speculative": {"draft": "smollm2"}}.get(name, {})
    with pytest.raises(BadInput, match=part):
        treat(name, tiny.causal(), **needed, **settings)
