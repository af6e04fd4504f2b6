"""The loop: token by token, one row a prompt, until every text has come to its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch

from surefoot.decoding.batch import Batch, has_ended
from surefoot.decoding.branch import Branch, Continuation
from surefoot.decoding.flow import Flow, Prepared, Text
from surefoot.decoding.rows import Draft, Vocabulary
from surefoot.decoding.sampling import Sampling

Watch = Callable[[int, Sequence[int], torch.Tensor], None]
"""Called at each step with the step, the indices of the rows still going, and their log-probabilities."""

Write = Callable[[Branch, Sequence[Draft], Sequence[Sampling], Vocabulary], None]
"""Writes the drafts of one batch to their end; a search that decides between whole texts has one of its own."""


def decode(
    continuation: Continuation,
    drafts: Sequence[Draft],
    samplings: Sequence[Sampling],
    vocabulary: Vocabulary,
    watch: Watch | None = None,
    how: Write | None = None,
) -> None:
    """Writes every draft on to its end, the longest prompts first; fewer together when memory runs out.

    `drafts` and `samplings` belong to the prompts of the continuation, in their order. Drafts grow as they are written,
    so what stands in them when the call is interrupted is what there was. Texts take the places of those that end; with
    `how`, which writes a batch, or `watch`, which sees its steps, each batch comes to its end before the next.
    """
    own = list(zip(drafts, samplings, strict=True))
    lengths = continuation.lengths
    own.sort(key=lambda t: (t[0].length if continuation.aligned else 0, -lengths[t[0].index], t[0].index))
    if how is None and watch is None:
        _flowing(continuation, own, vocabulary)
    else:
        _in_batches(continuation, own, vocabulary, how or partial(write, watch=watch))


def _flowing(continuation: Continuation, own: Sequence[tuple[Draft, Sampling]], vocabulary: Vocabulary) -> None:
    def prepare(texts: Sequence[Text]) -> Prepared:
        def opened(places: Sequence[int]) -> Branch:
            drafts = [texts[place].draft for place in places]
            return continuation.open([draft.index for draft in drafts], [draft.written for draft in drafts])

        return Prepared(opened, continuation.batch_tokens, continuation.aligned)

    flow: Flow[Text] = Flow(vocabulary, prepare)
    for draft, sampling in own:
        flow.put(Text(draft, sampling, continuation.lengths[draft.index]))
    while flow.take():
        pass


@torch.inference_mode()
def _in_batches(
    continuation: Continuation, own: Sequence[tuple[Draft, Sampling]], vocabulary: Vocabulary, how: Write
) -> None:
    waiting = [(draft, sampling) for draft, sampling in own if not has_ended(draft, sampling, vocabulary)]
    budget = continuation.batch_tokens
    while waiting:
        width = max(continuation.lengths[draft.index] + sampling.max_new_tokens for draft, sampling in waiting)
        taken = waiting[: max(1, budget // width)]
        if continuation.aligned:
            taken = [pair for pair in taken if pair[0].length == taken[0][0].length]
        drafts, samplings = zip(*taken, strict=True)
        before = [draft.length for draft in drafts]
        try:
            branch = continuation.open([draft.index for draft in drafts], [draft.written for draft in drafts])
            how(branch, drafts, samplings, vocabulary)
        except (torch.OutOfMemoryError, MemoryError):
            if len(taken) == 1:
                raise
            for draft, length in zip(drafts, before, strict=True):
                draft.cut(length)
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
    """Continues every row until an end token, a stop text or `max_new_tokens`."""
    batch, at = Batch(branch, drafts, samplings, vocabulary), 0
    while batch.lines:
        if watch:
            watch(at, [line.draft.index for line in batch.lines], torch.log_softmax(batch.step.logits, -1))
        batch.pick()
        batch.advance()
        at += 1
