"""Logits at answer positions, with gradients: only where an answer is read, and shared prefixes once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from surefoot.models.branches import BLOCK_TOKENS
from surefoot.models.causal import CausalModel
from surefoot.models.local import LocalModel
from surefoot.models.prefix import plan
from surefoot.models.seq2seq import Seq2SeqModel
from surefoot.models.tree_runner import whole_logits
from surefoot.training.groups import Variant


def answer_logits(model: LocalModel, variants: Sequence[Variant]) -> list[torch.Tensor]:
    """For each variant the logits that its answer's tokens are read from, shape (answer tokens, vocabulary)."""
    if isinstance(model, Seq2SeqModel):
        return _decoder_logits(model, variants)
    assert isinstance(model, CausalModel)
    return _tree_logits(model, variants) if model.shares_prefixes else _padded_logits(model, variants)


def _tree_logits(model: CausalModel, variants: Sequence[Variant]) -> list[torch.Tensor]:
    """All variants as one prefix tree in one pass without padding."""
    paths = [(*v.prompt, *v.answer[:-1]) for v in variants]
    made = plan(paths, BLOCK_TOKENS)
    places = [made.places(path, len(v.prompt) - 1) for path, v in zip(paths, variants, strict=True)]
    logits = whole_logits(model.model, made, [place for row in places for place in row])
    model.tokens.add(sum(map(len, paths)), made.tokens)
    return list(torch.split(logits, [len(row) for row in places]))


def _padded_logits(model: CausalModel, variants: Sequence[Variant]) -> list[torch.Tensor]:
    """Rows padded on the left, so that all answers end together and the logits before them are never made."""
    rows = [(*v.prompt, *v.answer[:-1]) for v in variants]
    width, longest = max(map(len, rows)), max(len(v.answer) for v in variants)
    device = model.model.device
    ids = torch.tensor([[*[model.pad] * (width - len(row)), *row] for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    out = model.model(
        input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=longest
    )
    model.tokens.add(*2 * [sum(map(len, rows))])
    return [row[longest - len(v.answer) :] for row, v in zip(out.logits, variants, strict=True)]


def _decoder_logits(model: Seq2SeqModel, variants: Sequence[Variant]) -> list[torch.Tensor]:
    """Teacher forcing behind each encoded prompt."""
    device, opening = model.model.device, model.opening
    width, longest = max(len(v.prompt) for v in variants), max(len(v.answer) for v in variants)
    ids = torch.tensor([[*v.prompt, *[model.pad] * (width - len(v.prompt))] for v in variants], device=device)
    mask = torch.tensor([[1] * len(v.prompt) + [0] * (width - len(v.prompt)) for v in variants], device=device)
    shifted = [[*opening, *v.answer[:-1], *[model.pad] * (longest - len(v.answer))] for v in variants]
    out = model.model(
        input_ids=ids,
        attention_mask=mask,
        decoder_input_ids=torch.tensor(shifted, device=device),
        use_cache=False,
    )
    model.tokens.add(*2 * [sum(len(v.prompt) + len(v.answer) for v in variants)])
    first = len(opening) - 1
    return [row[first : first + len(v.answer)] for row, v in zip(out.logits, variants, strict=True)]
