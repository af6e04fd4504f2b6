"""Teacher forcing: the distributions along given answers, from which treated models score and choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from surefoot.decoding.branch import Combine, Rule
from surefoot.decoding.rows import Row


class Forced(NamedTuple):
    """One prompt: its real ids, whether it was cut, and for each answer logits (answer tokens, vocabulary).

    Row k of the logits is the distribution of token k given the prompt and the tokens before it.
    """

    prompt: Sequence[int]
    truncated: bool
    logits: Sequence[torch.Tensor]


def ruled(index: int, forced: Forced, answers: Sequence[Sequence[int]], rule: Rule) -> Forced:
    """The same under a rule, which is told what stands before each token."""
    return forced._replace(
        logits=[
            rule([Row(index, forced.prompt, list(answer[:k])) for k in range(len(answer))], logits.float())
            for answer, logits in zip(answers, forced.logits, strict=True)
        ]
    )


def blended(variants: Sequence[Forced], weights: torch.Tensor, combine: Combine) -> Forced:
    """Several variants of one prompt with their weights, shape (variants,), combined token by token."""
    logits = [
        torch.stack([part.float() for part in parts]) for parts in zip(*(v.logits for v in variants), strict=True)
    ]
    made = [combine(part, weights.to(part.device)[:, None].expand(-1, part.shape[1])) for part in logits]
    return Forced(variants[0].prompt, any(v.truncated for v in variants), made)


def chain(logits: torch.Tensor, answer: Sequence[int]) -> list[float]:
    """log p of each token of an answer, from logits (answer tokens, vocabulary)."""
    tokens = torch.tensor(answer, device=logits.device)[:, None]
    values: list[float] = torch.log_softmax(logits.float(), -1).gather(-1, tokens)[:, 0].tolist()
    return values
