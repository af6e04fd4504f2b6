"""Metrics of answers, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from surefoot.errors import BadInput, nearest
from surefoot.metrics.answers import equal, exact_match, rouge_l, token_f1


@dataclass(frozen=True)
class Metric:
    """A rule for one answer. `chance` is the expected score of a guess; None where it depends on the item's options."""

    name: str
    rule: Callable[[str, str], float]
    chance: float | None
    citation: str
    graded: bool = False  # a single answer may score between 0 and 1
    direction: Literal["higher", "lower"] = "higher"

    def score(self, prediction: str, answers: Sequence[str]) -> float:
        """The best score over the accepted answers, 0..1; without an accepted answer `BadInput`."""
        if not answers:
            raise BadInput(f'An item scored by "{self.name}" has no accepted answer; give it at least one.')
        return max(self.rule(prediction, answer) for answer in answers)


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", equal, None, "share of right choices; chance is the mean of 1 / number of options"),
        Metric("exact_match", exact_match, 0.0, "Rajpurkar et al. 2016, SQuAD, arXiv:1606.05250"),
        Metric("token_f1", token_f1, 0.0, "Rajpurkar et al. 2016, SQuAD, arXiv:1606.05250", graded=True),
        Metric("rouge_l", rouge_l, 0.0, "Lin 2004, ROUGE, aclanthology.org/W04-1013", graded=True),
    )
}
"""Every metric by name."""


def metric(name: str) -> Metric:
    """The metric of this name."""
    if name not in METRICS:
        raise BadInput(f'"{name}" is not a metric.{nearest(name, METRICS)}')
    return METRICS[name]
