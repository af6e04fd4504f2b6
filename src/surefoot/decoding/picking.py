"""The next token from a distribution: penalties, temperature, truncation, and a draw of each row's own stream.

The truncations are those of the transformers library.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from surefoot.decoding.rows import Row
from surefoot.decoding.rules import FromTransformers
from surefoot.decoding.sampling import Penalties, Sampling


def offered(rows: Sequence[Row], logits: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Logits that the next token is drawn from, shape (rows, vocabulary); of a greedy choice untempered."""
    logits = penalised(rows, logits, sampling.penalties)
    if sampling.temperature:
        for warper in warpers(sampling):
            logits = warper(None, logits)
    return logits


def penalised(rows: Sequence[Row], logits: torch.Tensor, penalties: Penalties) -> torch.Tensor:
    """The logits with the penalties taken off."""
    if penalties.repetition != 1:
        from transformers import RepetitionPenaltyLogitsProcessor

        logits = FromTransformers(RepetitionPenaltyLogitsProcessor(penalties.repetition))(rows, logits)
    if not (penalties.presence or penalties.frequency):
        return logits
    logits = logits.clone()
    for place, row in enumerate(rows):
        for token, times in Counter(row.written).items():
            logits[place, token] -= penalties.presence + penalties.frequency * times
    return logits


@lru_cache(maxsize=64)
def warpers(sampling: Sampling) -> tuple[Any, ...]:
    """Temperature and truncations of the transformers library, in its order."""
    from transformers import (
        EtaLogitsWarper,
        MinPLogitsWarper,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
        TypicalLogitsWarper,
    )

    s = sampling
    wanted = (
        (s.temperature != 1, lambda: TemperatureLogitsWarper(float(s.temperature))),
        (s.top_k > 0, lambda: TopKLogitsWarper(s.top_k)),
        (s.top_p < 1, lambda: TopPLogitsWarper(s.top_p)),
        (s.min_p > 0, lambda: MinPLogitsWarper(s.min_p)),
        (s.typical_p < 1, lambda: TypicalLogitsWarper(s.typical_p)),
        (s.eta > 0, lambda: EtaLogitsWarper(s.eta)),
    )
    return tuple(make() for is_wanted, make in wanted if is_wanted)


def pick(logits: torch.Tensor, uniforms: Sequence[float]) -> torch.Tensor:
    """One token a row: the most probable without `uniforms`, else the inverse of the cumulative distribution at them.

    Tokens are ordered by probability, so that rounding far down the list moves no draw further up.
    """
    if not uniforms:
        return logits.argmax(-1)
    probabilities, order = torch.sort(torch.softmax(logits.double(), -1), dim=-1, descending=True, stable=True)
    cumulative = probabilities.cumsum(-1)
    target = torch.tensor(uniforms, dtype=torch.float64, device=logits.device)[:, None] * cumulative[:, -1:]
    place = torch.searchsorted(cumulative, target, right=True)
    last = (probabilities > 0).sum(-1, keepdim=True) - 1
    return order.gather(-1, torch.minimum(place, last))[:, 0]


def draws(seed: int, row: Row) -> np.random.Generator:
    """A stream of uniforms that depends on the prompt's own tokens and the seed, and on nothing around it.

    A row of which something is written already goes on where its stream was left.
    """
    digest = hashlib.sha256(f"{seed}/{list(row.prompt)}".encode()).digest()
    stream = np.random.default_rng(int.from_bytes(digest[:16], "big"))
    stream.random(len(row.written))
    return stream
