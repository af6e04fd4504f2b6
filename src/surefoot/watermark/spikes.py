"""The entropy of marked texts as their model saw them, and the paper's bound beside what was observed.

Formula: theorem 4.2 of Kirchenbauer et al. 2023 (arXiv:2301.10226), `surefoot.watermark.theory`. The bound is on an
expectation: a single text may have fewer green tokens, many texts of one kind may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from surefoot.errors import BadInput
from surefoot.watermark.key import Key
from surefoot.watermark.theory import coefficient, expected_green, modulus, spike_entropy, spread_of_green

if TYPE_CHECKING:
    from surefoot.models.base import LanguageModel
    from surefoot.text.prompt import Prompt

Texts = Sequence[Sequence[int]]


class Observed(NamedTuple):
    """Over all scored tokens of some texts: how many, their mean spike entropy, the green ones, and by the theorem the
    least expected number of these and the largest standard deviation (NaN where the bound's share is below 1/2, for
    which the theorem has none)."""

    tokens: int
    spike: float
    green: int
    bound: float
    spread: float


def spikes(model: LanguageModel, prompts: Sequence[Prompt | str], texts: Texts, modulus: float) -> list[np.ndarray]:
    """The spike entropy of the distribution of each token of each text, given as ids: one array (tokens,) a text.

    `model` is the unmarked one; its distributions at temperature 1 are those that the bias is put on. Needs `logits`.
    """
    model.require("logits", by="Spike entropy")
    found = []
    for prompt, ids in zip(prompts, texts, strict=True):  # one at a time: logits of a text are tokens x vocabulary
        (forced,) = model.forced([prompt], [[list(ids)]])
        found.append(spike_entropy(forced.logits[0].double().softmax(-1).cpu().numpy(), modulus))
    return found


def observed(
    model: LanguageModel, prompts: Sequence[Prompt | str], texts: Texts, key: Key, delta: float | None = None
) -> Observed:
    """Texts that were written under the key (with `delta` in the place of the key's), beside the theorem's bound.

    Raises `BadInput` where no text has a scored token.
    """
    delta = key.delta if delta is None else delta
    gamma, first = key.scheme.null, key.scheme.first
    own = [spike[first:] for spike in spikes(model, prompts, texts, modulus(gamma, delta))]
    tokens = sum(map(len, own))
    if not tokens:
        raise BadInput(f"No text has a token behind its first {first}; give longer texts.")
    green = sum(int(verdicts.green.sum()) for verdicts in key.lists().verdicts_of(texts))
    spike = float(np.concatenate(own).mean())
    share = coefficient(gamma, delta) * spike
    spread = spread_of_green(tokens, gamma, delta, spike) if share >= 0.5 else float("nan")
    return Observed(tokens, spike, green, expected_green(tokens, gamma, delta, spike), spread)
