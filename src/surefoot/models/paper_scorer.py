"""The released step-product scorer of Sun et al. (2024), with its defects, kept for comparison with published numbers.

    score = prod_k p_k[label_k],  k < min(shortest label, 32)

p_k is the model's distribution at greedy step k, conditioned on its own greedy prefix and not on the label's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Choice, TokenCount, best

if TYPE_CHECKING:
    import torch

    from surefoot.decoding.branch import Continuation
    from surefoot.decoding.rows import Vocabulary

PAPER_NEW_TOKENS = 32  # at most this many greedy steps


def step_product(
    continuation: Continuation, options: Sequence[Sequence[str]], vocabulary: Vocabulary, tokens: TokenCount
) -> list[Choice]:
    """The best option of each prompt of the continuation."""
    from surefoot.decoding.loop import decode
    from surefoot.decoding.rows import Draft

    labels = [vocabulary.labels(choices) for choices in options]
    steps = [min([PAPER_NEW_TOKENS, *map(len, choices)]) for choices in labels]
    logs = [[0.0] * len(choices) for choices in labels]

    def watch(step: int, rows: Sequence[int], logp: torch.Tensor) -> None:
        for place, row in enumerate(rows):
            if step < steps[row]:
                for k, label in enumerate(labels[row]):
                    logs[row][k] += float(logp[place, label[step]])

    drafts = [Draft(index, prompt) for index, prompt in enumerate(continuation.prompts)]
    decode(continuation, drafts, [Sampling(max_new_tokens=max(steps, default=1))] * len(drafts), vocabulary, watch)
    tokens.asked += sum(continuation.lengths) + sum(len(draft.logprobs) for draft in drafts)
    return [
        Choice(best(scores), tuple(scores), length, truncated)
        for scores, length, truncated in zip(logs, continuation.lengths, continuation.truncated, strict=True)
    ]
