"""The objective of alignment: cross-entropy under every wording, and divergence between wordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from surefoot.models.local import LocalModel
from surefoot.training.adapters.base import Adapter
from surefoot.training.forward import answer_logits
from surefoot.training.groups import Group, digest
from surefoot.training.losses import Alignment, group_losses


class AlignmentObjective:
    """L = mean over the examples of a batch of (1 - weight) CE + weight KL; see `surefoot.training.losses`.

    All wordings of all examples of a batch are one prefix tree, computed in one pass. `base` is asked for the
    teacher's distributions where the rule wants them; each is computed once and kept.
    """

    def __init__(self, adapter: Adapter, base: LocalModel, groups: Sequence[Group], rule: Alignment) -> None:
        self.adapter = adapter
        self.base = base
        self.groups = tuple(groups)
        self.rule = rule
        self.parameters: Mapping[str, nn.Parameter] = adapter.parameters
        self.autocast = adapter.autocast
        self.examples = len(self.groups)
        self.identity = f"{digest(groups)} {rule} {type(adapter).__name__}"
        self._taught: dict[int, torch.Tensor] = {}

    def losses(self, places: list[int]) -> Mapping[str, torch.Tensor]:
        """`loss`, `cross_entropy` and `divergence` of the examples at these places; nats."""
        groups = [self.groups[place] for place in places]
        model = self.adapter.model
        flat = [variant for group in groups for variant in group.variants]
        logits = iter(answer_logits(model, flat))
        device = model.model.device
        parts = []
        for place, group in zip(places, groups, strict=True):
            own = [next(logits) for _ in group.variants]
            answers = [torch.tensor(variant.answer, device=device) for variant in group.variants]
            parts.append(group_losses(own, answers, group.aligned, self.rule, self._teacher(place, group)))
        cross, away = (torch.stack(column).mean() for column in zip(*parts, strict=True))
        loss = (1 - self.rule.weight) * cross + self.rule.weight * away
        return {"loss": loss, "cross_entropy": cross, "divergence": away}

    def _teacher(self, place: int, group: Group) -> torch.Tensor | None:
        if self.rule.teacher == "training" or not group.aligned or self.rule.weight == 0:
            return None
        if place not in self._taught:
            virtual = len(self.adapter.model.encoder.virtual) - len(self.base.encoder.virtual)
            bare = group.reference._replace(prompt=group.reference.prompt[virtual:])
            with torch.no_grad():
                self._taught[place] = answer_logits(self.base, [bare])[0].detach()
        return self._taught[place]
