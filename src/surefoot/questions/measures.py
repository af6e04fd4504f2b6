"""Measures of decompositions and of what was found for them: Recall@k, kinds of steps, implicitness."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from surefoot.questions.question import Question
from surefoot.text.words import words_of

OPERATION, NO_EVIDENCE = "operation", "no_evidence"
StepKind = Literal["retrieval", "operation"]
FUNCTION_WORDS = frozenset(
    words_of(
        "a about after all also an and any are as at be because been before being between both but by can could did do"
        " does during each either for from had has have he her his how i if in into is it its many may might more most"
        " much must no not of on one or other same she should some such than that the their them then there these they"
        " this those through to under was we were what when where whether which while who whom whose why will with"
        " within without would yes you your"
    )
)


def recall_at(found: Sequence[str], evidence: Sequence[Sequence[Sequence[str]]], k: int = 10) -> float:
    """The share of gold documents among the first `k` found, for the annotator for whom it is largest.

    Formula: max over annotators a of |E_a and found[:k]| / |E_a|, where E_a is the set of all ids that a marked; 0 for
    an annotator who marked none. Source: allenai/strategyqa-evaluator. `evidence` is `Question.evidence`.
    """
    first = set(found[:k])
    marked = [{id for hop in annotator for id in hop} for annotator in evidence]
    return max((len(ids & first) / len(ids) for ids in marked if ids), default=0.0)


def step_kinds(evidence: Sequence[Sequence[Sequence[str]]]) -> tuple[StepKind, ...]:
    """The kind of each step by the majority of annotators; a tie is a retrieval step.

    `evidence[a][s]` holds what annotator a marked for step s: ids, `operation` or `no_evidence`. An annotator counts
    for an operation who marked `operation` and no document.
    """
    kinds: list[StepKind] = []
    for marks in zip(*evidence, strict=True):
        operations = sum(OPERATION in mark and not set(mark) - {OPERATION, NO_EVIDENCE} for mark in marks)
        kinds.append("operation" if 2 * operations > len(marks) else "retrieval")
    return tuple(kinds)


def implicitness(question: Question) -> float:
    """The share of content words of the decomposition that are not in the question; NaN where it has no content word.

    Words are compared without inflection, by a rule for English endings (`stem`); references and function words do not
    count. 0 for a decomposition that can be written with the question's own words, which makes it explicit.
    Source: Geva et al. 2021, section 2.1, where people judge it.
    """
    asked = set(_content(question.text))
    used = _content(" ".join(re.sub(r"#\d+", " ", step.text) for step in question.steps))
    return sum(word not in asked for word in used) / len(used) if used else float("nan")


def is_implicit(question: Question) -> bool:
    """Whether the decomposition cannot be written with the question's own words and function words alone: the test of
    Geva et al. 2021, section 2.1. False where the decomposition has no content word."""
    return implicitness(question) > 0


def stem(word: str) -> str:
    """An English word without its inflection, by rule: plural, -ed, -ing, doubled consonants and a last e."""
    for ending, instead in (("ies", "y"), ("ied", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("s", "")):
        base = word.removesuffix(ending) + instead
        if (
            word.endswith(ending)
            and len(base) >= 3
            and not word.endswith(("ss", "us", "is"))
            and re.search("[aeiouy]", base)
        ):
            word = re.sub(r"([bdgmnprt])\1$", r"\1", base)
            break
    return word.removesuffix("e") if len(word) > 3 else word


def _content(text: str) -> list[str]:
    return [stem(word) for word in words_of(text) if word not in FUNCTION_WORDS]
