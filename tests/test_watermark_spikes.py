"""Spike entropies read off a model's distributions, and the theorem's bound beside green tokens that were counted."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from marking import key_of
from markov import MarkovModel, chance
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.scripted import ScriptedModel
from surefoot.treatments import treat
from surefoot.watermark import theory
from surefoot.watermark.spikes import observed, spikes


def test_a_spike_entropy_is_that_of_the_chains_own_table() -> None:
    model = MarkovModel(chance(4, 1))
    (found,) = spikes(model, ["ab"], [[0, 2, 1]], 0.7)
    rows = model.table[[1, 0, 2]].numpy()
    assert found == pytest.approx((rows / (1 + 0.7 * rows)).sum(-1), rel=1e-5)


@pytest.mark.parametrize("sharpness", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("delta", [1.0, 3.0])
def test_green_tokens_of_written_texts_reach_the_bound_over_many_keys(sharpness: float, delta: float) -> None:
    """At gamma 1/2, a key a text. Without preferences the share is gamma alpha / (1 + (alpha - 1) gamma)."""
    table = chance(8, 3, sharpness)[:, :8]
    model = MarkovModel(torch.cat([table / table.sum(-1, keepdim=True), torch.zeros(8, 1)], 1))
    keys = [key_of("keyed", 1, gamma=0.5, vocabulary=9, number=n) for n in range(150)]
    marked: Any = treat("watermark", model, key=keys[0], delta=delta)
    texts = [t.token_ids for t in marked.at(keys).generate(["a"] * 150, Sampling(40, temperature=1.0))]
    found = [observed(model, ["a"], [ids], key, delta) for ids, key in zip(texts, keys, strict=True)]
    tokens, green, bound = (sum(getattr(one, name) for one in found) for name in ("tokens", "green", "bound"))
    assert tokens == 150 * 39
    error = 4 * math.sqrt(150) * np.std([one.green - one.bound for one in found]) / tokens
    assert green / tokens > bound / tokens - error
    if not sharpness:
        assert green / tokens == pytest.approx(theory.coefficient(0.5, delta), abs=0.05)


def test_the_deviation_is_the_theorems_where_it_holds_and_not_told_elsewhere() -> None:
    model = MarkovModel(chance(8, 3))
    key, few = (key_of("keyed", 1, gamma=gamma, vocabulary=9) for gamma in (0.5, 0.25))
    strong, weak = (observed(model, ["a"], [[1, 2, 3, 4, 5]], own, d) for own, d in ((key, 4.0), (few, 0.5)))
    assert strong.tokens == 4
    assert strong.bound == pytest.approx(theory.expected_green(4, 0.5, 4.0, strong.spike))
    assert strong.spread == pytest.approx(theory.spread_of_green(4, 0.5, 4.0, strong.spike))
    assert math.isnan(weak.spread)


def test_what_has_no_distributions_or_no_scored_token_is_refused() -> None:
    key = key_of("keyed", 3, vocabulary=5)
    with pytest.raises(BadInput, match="No text has a token behind its first 3"):
        observed(MarkovModel(chance(4, 1)), ["a"], [[1, 2]], key)
    with pytest.raises(NotAvailable, match="Spike entropy needs logits"):
        spikes(ScriptedModel(lambda *_: ""), ["a"], [[1]], 1.0)
