"""The losses, as plain functions of logits.

Source: Sun, Shaib & Wallace 2024 (arXiv:2306.11270), section 5: cross-entropy on the answer under every wording, and
the divergence of each paraphrase's distribution over the vocabulary from that of the reference wording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch.nn.functional import log_softmax

from surefoot.errors import BadInput

Direction = Literal["reference", "paraphrase"]
Positions = Literal["first", "all"]


@dataclass(frozen=True)
class Alignment:
    """L = (1 - weight) CE + weight KL, and what the paper leaves open about KL.

    `direction`: `reference` is KL(p_r || p_i), the reference wording's distribution against the paraphrase's;
    `paraphrase` is KL(p_i || p_r). `detach` stops the gradient through p_r, so that paraphrases move and the reference
    stands. `positions`: the `first` answer token, or the mean over `all`. `teacher`: p_r of the model in `training`, or
    of the untouched `base` model, computed once. `answer`: -log p of an answer is the `mean` over its tokens, so that
    long answers do not outweigh letters, or their `sum`.
    """

    weight: float = 0.8
    direction: Direction = "reference"
    detach: bool = True
    positions: Positions = "all"
    teacher: Literal["training", "base"] = "training"
    answer: Literal["mean", "sum"] = "mean"

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1:
            raise BadInput(f"The weight of the divergence is {self.weight}; give a number from 0 to 1.")
        allowed = (("direction", ("reference", "paraphrase")), ("positions", ("first", "all")))
        for name, values in (*allowed, ("teacher", ("training", "base")), ("answer", ("mean", "sum"))):
            if getattr(self, name) not in values:
                raise BadInput(f'"{getattr(self, name)}" is not a value of {name}; use {" or ".join(values)}.')


def answer_loss(logits: torch.Tensor, answer: torch.Tensor, over: str = "sum") -> torch.Tensor:
    """-log p(answer): logits of shape (tokens, vocabulary), answer ids of shape (tokens,). A scalar in nats, the sum or
    mean over tokens."""
    picked = -log_softmax(logits.float(), -1).gather(-1, answer[:, None])
    return picked.sum() if over == "sum" else picked.mean()


def divergence(paraphrase: torch.Tensor, reference: torch.Tensor, rule: Alignment) -> torch.Tensor:
    """KL between two wordings' distributions, mean over positions; logits of shape (tokens, vocabulary). In nats."""
    if rule.detach:
        reference = reference.detach()
    if rule.positions == "first":
        paraphrase, reference = paraphrase[:1], reference[:1]
    p_r, p_i = (log_softmax(x.float(), -1) for x in (reference, paraphrase))
    p, q = (p_r, p_i) if rule.direction == "reference" else (p_i, p_r)
    return (p.exp() * (p - q)).sum(-1).mean()


def group_losses(
    logits: Sequence[torch.Tensor],
    answers: Sequence[torch.Tensor],
    aligned: Sequence[int],
    rule: Alignment,
    teacher: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(CE, KL) of one example: CE is the mean over wordings, KL the mean over the paraphrases named by `aligned`.

    The first wording is the reference; `teacher` are logits that stand for it. KL is 0 where nothing is aligned. With
    weight 0 KL is reported and gives no gradient, with weight 1 CE.
    """
    with torch.set_grad_enabled(torch.is_grad_enabled() and rule.weight < 1):
        each = [answer_loss(x, y, rule.answer) for x, y in zip(logits, answers, strict=True)]
        cross = torch.stack(each).mean()
    if not aligned:
        return cross, cross.new_zeros(())
    target = logits[0] if teacher is None else teacher
    with torch.set_grad_enabled(torch.is_grad_enabled() and rule.weight > 0):
        away = torch.stack([divergence(logits[k], target, rule) for k in aligned]).mean()
    return cross, away
