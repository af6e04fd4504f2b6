"""Beam search and self-consistency against enumeration and transformers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

import tiny
from markov import MarkovModel, chance, shares
from surefoot.decoding.sampling import Penalties, Sampling
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.base import Generation, LanguageModel
from surefoot.models.local import LocalModel
from surefoot.models.scripted import ScriptedModel
from surefoot.models.writing import GenerationInterrupted
from surefoot.treatments import treat
from surefoot.treatments.decoding.self_consistency import counted, last_number, whole_text

PROMPTS = ["Is it so?", "Is it so? Yes or no:", "Is a cat an animal", "B", "Is it so? " + "very long " * 9]
LETTERED = ["a", "b", "ca", "bc"]
LLAMA = pytest.param(tiny.causal(), id="llama")
MODELS = [LLAMA, pytest.param(tiny.causal(tiny.gpt2_weights()), id="gpt2"), pytest.param(tiny.t5(), id="t5")]
SHORT = Sampling(max_new_tokens=4)


def texts(generations: Sequence[Generation]) -> list[tuple[int, ...]]:
    return [generation.token_ids for generation in generations]


def chain() -> MarkovModel:
    return MarkovModel(chance(3, seed=1, sharpness=1.5))


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0, 2.0])
def test_a_beam_that_is_wide_enough_finds_the_best_of_all_texts(penalty: float) -> None:
    model = chain()
    treated = treat("beam-search", model, beams=200, length_penalty=penalty)

    def score(prompt: str, text: tuple[int, ...]) -> float:
        return math.log(model.probability(prompt, text, 4)) / min(len(text) + 1, 4) ** penalty

    for prompt, found in zip(LETTERED, treated.generate(LETTERED, SHORT), strict=True):
        ranked = sorted(model.texts(4), key=lambda text: -score(prompt, text))
        assert found.token_ids == ranked[0]
        assert sum(found.logprobs) == pytest.approx(math.log(model.probability(prompt, ranked[0], 4)), abs=1e-5)
    hypotheses: Any = treat("beam-search", model, beams=200, length_penalty=penalty)
    (every,) = hypotheses.hypotheses(["b"], SHORT)
    assert {tuple(h.draft.written) for h in every} == set(model.texts(4))
    assert [h.score for h in every] == pytest.approx([score("b", tuple(h.draft.written)) for h in every])
    assert [h.score for h in every] == sorted((h.score for h in every), reverse=True)


def test_beam_search_finds_what_greedy_misses_and_never_what_is_better_than_the_best() -> None:
    """The chain of the textbook: the likelier first step leads to less likely texts."""
    table = torch.tensor(
        [[0.01, 0.54, 0.44, 0.01], [0.3, 0.3, 0.1, 0.3], [0.02, 0.02, 0.01, 0.95]], dtype=torch.float64
    )
    model = MarkovModel(table)
    greedy = model.generate(["a"], Sampling(max_new_tokens=2))[0]
    beam = treat("beam-search", model, beams=2, length_penalty=0.0).generate(["a"], Sampling(max_new_tokens=2))[0]
    assert greedy.token_ids[0] == 1
    assert beam.token_ids == (2,)
    assert model.probability("a", greedy.token_ids, 2) < model.probability("a", beam.token_ids, 2)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "settings",
    [
        {"beams": 4},
        {"beams": 2, "length_penalty": 2.0, "early_stopping": True},
        {"beams": 2, "length_penalty": 2.0, "early_stopping": False},
        {"beams": 2, "length_penalty": 2.0, "early_stopping": "never"},
        {"beams": 5, "length_penalty": -1.0},
    ],
    ids=str,
)
def test_texts_are_those_of_transformers_beam_search(model: LocalModel, settings: dict[str, Any]) -> None:
    """The end is made likely, so that beams end at different lengths and the three rules of ending give three texts."""
    theirs = []
    names = {"num_beams": settings["beams"], "length_penalty": settings.get("length_penalty", 1.0)}
    often = [model.generate([prompt], Sampling(max_new_tokens=6))[0].token_ids[1:2] for prompt in PROMPTS]
    ends = frozenset({1, *(token for tokens in often for token in tokens)})
    for prompt in PROMPTS:
        ids = torch.tensor(model.encode([prompt]))
        out = model.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=10,
            do_sample=False,
            eos_token_id=sorted(ends),
            early_stopping=settings.get("early_stopping", False),
            **names,
        )[0].tolist()
        start = 1 if model.model.config.is_encoder_decoder else ids.shape[1]
        own = out[start:]
        stop = next((place for place, token in enumerate(own) if token in ends), len(own))
        theirs.append(tuple(own[:stop]))
    model.vocabulary  # noqa: B018 - computed before it is replaced
    before = model.__dict__["vocabulary"]
    model.__dict__["vocabulary"] = replace(before, ends=ends)
    try:
        ours = treat("beam-search", model, **settings).generate(PROMPTS, Sampling(max_new_tokens=10))
    finally:
        model.__dict__["vocabulary"] = before
    assert texts(ours) == theirs


@pytest.mark.parametrize("model", MODELS)
def test_one_beam_is_greedy_and_so_are_groups_of_one_that_do_not_look_at_each_other(model: LocalModel) -> None:
    sampling = Sampling(max_new_tokens=8, penalties=Penalties(repetition=1.3))
    greedy = model.generate(PROMPTS, sampling)
    for settings in ({"beams": 1}, {"beams": 3, "groups": 3}):
        found = treat("beam-search", model, **settings).generate(PROMPTS, sampling)
        assert texts(found) == texts(greedy)
        for a, b in zip(found, greedy, strict=True):
            assert a.logprobs == pytest.approx(b.logprobs, abs=1e-3)
            assert a.sampled_logprobs == pytest.approx(b.sampled_logprobs, abs=1e-3)
            assert a.plain_logprobs == pytest.approx(b.plain_logprobs, abs=1e-3)


def test_groups_that_pay_for_likeness_begin_differently_and_their_scores_stay_probabilities() -> None:
    model = chain()
    treated: Any = treat("beam-search", model, beams=4, groups=4, diversity=50.0, length_penalty=0.0)
    (found,) = treated.hypotheses(["a"], Sampling(max_new_tokens=1))
    assert sorted(h.draft.written[0] if h.draft.written else 3 for h in found) == [0, 1, 2, 3]
    for h in found:
        assert h.score == pytest.approx(math.log(model.probability("a", h.draft.written, 1)), abs=1e-5)


def test_what_a_group_takes_is_what_formula_and_price_say() -> None:
    """Two groups of one beam, one step: the second takes argmax log p - diversity 1[token of the first]."""
    table = torch.tensor([[0.5, 0.3, 0.15, 0.05]] * 3, dtype=torch.float64)
    price = math.log(0.5 / 0.3)
    for diversity, expected in ((0.9 * price, {0}), (1.1 * price, {0, 1})):
        treated: Any = treat("beam-search", MarkovModel(table), beams=2, groups=2, diversity=diversity)
        (found,) = treated.hypotheses(["a"], Sampling(max_new_tokens=1))
        assert {h.draft.written[0] for h in found} == expected


def test_beams_see_the_scores_of_the_treatment_below() -> None:
    model = MarkovModel(chance(3, seed=5))
    cad = treat(
        "contrastive-decoding", model, amateur=MarkovModel(chance(3, seed=2, sharpness=2.0)), beta=1.0, floor=0.0
    )
    expected = 2 * model.table.log() - MarkovModel(chance(3, seed=2, sharpness=2.0)).table.log()
    closed = MarkovModel(expected.softmax(-1))
    found = treat("beam-search", cad, beams=100).generate(LETTERED, SHORT)
    assert texts(found) == texts(treat("beam-search", closed, beams=100).generate(LETTERED, SHORT))
    assert texts(found) != texts(treat("beam-search", model, beams=100).generate(LETTERED, SHORT))


@pytest.mark.parametrize("model", MODELS)
def test_a_batch_is_searched_as_its_prompts_one_by_one_with_settings_of_their_own(model: LocalModel) -> None:
    treated = treat("beam-search", model, beams=3, groups=3, diversity=0.5)
    own = [Sampling(max_new_tokens=n) for n in (3, 7, 5, 1, 7)]
    together = treated.generate(PROMPTS, own)
    assert texts(together) == [treated.generate([p], s)[0].token_ids for p, s in zip(PROMPTS, own, strict=True)]


def test_a_stop_text_ends_a_beam() -> None:
    model = chain()
    sampling = Sampling(max_new_tokens=4, stop=("cb",))
    found = treat("beam-search", model, beams=100, length_penalty=0.0).generate(["a"], sampling)[0]
    ended: Counter[tuple[int, ...]] = Counter()
    for text in model.texts(4):
        cut = next((k + 2 for k in range(len(text) - 1) if text[k : k + 2] == (2, 1)), None)
        p = model.probability("a", text[:cut], cut or 4)
        ended[text[:cut]] = max(ended[text[:cut]], p)  # type: ignore[assignment]
    assert found.token_ids == max(ended, key=lambda text: ended[text])


def test_an_interrupted_search_keeps_what_was_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny.causal()
    model.batch_tokens = 1  # one prompt a batch
    treated = treat("beam-search", model, beams=2)
    whole = treated.generate(PROMPTS, SHORT)
    calls = 0
    original = type(model._branch([[1]], [[]])).next

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr("surefoot.models.branches.CausalBranch.next", interrupted)
    with pytest.raises(GenerationInterrupted) as caught:
        treated.generate(PROMPTS, SHORT)
    monkeypatch.undo()
    assert [len(w.token_ids) for w in caught.value.written].count(0) == 4
    assert texts(treated.generate(PROMPTS, SHORT, caught.value.written)) == texts(whole)


@pytest.mark.parametrize(
    ("name", "settings", "part"),
    [
        ("beam-search", {"beams": 0}, "beams is 0"),
        ("beam-search", {"beams": 4, "groups": 3}, "groups of equal size"),
        ("beam-search", {"beams": 4, "diversity": 1.0}, "groups that differ"),
        ("beam-search", {"beams": 4, "groups": 2, "diversity": -1.0}, "diversity is -1"),
        ("beam-search", {"early_stopping": "maybe"}, "true, false or never"),
        ("beam-search", {"length_penalty": math.inf}, "length_penalty is inf"),
        ("self-consistency", {"samples": 0}, "samples is 0"),
        ("self-consistency", {"temperature": 0}, "positive one"),
        ("self-consistency", {"read": "numbr"}, 'Did you mean "number"'),
        ("self-consistency", {"choosing": "vote"}, "model or votes"),
    ],
)
def test_a_setting_out_of_range_is_refused(name: str, settings: dict[str, Any], part: str) -> None:
    with pytest.raises(BadInput, match=part):
        treat(name, tiny.causal(), **settings)


def test_a_search_draws_nothing_and_has_nothing_above_it_that_changes_steps() -> None:
    treated = treat("beam-search", chain())
    with pytest.raises(BadInput, match=r"temperature is 0\.5 and beam-search draws nothing"):
        treated.generate(["a"], Sampling(temperature=0.5))
    with pytest.raises(NotAvailable, match="apply beam-search last"):
        treat("cad", treat("beam-search", tiny.causal()))
    with pytest.raises(NotAvailable, match="needs logits"):
        treat("beam-search", ScriptedModel({}))


# Self-consistency


def test_the_answer_with_most_votes_wins_and_shares_are_told() -> None:
    replies = ["so 12", "it is 1,250.00", "1250!", "no idea", "hm 12.0", "1250"]
    model: Any = treat("self-consistency", ScriptedModel(replies), samples=6)
    (vote,) = model.vote(["How many?"])
    assert vote.counts == (("1250", 3), ("12", 2))
    assert vote.shares == {"1250": 0.5, "12": pytest.approx(1 / 3)}
    assert vote.texts[vote.winner].text == "it is 1,250.00"
    assert treat("self-consistency", ScriptedModel(replies), samples=6).generate(["?"])[0].text == "it is 1,250.00"


def test_a_tie_goes_to_the_answer_that_came_first_and_no_answer_to_the_first_text() -> None:
    def texts_of(*replies: str) -> list[Generation]:
        return [Generation(reply, (), (), "stop") for reply in replies]

    assert counted(texts_of("b", "a", "a", "b"), whole_text).answer == whole_text("b")
    silent = counted(texts_of("none", "nor here"), last_number)
    assert (silent.answer, silent.winner, silent.shares) == (None, 0, {})


@pytest.mark.parametrize(
    ("text", "number"),
    [("3 and -4.50", "-4.5"), ("1,234", "1234"), ("100", "100"), ("x=7.", "7"), ("none", None), ("2-3", "3")],
)
def test_the_last_number_is_read_by_its_value(text: str, number: str | None) -> None:
    assert last_number(text) == number


def test_samples_are_drawn_from_the_model_and_the_majority_is_that_of_the_binomial() -> None:
    """One letter or the end; the share of requests in which the vote of 5 is for `a` is the multinomial's."""
    from itertools import product

    table = torch.tensor([[0.45, 0.35, 0.1, 0.1]] * 3, dtype=torch.float64)
    model = MarkovModel(table)
    treated: Any = treat("self-consistency", model, samples=5, temperature=1.0, read=lambda text: text or "end")
    each = [Sampling(max_new_tokens=1, seed=seed) for seed in range(250)]
    found = [vote.answer for vote in treated.vote(["a"] * 250, each)]
    names = ["a", "b", "c", "end"]
    expected: Counter[str] = Counter()
    for drawn in product(range(4), repeat=5):
        p = math.prod(float(table[0, token]) for token in drawn)
        expected[Counter(names[token] for token in drawn).most_common(1)[0][0]] += p  # type: ignore[assignment]
    assert shares(found, dict(expected)) > 1e-3
    assert expected["a"] > 0.5 > float(table[0, 0])


