"""The treatment watermark: what the rule does to logits, on tiny models and on the real one."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from transformers import WatermarkLogitsProcessor

import tiny
from marking import MILLIONTH_PRIME, SCHEMES, key_of, lists_of
from surefoot.decoding.rows import Row
from surefoot.decoding.rules import FromTransformers
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.scripted import ScriptedModel
from surefoot.treatments import treat
from surefoot.watermark import Detector, theory, tokens_of
from surefoot.watermark.bias import Bias

PROMPTS = ["Is 3 odd?", "Is 4 odd?\n", "Say no. Is it?", "The sea"]
ROWS = [Row(n, list(range(n, n + 5)), [7 * n, 9]) for n in range(4)]


@pytest.mark.parametrize(
    ("hash", "width", "theirs"), [("left", 1, "lefthash"), ("self", 1, "selfhash"), ("self", 3, "selfhash")]
)
def test_the_rule_gives_the_logits_of_transformers_processor(hash: str, width: int, theirs: str) -> None:
    processor = WatermarkLogitsProcessor(270, "cpu", 0.25, 2.0, MILLIONTH_PRIME, theirs, width)
    logits = torch.randn(4, 270)
    ours = Bias(lists_of(hash, width), 2.0)(ROWS, logits)
    assert torch.equal(ours, FromTransformers(processor)(ROWS, logits))


@pytest.mark.parametrize(("hash", "width"), SCHEMES)
@pytest.mark.parametrize("delta", [2.0, math.inf])
def test_the_rule_leaves_its_input_alone_and_raises_exactly_the_green_tokens(
    hash: str, width: int, delta: float
) -> None:
    logits = torch.randn(4, 270)
    before, lists = logits.clone(), lists_of(hash, width)
    changed = Bias(lists, delta)(ROWS, logits)
    assert torch.equal(logits, before)
    for row, own, plain in zip(ROWS, changed, logits, strict=True):
        green = np.asarray([lists.verdicts([*row.ids, token]).green[-1] for token in range(270)])
        if hash == "self":
            green &= np.isin(np.arange(270), plain.topk(40).indices)
        assert 0 < green.sum() < 270
        if math.isinf(delta):
            assert torch.equal(own.isfinite(), torch.from_numpy(green))
            assert torch.equal(own[green], plain[green])
        else:
            assert torch.allclose(own - plain, delta * torch.from_numpy(green), atol=1e-5)


def test_rows_do_not_depend_on_each_other_and_may_have_keys_of_their_own() -> None:
    logits, lists = torch.randn(4, 270), [lists_of(number=n) for n in range(4)]
    together = Bias(lists.__getitem__, 2.0)(ROWS, logits)
    for row, own, plain in zip(ROWS, together, logits, strict=True):
        assert torch.equal(Bias(lists[row.index], 2.0)([row], plain[None])[0], own)
    assert not torch.equal(together[1], Bias(lists[0], 2.0)(ROWS, logits)[1])


def test_a_row_with_too_short_a_context_is_left_as_it_is() -> None:
    logits = torch.randn(1, 270)
    assert torch.equal(Bias(lists_of("keyed", 3), 2.0)([Row(0, [5], [6])], logits), logits)
    assert not torch.equal(Bias(lists_of("keyed", 3), 2.0)([Row(0, [5, 8], [6])], logits), logits)


@pytest.mark.parametrize("delta", [1.0, 3.0])
def test_uniform_logits_are_written_green_with_the_closed_form(delta: float) -> None:
    lists = lists_of("left", vocabulary=400)
    changed = Bias(lists, delta)(ROWS, torch.zeros(4, 400))
    for row, own in zip(ROWS, changed, strict=True):
        mask = lists.mask(row.ids)
        assert float(own.softmax(-1)[torch.from_numpy(mask)].sum()) == pytest.approx(
            theory.coefficient(0.25, delta), rel=1e-5
        )


def test_the_models_choices_and_texts_come_from_the_biased_distribution() -> None:
    """By hand: plain passes over prompt and text, the bias, a softmax."""
    model, key = tiny.causal(), key_of(delta=2.5)
    lists, treated = key.lists(), treat("watermark", tiny.causal(), key=key)
    (score,) = treated.score([(PROMPTS[0], " yes")])
    (written,) = treated.generate(PROMPTS[:1], Sampling(max_new_tokens=8))
    ids = model.encode(PROMPTS[:1])[0]
    for tokens, logprobs in ((score.token_ids, score.logprobs), (written.token_ids, written.logprobs)):
        for place, token in enumerate(tokens):
            context = [*ids, *tokens[:place]]
            with torch.no_grad():
                logits = model.model(torch.tensor([context])).logits[0, -1]
            biased = (logits + 2.5 * torch.from_numpy(lists.mask(context))).log_softmax(-1)
            assert logprobs[place] == pytest.approx(float(biased[token]), abs=1e-4)
            assert tokens is score.token_ids or token == int(biased.argmax())
    assert written.plain_logprobs != written.logprobs


@pytest.mark.parametrize("make", [tiny.causal, tiny.t5], ids=["causal", "seq2seq"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_is_written_under_the_hard_rule_is_green_and_only_under_its_key(make: Any, temperature: float) -> None:
    key = key_of(gamma=0.5, delta=math.inf)
    treated = treat("watermark", make(), key=key)
    for written in treated.generate(PROMPTS, Sampling(40, temperature, seed=3)):
        if len(written.token_ids) > 1:
            assert Detector(key, repeats="each").ids(written.token_ids).share == 1
            own, other = (key_of(gamma=0.5, number=n).lists().verdicts(written.token_ids).green for n in (0, 1))
            assert own.all()
            assert len(other) < 8 or not other.all()


def test_each_prompt_of_a_request_can_have_a_key_of_its_own() -> None:
    keys = [key_of(gamma=0.5, delta=math.inf, number=n) for n in range(4)]
    treated = treat("watermark", tiny.causal(), key=keys[0], delta=math.inf)
    own = treated.at(keys).generate(PROMPTS, Sampling(20, 1.0))  # type: ignore[attr-defined]
    assert all(Detector(k, repeats="each").ids(w.token_ids).share == 1 for k, w in zip(keys, own, strict=True))
    assert own[0].token_ids == treated.generate(PROMPTS, Sampling(20, 1.0))[0].token_ids
    assert len({repr(model.card.determinants) for model in (treated, treated.at(keys))}) == 2  # type: ignore[attr-defined]


def test_no_record_tells_the_secret(tmp_path: Any) -> None:
    key = key_of("left")
    key.save(tmp_path / "key.json")
    treated = treat("watermark", tiny.causal(), key=str(tmp_path / "key.json"), delta="4")
    told = json.dumps(treated.card.determinants)
    assert key.fingerprint in told
    assert str(MILLIONTH_PRIME) not in told + repr(treated.settings)  # type: ignore[attr-defined]
    assert '"delta": 4.0' in told


def test_what_cannot_be_marked_is_refused_with_a_sentence(tmp_path: Any) -> None:
    with pytest.raises(BadInput, match=r'The key is for 300 logits and "tiny" has 270; make a key for this model'):
        treat("watermark", tiny.causal(), key=key_of(vocabulary=300))
    with pytest.raises(BadInput, match="The key belongs to another tokenizer"):
        treat("watermark", tiny.causal(), key=key_of(tokenizer="0" * 64))
    with pytest.raises(BadInput, match="There is no key"):
        treat("watermark", tiny.causal(), key=str(tmp_path / "none.json"))
    with pytest.raises(BadInput, match=r"delta is -1\.0"):
        treat("watermark", tiny.causal(), key=key_of(), delta="-1")
    with pytest.raises(NotAvailable, match="The treatment watermark needs logits"):
        treat("watermark", ScriptedModel(lambda *_: "yes", can=frozenset({"generate"})), key=key_of())
    own = tokens_of(tiny.tokenizer()).digest
    assert treat("watermark", tiny.causal(), key=key_of(tokenizer=own))


def test_the_real_models_text_is_found_from_the_text_alone_and_under_its_key_only(smollm2: Any) -> None:
    tokens = tokens_of("smollm2")
    keys = [key_of(vocabulary=49152, number=n, delta=5.0, tokenizer=tokens.digest, spec="smollm2") for n in range(2)]
    treated = treat("watermark", smollm2, key=keys[0])
    (written,) = treated.generate(["Write a short story about a lighthouse."], Sampling(60, 1.0, seed=2))
    found, other = (Detector(key, tokens).text(written.text) for key in keys)
    assert found.verdict == "watermarked"
    assert found.share > 0.5
    assert other.verdict != "watermarked"
    assert abs(other.z) < 4
    mean = np.mean(written.plain_logprobs), np.mean(written.logprobs)
    assert mean[0] < mean[1]


def test_beams_see_the_biased_scores() -> None:
    """Under beam search too: with the hard rule everything is green, with a soft one more is than without."""
    hard = key_of(gamma=0.5, delta=math.inf)
    searched = treat("beam-search", treat("watermark", tiny.causal(), key=hard), beams=3)
    for written in searched.generate(PROMPTS, Sampling(20)):
        if len(written.token_ids) > 1:
            assert Detector(hard, repeats="each").ids(written.token_ids).share == 1
    soft = key_of(gamma=0.5, delta=2.0)
    shares = [
        np.mean([soft.lists().verdicts(w.token_ids).green.mean() for w in model.generate(PROMPTS, Sampling(20))])
        for model in (
            treat("beam-search", tiny.causal(), beams=3),
            treat("beam-search", treat("watermark", tiny.causal(), key=soft), beams=3),
        )
    ]
    assert shares[1] > shares[0] + 0.1


def test_a_watermark_above_a_search_is_refused() -> None:
    with pytest.raises(NotAvailable, match="apply beam-search last"):
        treat("watermark", treat("beam-search", tiny.causal()), key=key_of())
