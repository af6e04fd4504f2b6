"""A question with everything that is known about how it is answered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step of a decomposition. `text` may name the answer of an earlier step as `#k`, counted from 1.

    `documents` are ids of those that answer it; a step without any is an operation over earlier answers.
    """

    text: str
    answer: str = ""
    documents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """`answers` are the accepted ones, none where the corpus has no answer.

    `evidence` holds ids of the gold documents: annotator, hop, id from the outer tuple to the inner one.
    `reasoning` is a gold chain of thought, a sentence each; the last states the answer ("So the answer is: X.").
    `kind` names what makes it hard (`single`, `bridge`, `comparison`, `counterfactual`, `implicit`, `unanswerable`);
    `language` is an ISO 639-1 code or the name of a script.
    """

    id: str
    text: str
    answers: tuple[str, ...] = ()
    kind: str = ""
    evidence: tuple[tuple[tuple[str, ...], ...], ...] = ()
    steps: tuple[Step, ...] = ()
    reasoning: tuple[str, ...] = ()
    language: str = "en"

    @property
    def gold(self) -> tuple[str, ...]:
        """Ids of the gold documents of all annotators, each once, in the order of annotators and hops."""
        return tuple(dict.fromkeys(id for annotator in self.evidence for hop in annotator for id in hop))
