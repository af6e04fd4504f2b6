"""Trains a tiny model on lessons: (prompt, answer) pairs, cross-entropy on the answer's token alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput

if TYPE_CHECKING:
    import torch

Lessons = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Tuning:
    """Steps of `batch` lessons under AdamW; the learning rate rises over the first tenth and falls as a cosine."""

    steps: int = 400
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise BadInput(f"{self.steps} steps of {self.batch} lessons train nothing; give at least one of each.")


def tune(
    weights: Any, tokenizer: Any, lessons: Lessons, tuning: Tuning, say: Callable[[str], None] | None = None
) -> Any:
    """The same weights, trained in place. Deterministic on one thread."""
    import torch

    optimizer = torch.optim.AdamW(
        weights.parameters(), tuning.learning_rate, betas=(0.9, 0.98), weight_decay=tuning.weight_decay
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, tuning.steps))
    weights.train()
    for step in range(tuning.steps):
        loss = answer_loss(weights, *encode(tokenizer, list(islice(lessons, tuning.batch))))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if say and (step + 1) % max(1, tuning.steps // 10) == 0:
            say(f"step {step + 1} of {tuning.steps}, loss {float(loss.detach()):.3f}")
    return weights.eval()


def encode(tokenizer: Any, lessons: list[tuple[str, str]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Prompt ids (lessons x tokens, padded on the right), the place of each last token, and the answers' ids."""
    import torch

    ids = tokenizer([prompt for prompt, _ in lessons])["input_ids"]
    width = max(map(len, ids))
    padded = torch.tensor([[*row, *[tokenizer.pad_token_id] * (width - len(row))] for row in ids])
    ends = torch.tensor([len(row) - 1 for row in ids])
    answers = torch.tensor([tokenizer.convert_tokens_to_ids(answer) for _, answer in lessons])
    return padded, ends, answers


def answer_loss(weights: Any, ids: torch.Tensor, ends: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """Mean over lessons of -log p(answer | prompt). Padding stands on the right, so no token ever sees it."""
    import torch

    states = weights.get_decoder()(input_ids=ids).last_hidden_state
    logits = weights.lm_head(states[torch.arange(len(ids)), ends])
    return torch.nn.functional.cross_entropy(logits, answers)


def _rate(step: int, steps: int) -> float:
    from math import cos, pi

    warm = max(1, steps // 10)
    return (step + 1) / warm if step < warm else 0.5 * (1 + cos(pi * (step - warm) / max(1, steps - warm)))
