"""Contrastive search: of the most probable tokens, the one whose state is least like those of the text so far.

    argmax over the k most probable v of (1 - alpha) p(v) - alpha max over earlier j of cos(h_v, h_j)

Source: Su et al. 2022 (NeurIPS), arXiv:2202.06417.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.nn.functional import normalize

from surefoot.decoding.batch import alike, append, log_softmax_of
from surefoot.decoding.branch import Branch, Next
from surefoot.decoding.picking import offered
from surefoot.decoding.rows import Draft, Vocabulary
from surefoot.decoding.sampling import Sampling


class Past(NamedTuple):
    """Normalised states of what was read, shape (rows, places, width), and which places are real, (rows, places)."""

    states: torch.Tensor
    real: torch.Tensor

    def likeness(self, states: torch.Tensor) -> torch.Tensor:
        """The largest cosine of each candidate's state (rows, candidates, width) with those before it."""
        cosines = torch.einsum("rkw,rpw->rkp", normalize(states.float(), dim=-1), self.states)
        return cosines.masked_fill(~self.real[:, None], -torch.inf).amax(-1)

    def grown(self, states: torch.Tensor) -> Past:
        """With one state a row more, shape (rows, width)."""
        own = normalize(states.float(), dim=-1)[:, None]
        return Past(torch.cat([self.states, own], 1), torch.cat([self.real, self.real.new_ones(len(own), 1)], 1))

    def keep(self, rows: torch.Tensor) -> Past:
        return Past(self.states[rows], self.real[rows])


@torch.inference_mode()
def write_unlike(
    branch: Branch,
    drafts: Sequence[Draft],
    samplings: Sequence[Sampling],
    vocabulary: Vocabulary,
    alpha: float,
    candidates: int,
) -> None:
    """Writes every draft to its end. Each step is one pass over `candidates` continuations of each row."""
    source = source_of(branch)
    source.remembers = True
    rows, step = list(zip(drafts, samplings, strict=True)), branch.first()
    past = Past(*(part[: len(rows)] for part in source.states))
    past = past._replace(states=normalize(past.states.float(), dim=-1))
    while True:
        logp = _ranked(rows, step)
        count = min(candidates, logp.shape[-1])
        best = logp.topk(count)
        flat = torch.arange(len(rows), device=logp.device)
        branch.keep(flat.repeat_interleave(count))
        ahead = branch.next(best.indices.flatten())
        states = source.states.values[: len(rows) * count, -1].view(len(rows), count, -1)
        scores = (1 - alpha) * best.values.exp() - alpha * past.likeness(states)
        scores = scores.masked_fill(best.values == -torch.inf, -torch.inf)
        chosen = scores.argmax(-1)
        tokens = best.indices.gather(-1, chosen[:, None])[:, 0]
        parts = (log_softmax_of(part, tokens).tolist() for part in (step.logits, logp, step.plain))
        for (draft, sampling), token, values in zip(rows, tokens.tolist(), zip(*parts, strict=True), strict=True):
            append(draft, sampling, token, values, vocabulary)
        going = [place for place, (draft, _) in enumerate(rows) if draft.finish_reason == "interrupted"]
        if not going:
            return
        kept = torch.tensor(going, device=logp.device)
        past = past.grown(states[flat, chosen]).keep(kept)
        here = kept * count + chosen[kept]
        branch.keep(here)
        step, rows = Next(ahead.logits[here], ahead.plain[here]), [rows[place] for place in going]


def _ranked(rows: Sequence[tuple[Draft, Sampling]], step: Next) -> torch.Tensor:
    """log p of each row's next token, penalties included."""
    logp = torch.empty_like(step.logits)
    for sampling, places in alike(rows).items():
        logp[places] = torch.log_softmax(offered([rows[p][0] for p in places], step.logits[places], sampling), -1)
    return logp


def source_of(branch: Any) -> Any:
    """The model's own branch below rules and combinations: of several, the first, which reads the whole prompt."""
    while not hasattr(branch, "remembers"):
        branch = branch.branches[0] if hasattr(branch, "branches") else branch.branch
    return branch
