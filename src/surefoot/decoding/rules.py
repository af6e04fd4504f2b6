"""Rules of other origin: the transformers library's logits processors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from surefoot.decoding.rows import Row


class FromTransformers:
    """Any `LogitsProcessor` of the transformers library, or a `LogitsProcessorList` of several, as a rule.

    It sees prompt and text of a row without padding: rows of different lengths are given to it separately.
    """

    def __init__(self, processor: Any) -> None:
        self.processor = processor

    def __call__(self, rows: Sequence[Row], logits: torch.Tensor) -> torch.Tensor:
        changed = torch.empty_like(logits)
        by_length: dict[int, list[int]] = {}
        for place, row in enumerate(rows):
            by_length.setdefault(len(row.prompt) + len(row.written), []).append(place)
        for places in by_length.values():
            ids = torch.tensor([rows[place].ids for place in places], device=logits.device)
            changed[places] = self.processor(ids, logits[places].clone()).to(logits.dtype)
        return changed
