"""DoLa: what the last layer finds likelier than an earlier layer of the same model does.

    s(y) = log p_N(y) - log p_M(y),    M = argmax over the candidates j of JSD(p_N || p_j)

for tokens with p_N(y) >= floor max p_N, minus infinity for others. p_N is the model's own distribution, p_j that of the
state behind layer j through the same last norm and head, and M is chosen anew for each token; with one candidate it is
fixed. The next token's distribution is softmax(s). Needs `logits` of a local model.
Source: Chuang et al. 2024 (ICLR), arXiv:2309.03883. The paper's formula and released code read earlier layers without
the last norm; here they go through it unless `normed` is false.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput, NotAvailable
from surefoot.models.base import LanguageModel
from surefoot.text.prompt import Prompt
from surefoot.treatments.decoding.decoded import Decoded

if TYPE_CHECKING:
    import numpy as np
    import torch

    from surefoot.decoding.branch import Branch, Continuation, Next
    from surefoot.decoding.forced import Forced


@dataclass(frozen=True)
class LayerContrast:
    """`layers` are the candidates: `high` or `low` (every second layer of the upper or lower half), or numbers.

    Numbers are separated by commas, 0 being the embedding; one number is a fixed layer. `floor` keeps tokens with at
    least this share of the best probability. `normed` puts early states through the last norm.
    """

    layers: str = "high"
    floor: float = 0.1
    normed: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", str(self.layers))
        if self.layers not in ("high", "low") and not all(part.strip().isdecimal() for part in self.layers.split(",")):
            raise BadInput(f'layers is "{self.layers}"; use high, low, or numbers such as 4 or 2,4,6.')
        if not 0 <= self.floor < 1:
            raise BadInput(f"floor is {self.floor}; use a number from 0 to below 1.")

    def candidates(self, depth: int, tied: bool) -> list[int]:
        """The layers for a model of so many; with tied embeddings the lower half begins at layer 2 (its code)."""
        if self.layers == "high":
            return list(range(depth // 2, depth, 2))
        found = [*range(2 if tied else 0, depth // 2, 2)] if self.layers == "low" else self._numbers()
        outside = [layer for layer in found if layer >= depth]
        if outside or not found:
            raise BadInput(f'layers is "{self.layers}" and the model has the earlier layers 0 to {depth - 1}.')
        return found

    def _numbers(self) -> list[int]:
        return sorted({int(part) for part in self.layers.split(",")})

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The model whose last layer is held against earlier ones."""
        return LayerContrastModel(model, "dola", self)


class LayerContrastModel(Decoded):
    """All layers that are needed are read in one pass of a copy that shares the model's weights."""

    settings: LayerContrast

    def __init__(self, base: LanguageModel, treatment: str, settings: LayerContrast) -> None:
        from surefoot.models.early import depth, with_early_layers
        from surefoot.models.local import LocalModel
        from surefoot.treatments.weights.adapted import Adapted

        super().__init__(base, treatment, settings)
        local = base.inner if isinstance(base, Adapted) else base
        if not isinstance(local, LocalModel):
            raise NotAvailable(
                f'{treatment} reads the layers of a local model and "{base.name}" has a treatment above them; '
                f"apply {treatment} first and the other treatment on top of it."
            )
        tied = bool(getattr(local.model.config, "tie_word_embeddings", False))
        self.layers = settings.candidates(depth(local.model), tied)
        getattr(local, "shares_prefixes", None)  # found out before the copy is made, which has the same attention
        self.inner = local.adapted(with_early_layers(local.model, self.layers, self._combine, normed=settings.normed))

    def told(self) -> Mapping[str, Any]:
        return asdict(self.settings)

    def continuing(self, prompts: Sequence[Prompt | str], room: Sequence[int]) -> Continuation:
        inner = self.inner.continuing(prompts, room)
        return replace(inner, open=lambda rows, begun: Halves(inner.open(rows, begun)))

    def forced(self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[Sequence[int]]]) -> list[Forced]:
        size = self.vocabulary.size
        return [
            forced._replace(logits=[logits[:, :size] for logits in forced.logits])
            for forced in self.inner.forced(prompts, answers)
        ]

    def hidden_states(self, prompts: Sequence[Prompt | str], layer: int = -2, position: int = -1) -> np.ndarray:
        return self.base.hidden_states(prompts, layer, position)

    def _combine(self, early: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        from surefoot.decoding.branch import plausible

        logp, logq = last.log_softmax(-1), early.log_softmax(-1)
        return plausible(logp - furthest(logp, logq), logp, self.settings.floor)


class Halves:
    """A branch whose logits are the contrasted ones and, behind them, the model's own."""

    def __init__(self, branch: Branch) -> None:
        self.branch = branch

    def first(self) -> Next:
        return self._split(self.branch.first())

    def next(self, tokens: torch.Tensor) -> Next:
        return self._split(self.branch.next(tokens))

    def keep(self, rows: torch.Tensor) -> None:
        self.branch.keep(rows)

    @property
    def joins(self) -> bool:
        return self.branch.joins

    def join(self, other: Halves) -> None:
        self.branch.join(other.branch)

    def _split(self, step: Next) -> Next:
        logits, plain = step.logits.chunk(2, -1)
        return step._replace(logits=logits, plain=plain)


def furthest(last: torch.Tensor, early: torch.Tensor) -> torch.Tensor:
    """Of the early layers' log-probabilities (layers, ..., vocabulary), those furthest from the last layer's.

    JSD(p || q) = (KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2, in nats, for each place on its own.
    """
    import torch

    if len(early) == 1:
        return early[0]
    mean = torch.logaddexp(early, last[None]) - math.log(2)
    divergence = ((last.exp() * (last - mean)) + (early.exp() * (early - mean))).sum(-1) / 2
    chosen = divergence.argmax(0)
    return early.gather(0, chosen[None, ..., None].expand(1, *early.shape[1:]))[0]
