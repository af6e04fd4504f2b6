"""The loop: token by token, one row a prompt, each with its own settings, draws and end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from numpy.random import Generator

from surefoot.decoding.branch import Branch, Continuation, Next
from surefoot.decoding.picking import draws, offered, pick
from surefoot.decoding.rows import Draft, Vocabulary
from surefoot.decoding.sampling import Sampling

Watch = Callable[[int, Sequence[int], torch.Tensor], None]
"""Called at each step with the step, the indices of the rows still going, and their log-probabilities."""

Write = Callable[[Branch, Sequence[Draft], Sequence[Sampling], Vocabulary], None]
"""Writes the drafts of one batch to their end; a search that decides between whole texts has one of its own."""


@torch.inference_mode()
def decode(
    continuation: Continuation,
    drafts: Sequence[Draft],
    samplings: Sequence[Sampling],
    vocabulary: Vocabulary,
    watch: Watch | None = None,
    how: Write | None = None,
) -> None:
    """Writes every draft on to its end: batches of similar length, halved when memory runs out.

    `drafts` and `samplings` belong to the prompts of the continuation, in their order. Drafts grow as they are written,
    so what stands in them when the call is interrupted is what there was. `how` writes a batch, `write` by default.
    """
    how = how or partial(write, watch=watch)
    waiting = [d.index for d, s in zip(drafts, samplings, strict=True) if not _ended(d, s, vocabulary)]
    waiting.sort(key=lambda i: (len(drafts[i].written) if continuation.aligned else 0, -continuation.lengths[i], i))
    budget = continuation.batch_tokens
    while waiting:
        width = max(continuation.lengths[i] + samplings[i].max_new_tokens for i in waiting)
        taken = waiting[: max(1, budget // width)]
        if continuation.aligned:
            taken = [i for i in taken if len(drafts[i].written) == len(drafts[taken[0]].written)]
        before = [drafts[i].length for i in taken]
        try:
            branch = continuation.open(taken, [drafts[i].written for i in taken])
            how(branch, [drafts[i] for i in taken], [samplings[i] for i in taken], vocabulary)
        except (torch.OutOfMemoryError, MemoryError):
            if len(taken) == 1:
                raise
            for i, length in zip(taken, before, strict=True):
                drafts[i].cut(length)
            budget = width * (len(taken) // 2)
            continue
        waiting = waiting[len(taken) :]


def write(
    branch: Branch,
    drafts: Sequence[Draft],
    samplings: Sequence[Sampling],
    vocabulary: Vocabulary,
    watch: Watch | None = None,
) -> None:
    """Continues every row until an end token, a stop text or `max_new_tokens`. Finished rows leave the batch."""
    rows, step, at = list(zip(drafts, samplings, strict=True)), branch.first(), 0
    streams = {d.index: draws(s.seed, d) for d, s in rows if s.temperature}
    while True:
        if watch:
            watch(at, [draft.index for draft, _ in rows], torch.log_softmax(step.logits, -1))
        tokens, logprobs = _drawn(rows, step, streams)
        for (draft, sampling), token, values in zip(rows, tokens.tolist(), logprobs, strict=True):
            append(draft, sampling, token, values, vocabulary)
        going = [place for place, (draft, _) in enumerate(rows) if draft.finish_reason == "interrupted"]
        if not going:
            return
        if len(going) < len(rows):
            kept = torch.tensor(going, device=tokens.device)
            branch.keep(kept)
            tokens, rows = tokens[kept], [rows[place] for place in going]
        step, at = branch.next(tokens), at + 1


def _drawn(
    rows: Sequence[tuple[Draft, Sampling]], step: Next, streams: dict[int, Generator]
) -> tuple[torch.Tensor, list[tuple[float, float, float]]]:
    """The next token of each row, and its log-probability as offered, as drawn, and under the plain model."""
    tokens = torch.empty(len(rows), dtype=torch.long, device=step.logits.device)
    drawn = torch.empty(len(rows), dtype=step.logits.dtype, device=step.logits.device)
    for sampling, places in alike(rows).items():
        own = [rows[place][0] for place in places]
        logits = step.logits[places] if len(places) < len(rows) else step.logits
        uniforms = [streams[draft.index].random() for draft in own] if sampling.temperature else []
        scores = offered(own, logits, sampling)
        tokens[places] = picked = pick(scores, uniforms)
        drawn[places] = log_softmax_of(scores, picked)
    model = log_softmax_of(step.logits, tokens)
    plain = model if step.plain is step.logits else log_softmax_of(step.plain, tokens)
    return tokens, list(zip(model.tolist(), drawn.tolist(), plain.tolist(), strict=True))


def alike(rows: Sequence[tuple[Draft, Sampling]]) -> dict[Sampling, list[int]]:
    """Places of the rows that are picked in the same way."""
    places: dict[Sampling, list[int]] = {}
    for place, (_, sampling) in enumerate(rows):
        places.setdefault(sampling, []).append(place)
    return places


def log_softmax_of(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """log softmax(logits[row])[tokens[row]] of each row."""
    return logits.gather(-1, tokens[:, None])[:, 0] - logits.logsumexp(-1)


def append(
    draft: Draft, sampling: Sampling, token: int, logprobs: tuple[float, float, float], vocabulary: Vocabulary
) -> None:
    """Put a token behind a draft and note whether that ends it."""
    if token in vocabulary.ends:
        draft.weigh(logprobs)
        draft.finish_reason = "stop"
        return
    draft.add(token, logprobs)
    _ended(draft, sampling, vocabulary)


def _ended(draft: Draft, sampling: Sampling, vocabulary: Vocabulary) -> bool:
    """Whether a draft has come to its end, which is then noted."""
    if draft.finish_reason == "stop":
        return True
    if draft.written and sampling.stop:
        text = vocabulary.decode(draft.written)
        if any(stop in text for stop in sampling.stop):
            draft.finish_reason = "stop"
            return True
    draft.finish_reason = "length" if len(draft.written) >= sampling.max_new_tokens else "interrupted"
    return draft.finish_reason == "length"
