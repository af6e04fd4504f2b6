"""The probabilities of given texts: what a client asks for with `echo`, and what a probe scores by."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from surefoot.decoding.rows import Draft
from surefoot.errors import SurefootError
from surefoot.serve.jobs import Piece, Weighed, Weighing, guarded, top_of
from surefoot.text.prompt import Part, TokenPrompt

if TYPE_CHECKING:
    import torch

WEIGHED = 2048  # distributions that are held at a time
CHUNK = 64  # rows of logits that are made float32 at a time


def weigh(jobs: Sequence[Weighing]) -> None:
    """The probabilities of given texts, a few at a time; what they begin with alike is computed once."""
    pending = list(jobs)
    while pending:
        part: list[Weighing] = []
        held = 0
        while pending and (not part or held + pending[0].rows <= WEIGHED):
            held += pending[0].rows
            part.append(pending.pop(0))
        guarded(part, lambda own=part: _weigh_together(own))


def _weigh_together(jobs: Sequence[Weighing]) -> None:
    """In one batch; where one of the texts is refused, each on its own."""
    answers = [[[*job.ids[job.start :], *job.ids[: job.looks_on]]] for job in jobs]
    try:
        found = jobs[0].model.forced([_read_first(job) for job in jobs], answers)
    except SurefootError:
        if len(jobs) == 1:
            raise
        for job in jobs:
            guarded([job], lambda one=job: _weigh_together([one]))
        return
    before, top = Piece(), 0
    for job, forced in zip(jobs, found, strict=True):
        before = weighed(job, forced.logits[0], before.tokens if job.top == top and not job.last else ())
        top = job.top
        job.tell(before)


def _read_first(job: Weighing) -> TokenPrompt:
    """What stands before the tokens that are weighed. Its text is for treatments that change texts."""
    ids = tuple(job.ids[: job.start])
    return TokenPrompt((Part("input", job.model.vocabulary.decode(ids)),), ids)


def weighed(job: Weighing, logits: torch.Tensor, before: Sequence[Weighed] = ()) -> Piece:
    """What was asked, from logits (rows, vocabulary) behind each token before one that is asked for; where the job
    looks on, the last row is of what comes next.

    What a text weighed `before`, with as many alternatives, begins with alike is taken from there.
    """
    from surefoot.decoding.picking import draws, offered, pick

    tokens, ends = list(job.ids[job.start :]), job.model.vocabulary.ends
    if job.sampling is not None:
        row, last = Draft(0, job.ids), logits[-1:].float()
        uniforms = [draws(job.sampling.seed, row).random()] if job.sampling.temperature else []
        tokens += pick(offered([row], last, job.sampling), uniforms).tolist()
    alike = takewhile(lambda pair: pair[0].token == pair[1], zip(before, job.ids, strict=False))
    known = [one for one, _ in alike] or [Weighed(token, float("nan")) for token in job.ids[: job.start]]
    new = slice(len(known) - job.start, len(tokens))
    values, tops = _read(logits[new], tokens[new], job.top)
    found = (*known, *map(Weighed, tokens[new], values, tops))
    ended = job.sampling is not None and tokens[-1] in ends
    return Piece(tokens=found, finish_reason="stop" if ended else "length", prompt_tokens=len(job.ids))


def _read(logits: torch.Tensor, tokens: Sequence[int], top: int) -> tuple[list[float], list[Any]]:
    """log p of each token, and the most probable tokens of each row with theirs."""
    import torch

    values: list[float] = []
    tops: list[Any] = []
    wanted = torch.tensor(list(tokens), device=logits.device)[:, None]
    for start in range(0, len(tokens), CHUNK):
        part = logits[start : start + CHUNK].float()
        norms = part.logsumexp(-1, keepdim=True)
        values += (part.gather(-1, wanted[start : start + CHUNK]) - norms)[:, 0].tolist()
        tops += top_of(part, top, norms)
    return values, tops
