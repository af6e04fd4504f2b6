"""The rule that writes a watermark: green logits are raised by delta before the next token is picked.

Formula: p^_k = alpha e^(l_k) / (sum_red e^l + alpha sum_green e^l) for green tokens k, the same without alpha in the
numerator for red ones; under the hard rule red tokens get probability 0. Source: Kirchenbauer et al. 2023
(arXiv:2301.10226), algorithms 1-3.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch

from surefoot.errors import BadInput
from surefoot.watermark.lists import Lists
from surefoot.watermark.published import CANDIDATES, SelfLists
from surefoot.watermark.scheme import check_delta


class Context(Protocol):
    """What the rule reads of a row: ids of the prompt and of the text written so far, and the row's place in the
    request.
    """

    @property
    def index(self) -> int: ...
    @property
    def prompt(self) -> Sequence[int]: ...
    @property
    def written(self) -> Sequence[int]: ...


class Bias:
    """`rule(rows, logits) -> new logits`; `lists` are those of all rows, or a function from a row's index to its own.

    A row whose context is shorter than the scheme needs is left as it is. The selfhash looks at the 40 most probable
    tokens only, as in the transformers library; under the hard rule the others, and the red ones, are ruled out, unless
    all 40 are red.
    """

    def __init__(self, lists: Lists | Callable[[int], Lists], delta: float) -> None:
        check_delta(delta)
        self.delta = delta
        self.lists_of = lists if callable(lists) else lambda _: lists

    def __call__(self, rows: Sequence[Context], logits: torch.Tensor) -> torch.Tensor:
        changed = logits.clone()
        for place, row in enumerate(rows):
            lists = self.lists_of(row.index)
            if logits.shape[-1] != lists.scheme.vocabulary:
                raise BadInput(
                    f"The key is for {lists.scheme.vocabulary} logits and the model has {logits.shape[-1]}; "
                    "make a key for this model."
                )
            green = self._green(lists, row, logits[place])
            if green is None:
                continue
            if math.isinf(self.delta):
                changed[place].masked_fill_(~green, -torch.inf)
            else:
                changed[place].add_(green, alpha=self.delta)
        return changed

    def _green(self, lists: Lists, row: Context, logits: torch.Tensor) -> torch.Tensor | None:
        context = tail(row, lists.scheme.first)
        if context is None:
            return None
        if not isinstance(lists, SelfLists):
            mask = lists.mask(context)
            return None if mask is None else torch.from_numpy(mask).to(logits.device)
        best = logits.topk(min(CANDIDATES, len(logits))).indices.cpu()
        chosen = best[torch.from_numpy(lists.among(tuple(context), best.numpy().astype(np.int64)))]
        if not len(chosen):
            return None
        green = torch.zeros(len(logits), dtype=torch.bool)
        green[chosen] = True
        return green.to(logits.device)


def tail(row: Context, count: int) -> list[int] | None:
    """The last `count` ids of prompt and text; None where there are not so many."""
    written = list(row.written[max(0, len(row.written) - count) :])
    missing = count - len(written)
    if missing > len(row.prompt):
        return None
    return [*row.prompt[len(row.prompt) - missing :], *written]