def test_one_sample_is_the_models_own_text_and_seeds_do_not_overlap() -> None:
    model = tiny.causal()
    drawn = Sampling(max_new_tokens=6, temperature=1.1, seed=3)
    one = treat("self-consistency", model, samples=1, read="text")
    assert one.generate(PROMPTS, drawn) == model.generate(PROMPTS, drawn)
    three: Any = treat("self-consistency", model, samples=3, read="text")
    seeds = [[text for vote in three.vote(PROMPTS[:1], replace(drawn, seed=s)) for text in vote.texts] for s in (0, 1)]
    own = [model.generate(PROMPTS[:1], replace(drawn, seed=s))[0] for s in range(6)]
    assert texts([*seeds[0], *seeds[1]]) == texts(own)


def test_options_are_ranked_by_votes_where_that_is_asked_for() -> None:
    replies = ["Yes.", "no", "yes", "maybe", "Yes, it is"]
    model = treat("self-consistency", ScriptedModel(replies), samples=5, choosing="votes")
    (choice,) = model.choose(["Is it?"], [["no", "yes"]])
    assert choice.index == 1
    assert [math.exp(score) for score in choice.scores] == pytest.approx([0.2, 0.6])
    plain: LanguageModel = tiny.causal()
    treated = treat("self-consistency", plain)
    assert treated.choose(PROMPTS, [["yes", "no"]] * 5) == plain.choose(PROMPTS, [["yes", "no"]] * 5)


def test_an_interrupted_vote_goes_on_with_all_of_its_texts() -> None:
    model = tiny.causal()
    treated: Any = treat("self-consistency", model, samples=2, read="text")
    drawn = Sampling(max_new_tokens=6, temperature=1.0)
    whole = treated.vote(PROMPTS, drawn)
    begun = [text for vote in treated.vote(PROMPTS, replace(drawn, max_new_tokens=3)) for text in vote.texts]
    assert [texts(v.texts) for v in treated.vote(PROMPTS, drawn, begun)] == [texts(v.texts) for v in whole]
    with pytest.raises(BadInput, match="5 texts were begun for 5 prompts of 2 samples"):
        treated.generate(PROMPTS, drawn, begun[:5])
