"""Context-aware decoding for the `generate` of the transformers library: a logits processor with a branch of its own.

    p(y) ~ softmax((1 + alpha) log p(y | c, x) - alpha log p(y | x))

`generate` computes p(y | c, x); the processor computes p(y | x) beside it, on the same model, with a cache, for a whole
batch. Relations: the treatment `cad` writes the same tokens in one pass for both, scores and chooses; take this one
where another program calls `generate`. The library's own guidance_scale does one row, and one strength, at a time.
Source: Shi et al. 2024 (NAACL), arXiv:2305.14739.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from transformers import LogitsProcessor

from surefoot.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor


class ContextAwareProcessor(LogitsProcessor):  # type: ignore[misc, unused-ignore]
    """Made for one call of `generate`, greedy or drawn.

    model: the transformers model that generates. bare: the prompts without their context, ids (rows, tokens), padded
    on the left. mask: 1 for each real token. alpha: one strength, or one a row; 0 is the model itself. Each step costs
    one more pass of the model over a token a row.
    """

    def __init__(self, model: Any, bare: Tensor, mask: Tensor, alpha: float | Sequence[float]) -> None:
        strengths = torch.as_tensor(alpha, dtype=torch.float32, device=bare.device)
        if not bool(((strengths >= 0) & strengths.isfinite()).all()):
            raise BadInput(f"alpha is {alpha}; use 0 (the model itself) or positive numbers, such as 0.5 or 1.")
        if strengths.ndim and len(strengths) != len(bare):
            raise BadInput(f"There are {len(strengths)} strengths for {len(bare)} prompts; give one each.")
        self.model, self.bare, self.mask = model, bare, mask
        self.alpha = strengths.expand(len(bare))[:, None]
        self.seen: int | None = None
        self.kept: dict[str, Any] = {}

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores (rows, vocabulary) of the next token, combined."""
        rows, length = input_ids.shape
        if rows != len(self.bare):
            raise BadInput(
                f"There are {rows} rows for {len(self.bare)} prompts; generate without beams, one text each."
            )
        if self.seen is not None and length != self.seen + 1:
            raise BadInput(f"A text of {length} tokens follows one of {self.seen}; make a new processor for each call.")
        plain = self._bare(input_ids, self.seen is None).log_softmax(-1)
        self.seen = length
        return (1 + self.alpha) * scores.float().log_softmax(-1) - self.alpha * plain

    @torch.inference_mode()
    def _bare(self, written: Tensor, is_first: bool) -> Tensor:
        """Logits without the context, behind what is written."""
        if self.model.config.is_encoder_decoder:
            if is_first:
                encoder = self.model.get_encoder()
                self.kept = {"encoder_outputs": encoder(input_ids=self.bare, attention_mask=self.mask)}
            new = {"decoder_input_ids": written if is_first else written[:, -1:], "attention_mask": self.mask}
        else:
            if not is_first:
                self.mask = torch.cat([self.mask, torch.ones_like(self.mask[:, :1])], 1)
            ids = self.bare if is_first else written[:, -1:]
            places = (self.mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
            new = {"input_ids": ids, "attention_mask": self.mask, "position_ids": places}
        out = self.model(**self.kept, **new, use_cache=True)
        self.kept["past_key_values"] = out.past_key_values
        logits: Tensor = out.logits[:, -1].float()
        return logits


def padded(rows: Sequence[Sequence[int]], filler: int, device: Any = None) -> tuple[Tensor, Tensor]:
    """Ids padded on the left, and their mask, both (rows, longest)."""
    width = max(map(len, rows))
    ids = torch.tensor([[filler] * (width - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask
