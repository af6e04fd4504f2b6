"""What kind of step a text is, where nobody has marked evidence: a step to search for, or an operation on answers.

Steps that a decomposer wrote have no annotators (`surefoot.questions.measures.step_kinds` reads those); here the words
of a step tell its kind, by naive Bayes over marked steps.

Formula: log P(o) / P(r) + sum over the features f of a step of log P(f | o) / P(f | r), with
P(f | k) = (n_fk + 1) / (n_k + V) over the n_fk occurrences of f in steps of kind k, V features in all; above 0 is an
operation. Features are the words of a step, its first word as such, and how many answers it names (0, 1, 2 or more);
words that were never met are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log

from surefoot.errors import BadInput
from surefoot.questions.decomposition import REFERENCE, references
from surefoot.questions.measures import StepKind
from surefoot.questions.question import Question, Step
from surefoot.text.words import words_of

KINDS: tuple[StepKind, StepKind] = ("operation", "retrieval")


@dataclass(frozen=True)
class StepClassifier:
    """The trained classifier: `prior` and `weights` (by feature) in nats, positive towards an operation."""

    prior: float
    weights: Mapping[str, float]

    @classmethod
    def fit(cls, steps: Iterable[tuple[str, StepKind]]) -> StepClassifier:
        """Learns from texts and their kinds. Raises `BadInput` where a kind is missing or unknown."""
        counts: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
        seen: Counter[str] = Counter()
        for text, kind in steps:
            if kind not in counts:
                raise BadInput(f'"{kind}" is no kind of step; use {" or ".join(KINDS)}.')
            counts[kind].update(features(text))
            seen[kind] += 1
        missing = next((kind for kind in KINDS if not seen[kind]), None)
        if missing:
            raise BadInput(f'No step is of the kind "{missing}"; give some of both kinds.')
        operation, retrieval = (counts[kind] for kind in KINDS)
        known = sorted({*operation, *retrieval})
        total = log(retrieval.total() + len(known)) - log(operation.total() + len(known))
        weights = {f: log(operation[f] + 1) - log(retrieval[f] + 1) + total for f in known}
        return cls(log(seen["operation"]) - log(seen["retrieval"]), weights)

    def log_odds(self, text: str) -> float:
        """How much more likely the step is an operation than a search, in nats."""
        return self.prior + sum(self.weights.get(feature, 0.0) for feature in features(text))

    def kind(self, text: str) -> StepKind:
        """The likelier kind; a search where both are as likely."""
        return "operation" if self.log_odds(text) > 0 else "retrieval"


def features(text: str) -> list[str]:
    """The features of a step, repeated words repeated."""
    words = words_of(REFERENCE.sub(" ", text))
    first = [f"first:{words[0]}"] if words else []
    return [*words, *first, f"names:{min(2, len(references(text)))}"]


def marked_steps(questions: Iterable[Question]) -> list[tuple[str, StepKind]]:
    """All steps of questions with their kinds: an operation is one that no document answers."""
    return [(step.text, _kind(step)) for question in questions for step in question.steps]


def accuracy(classifier: StepClassifier, steps: Iterable[tuple[str, StepKind]]) -> float:
    """The share of steps whose kind is told rightly. Raises `BadInput` where there is no step."""
    right = [classifier.kind(text) == kind for text, kind in steps]
    if not right:
        raise BadInput("No steps were given to test on; give some.")
    return sum(right) / len(right)


def _kind(step: Step) -> StepKind:
    return "retrieval" if step.documents else "operation"
