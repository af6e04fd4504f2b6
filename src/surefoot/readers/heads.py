"""An encoder with a head, as one module that can be trained: one output a sequence, or one a token."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from surefoot.errors import BadInput
from surefoot.readers.pairs import Pair, PairEncoder

HEAD_DROPOUT = 0.1
READ_AT_ONCE = 32  # pairs


class Headed(nn.Module):
    """`encoder` under `head`. The head of a sequence reads the first token's state, that of spans every token's.

    A sequence's head is linear, tanh, linear, as RoBERTa's (Liu et al. 2019); a span's is linear (Devlin et al. 2019).
    """

    def __init__(self, pairs: PairEncoder, *, by_token: bool, seed: int = 0) -> None:
        super().__init__()
        self.pairs = pairs
        self.by_token = by_token
        self.encoder = pairs.weights
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Linear(pairs.width, 2) if by_token else _classifier(pairs.width)
        self.head.to(pairs.device)
        self.eval()

    def forward(self, encoded: Any) -> torch.Tensor:
        """Logits, shape (pairs, 2), or (pairs, tokens, 2) by token."""
        states = self.pairs.states(encoded)
        logits: torch.Tensor = self.head(states if self.by_token else states[:, 0])
        return logits

    def copy(self) -> Headed:
        """Another module with the same weights."""
        from dataclasses import replace

        made = Headed.__new__(Headed)
        nn.Module.__init__(made)
        made.by_token = self.by_token
        made.encoder, made.head = deepcopy(self.encoder), deepcopy(self.head)
        made.pairs = replace(self.pairs, weights=made.encoder)
        return made.eval()

    def trainable(self, frozen_layers: int = 0) -> dict[str, nn.Parameter]:
        """Parameters by name, without the encoder's unused pooler and, where layers are frozen, without all that comes
        before the first one that is not (embeddings, lower layers). Raises `BadInput` for more layers than there are.
        """
        named = {n: p for n, p in self.named_parameters() if not n.startswith("encoder.pooler.")}
        if not frozen_layers:
            return named
        layers = int(self.encoder.config.num_hidden_layers)
        stacks = (m for m in self.encoder.modules() if isinstance(m, nn.ModuleList) and len(m) == layers)
        stack = next(stacks, None)
        if stack is None or not 0 < frozen_layers < layers:
            raise BadInput(f"frozen_layers is {frozen_layers}; this encoder has {layers}, freeze fewer, or 0 for none.")
        first = next(iter(stack[frozen_layers].parameters()))
        names = list(named)
        start = next(place for place, name in enumerate(names) if named[name] is first)
        return {name: named[name] for name in names[start:]}

    def digest(self) -> str:
        """A hash of every parameter."""
        found = hashlib.sha256()
        for name, tensor in sorted(self.state_dict().items()):
            found.update(name.encode())
            found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return found.hexdigest()[:16]


def _classifier(width: int) -> nn.Sequential:
    drop = nn.Dropout(HEAD_DROPOUT)
    return nn.Sequential(drop, nn.Linear(width, width), nn.Tanh(), nn.Dropout(HEAD_DROPOUT), nn.Linear(width, 2))


def in_batches(pairs: Sequence[Pair]) -> list[list[int]]:
    """Places of the pairs in batches of like length, so that little is padded."""
    order = sorted(range(len(pairs)), key=lambda place: sum(map(len, pairs[place])))
    return [order[start : start + READ_AT_ONCE] for start in range(0, len(order), READ_AT_ONCE)]
