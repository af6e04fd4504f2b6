"""Answers of an endpoint as choices and generations."""

from __future__ import annotations

import math
from collections.abc import Sequence

from surefoot.decoding.sampling import Sampling
from surefoot.endpoints.client import Answer
from surefoot.models.base import Choice, Generation, best
from surefoot.models.writing import before_stop


def next_token_scores(answer: Answer, options: Sequence[str]) -> Choice:
    """The log-probability of each option as the next token, minus infinity where it is not among the candidates.

    A candidate counts if it reads exactly as the option stands behind the prompt. Where none does, those count that
    read so without blanks around them, and their probabilities are added. An option that is not shown is less probable
    than all that are, so the best one is right unless none is shown; then there is none.
    """
    top = [(str(text), float(value)) for text, value in answer["top"]]
    scores = [_sum([value for text, value in top if text == option]) for option in options]
    if all(score == -math.inf for score in scores):
        bare = [option.strip() for option in options]
        scores = [_sum([value for text, value in top if text.strip(" ▁Ġ\n") == option]) for option in bare]
    return Choice(best(scores), tuple(scores), int(answer.get("prompt_tokens", 0)))


def generation_of(answer: Answer, sampling: Sampling) -> Generation:
    """A written text. Tokens have no ids where the endpoint shows none; they are numbered."""
    text, values = before_stop(str(answer["text"]), sampling.stop), tuple(answer["logprobs"])
    reason = "length" if answer["finish"] == "length" else "stop"
    return Generation(text, tuple(range(len(values))), values, reason, int(answer.get("prompt_tokens", 0)))  # type: ignore[arg-type]


def _sum(values: Sequence[float]) -> float:
    """log of the sum of exp."""
    if not values:
        return -math.inf
    most = max(values)
    return most + math.log(sum(math.exp(value - most) for value in values))
