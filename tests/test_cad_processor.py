"""cad as a logits processor of transformers' `generate`: the treatment's tokens, strengths of each row, one call."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import LogitsProcessorList

import tiny
from surefoot.decoding.guidance import ContextAwareProcessor, padded
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.local import LocalModel
from surefoot.treatments import treat
from test_cad import MODELS, PROMPTS

BARE = [prompt.without("context") for prompt in PROMPTS]
ALPHAS = [0.0, 0.5, 2.0, 3.0]


def processor(model: LocalModel, alpha: Any) -> ContextAwareProcessor:
    return ContextAwareProcessor(model.model, *padded(model.encode(BARE), 2), alpha)


def generated(model: LocalModel, made: ContextAwareProcessor, **settings: Any) -> list[list[int]]:
    ids, mask = padded(model.encode(PROMPTS), 2)
    settings = {"do_sample": False, "max_new_tokens": 10} | settings
    both: Any = LogitsProcessorList([made])
    rows = model.model.generate(input_ids=ids, attention_mask=mask, logits_processor=both, **settings)
    begin = 1 if model.model.config.is_encoder_decoder else ids.shape[1]
    texts = [row[begin:].tolist() for row in rows]
    return [text[: text.index(1)] if 1 in text else text for text in texts]


@pytest.mark.parametrize("model", MODELS)
def test_a_padded_batch_writes_the_treatments_tokens(model: LocalModel) -> None:
    for alpha in (0.0, 0.75):
        written = treat("cad", model, alpha=alpha).generate(PROMPTS, Sampling(max_new_tokens=10))
        assert generated(model, processor(model, alpha)) == [list(text.token_ids) for text in written]


@pytest.mark.parametrize("model", MODELS)
def test_each_row_may_have_a_strength_of_its_own(model: LocalModel) -> None:
    treated: Any = treat("cad", model)
    written = treated.at(ALPHAS).generate(PROMPTS, Sampling(max_new_tokens=10))
    assert generated(model, processor(model, ALPHAS)) == [list(text.token_ids) for text in written]


def test_bad_settings_and_a_second_call_are_refused() -> None:
    model = tiny.causal()
    for alpha, part in ((-1.0, "alpha is -1.0"), (float("nan"), "alpha is nan"), ([1.0], "1 strengths for 4 prompts")):
        with pytest.raises(BadInput, match=part):
            processor(model, alpha)
    made = processor(model, 1.0)
    generated(model, made)
    with pytest.raises(BadInput, match="make a new processor for each call"):
        generated(model, made)
    with pytest.raises(BadInput, match="8 rows for 4 prompts; generate without beams, one text each"):
        generated(model, processor(model, 1.0), num_beams=2)


def test_padding_goes_to_the_left() -> None:
    ids, mask = padded([[1], [2, 3]], 9)
    assert torch.equal(ids, torch.tensor([[9, 1], [2, 3]]))
    assert torch.equal(mask, torch.tensor([[0, 1], [1, 1]]))
