"""Contrastive decoding: what a model finds likelier than a weaker model does, among what it finds plausible itself.

    difference    s(y) = log p_expert(y) - log p_amateur(y)
    weighted      s(y) = (1 + beta) l_expert(y) - beta l_amateur(y)

for tokens with p_expert(y) >= floor max p_expert, minus infinity for others; l are logits, those of the amateur
divided by its temperature. The next token's distribution is softmax(s). Both forms are log-linear: the greedy choices
of the second become those of the first as beta grows. Needs `logits` of both models, over one vocabulary.
Source: Li et al. 2023 (ACL), arXiv:2210.15097 (difference, floor); O'Brien & Lewis 2023, arXiv:2309.09117 (weighted).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput, nearest
from surefoot.models.base import LanguageModel
from surefoot.text.prompt import Prompt
from surefoot.treatments.decoding.decoded import Decoded
from surefoot.treatments.decoding.second import second_model
from surefoot.treatments.decoding.second import told as told_of

if TYPE_CHECKING:
    import torch

    from surefoot.decoding.branch import Branch, Continuation
    from surefoot.decoding.forced import Forced

FORMS = ("weighted", "difference")


@dataclass(frozen=True)
class ContrastiveDecoding:
    """`amateur` is the weaker model: what `surefoot.load` takes, or a loaded model.

    `form` is `weighted` (default: it has a strength, and beta 0 is the expert) or `difference`. `floor` keeps tokens
    with at least this share of the expert's best probability (both papers: 0.1; 0 keeps all). `temperature` flattens
    (above 1) or sharpens the amateur.
    """

    amateur: Any
    form: str = "weighted"
    beta: float = 0.5
    floor: float = 0.1
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise BadInput(f'"{self.form}" is not a form of contrastive decoding.{nearest(self.form, FORMS)}')
        if not 0 <= self.beta < math.inf:
            raise BadInput(f"beta is {self.beta}; use 0 (the expert itself) or a positive number, such as 0.5.")
        if not 0 <= self.floor < 1:
            raise BadInput(f"floor is {self.floor}; use a number from 0 to below 1.")
        if not 0 < self.temperature < math.inf:
            raise BadInput(f"The amateur's temperature is {self.temperature}; use a positive number, 1 for none.")

    @property
    def weights(self) -> tuple[float, float]:
        """Of the expert's and of the amateur's logits."""
        expert, amateur = (1.0, 1.0) if self.form == "difference" else (1 + self.beta, self.beta)
        return expert, -amateur / self.temperature

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The expert held against the amateur."""
        return ContrastedModel(model, "contrastive-decoding", self)


class ContrastedModel(Decoded):
    """Each model reads the prompt in its own format; the token that is chosen is put behind both."""

    settings: ContrastiveDecoding

    def __init__(self, base: LanguageModel, treatment: str, settings: ContrastiveDecoding) -> None:
        super().__init__(base, treatment, settings)
        self.amateur = second_model(settings.amateur, base, "amateur")

    def told(self) -> Mapping[str, Any]:
        s = self.settings
        numbers = {"form": s.form, "beta": s.beta, "floor": s.floor, "temperature": s.temperature}
        return {"amateur": told_of(self.amateur), **numbers}

    def continuing(self, prompts: Sequence[Prompt | str], room: Sequence[int]) -> Continuation:
        from surefoot.decoding.branch import Blend

        expert, amateur = self.inner.continuing(prompts, room), self.amateur.continuing(prompts, room)

        def opened(rows: Sequence[int], begun: Sequence[Sequence[int]]) -> Branch:
            return Blend([expert.open(rows, begun), amateur.open(rows, begun)], self._weights(len(rows)), self._combine)

        return replace(
            expert,
            lengths=[a + b for a, b in zip(expert.lengths, amateur.lengths, strict=True)],
            truncated=[a or b for a, b in zip(expert.truncated, amateur.truncated, strict=True)],
            open=opened,
            batch_tokens=min(expert.batch_tokens, amateur.batch_tokens),
            aligned=expert.aligned or amateur.aligned,
        )

    def forced(self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[Sequence[int]]]) -> list[Forced]:
        from surefoot.decoding.forced import blended

        pairs = zip(self.inner.forced(prompts, answers), self.amateur.forced(prompts, answers), strict=True)
        return [blended(pair, self._weights(1)[:, 0], self._combine) for pair in pairs]

    def _weights(self, rows: int) -> torch.Tensor:
        """Shape (2, rows)."""
        import torch

        return torch.tensor(self.settings.weights, dtype=torch.float32)[:, None].repeat(1, rows)

    def _combine(self, logits: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        from surefoot.decoding.branch import plausible, weighted_sum

        return plausible(weighted_sum(logits, weights), logits[0], self.settings.floor)
