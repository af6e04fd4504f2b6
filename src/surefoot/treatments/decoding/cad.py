"""Context-aware decoding: what the context adds to the next token's distribution is amplified.

    p(y) ~ p(y | c, x) (p(y | c, x) / p(y | x))^alpha = softmax((1 + alpha) l(y | c, x) - alpha l(y | x))

with the context c, the question x and the model's logits l. The token that is chosen is put behind both prompts. Needs
`logits`.
Source: Shi et al. 2024 (NAACL), arXiv:2305.14739.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from surefoot.errors import BadInput, nearest
from surefoot.models.base import LanguageModel
from surefoot.text.prompt import ROLES, Prompt
from surefoot.treatments.decoding.decoded import Decoded

if TYPE_CHECKING:
    import torch

    from surefoot.decoding.branch import Branch, Continuation
    from surefoot.decoding.forced import Forced


@dataclass(frozen=True)
class ContextAware:
    """`alpha` is the strength: 0 is the model itself; the paper takes 0.5 for summaries and 1 where facts conflict.

    `without` names the parts of a prompt that are the context (from a command line separated by commas); a prompt that
    has none is answered as ever. `floor` keeps tokens with at least this share of the most probable one's probability
    given the context; 0 keeps all (the paper).
    """

    alpha: float = 0.5
    without: tuple[str, ...] | str = "context"
    floor: float = 0.0

    def __post_init__(self) -> None:
        check_alpha(self.alpha)
        if not self.roles:
            raise BadInput("No part of the prompt is named as the context; give without=context.")
        for role in self.roles:
            if role not in ROLES:
                raise BadInput(f'"{role}" is not a prompt role.{nearest(role, ROLES)}')
        if not 0 <= self.floor < 1:
            raise BadInput(f"floor is {self.floor}; use a number from 0 to below 1.")

    @property
    def roles(self) -> tuple[str, ...]:
        """The parts that are the context."""
        return tuple(self.without.split(",")) if isinstance(self.without, str) else self.without

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The model that listens to its context."""
        return ContextAwareModel(model, "cad", self)


class ContextAwareModel(Decoded):
    """Both prompts of a row are computed in one pass, and what they share at their beginning once."""

    settings: ContextAware
    alphas: tuple[float, ...] | None = None

    def at(self, alphas: Sequence[float]) -> ContextAwareModel:
        """The same model with a strength of its own for each prompt of a request."""
        for alpha in alphas:
            check_alpha(alpha)
        twin = copy.copy(self)
        twin.alphas = tuple(alphas)
        return twin

    def continuing(self, prompts: Sequence[Prompt | str], room: Sequence[int]) -> Continuation:
        from surefoot.decoding.branch import Variants

        count, weights = len(prompts), self._weights(len(prompts))
        both = self.inner.continuing([*prompts, *self._bare(prompts)], [*room, *room])

        def opened(rows: Sequence[int], begun: Sequence[Sequence[int]]) -> Branch:
            branch = both.open([*rows, *(row + count for row in rows)], [*begun, *begun])
            return Variants(branch, weights[:, list(rows)], self._combine)

        return replace(
            both,
            prompts=both.prompts[:count],
            lengths=[a + b for a, b in zip(both.lengths[:count], both.lengths[count:], strict=True)],
            truncated=[a or b for a, b in zip(both.truncated[:count], both.truncated[count:], strict=True)],
            open=opened,
        )

    def forced(self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[Sequence[int]]]) -> list[Forced]:
        from surefoot.decoding.forced import blended

        count, weights = len(prompts), self._weights(len(prompts))
        both = self.inner.forced([*prompts, *self._bare(prompts)], [*answers, *answers])
        pairs = zip(both[:count], both[count:], strict=True)
        return [blended(pair, weights[:, row], self._combine) for row, pair in enumerate(pairs)]

    def _bare(self, prompts: Sequence[Prompt | str]) -> list[Prompt]:
        """The prompts without their context."""
        bare = [Prompt.of(prompt).without(*self.settings.roles) for prompt in prompts]  # type: ignore[arg-type]
        for prompt, rest in zip(prompts, bare, strict=True):
            if rest is not prompt and not rest.text.strip():
                left_out = " and ".join(self.settings.roles)
                raise BadInput(
                    f'Without its {left_out}, nothing is left of the prompt "{Prompt.of(prompt).text[:60]}"; '
                    "name the parts that are the context (without=...)."
                )
        return bare

    def _weights(self, count: int) -> torch.Tensor:
        """1 + alpha for each prompt with its context, -alpha without, shape (2, prompts)."""
        import torch

        alphas = self.alphas or (self.settings.alpha,) * count
        if len(alphas) != count:
            raise BadInput(f"There are {len(alphas)} strengths for {count} prompts; give one each.")
        alpha = torch.tensor(alphas, dtype=torch.float32)
        return torch.stack([1 + alpha, -alpha])

    def _combine(self, logits: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        from surefoot.decoding.branch import plausible, weighted_sum

        return plausible(weighted_sum(logits, weights), logits[0], self.settings.floor)


def check_alpha(alpha: float) -> None:
    if not 0 <= alpha < math.inf:
        raise BadInput(f"alpha is {alpha}; use 0 (the model itself) or a positive number, such as 0.5 or 1.")
