"""What is measured of one answer: the answer itself, and the gold documents among those that were read."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import NamedTuple

from surefoot.metrics import metric
from surefoot.models.base import Generation
from surefoot.probes.asking import first_line
from surefoot.questions.question import Question
from surefoot.text.chains import MARKER

_MARKED = re.compile(rf"{MARKER}:?[^\S\n]*([^\n]*[^\s:][^\n]*)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)")
_INITIAL = re.compile(r"(?:^|\W)[^\W\d_]$")


class Read(NamedTuple):
    """An answer as it is scored, and whether it stood behind the marker."""

    answer: str
    marked: bool


class Recall(NamedTuple):
    """Share of the gold documents that were read, over all hops and of each hop."""

    whole: float
    hops: tuple[float, ...]


def read_answer(text: str) -> Read:
    """The answer behind the first "answer is", up to the end of its sentence; without one the first line of the text.

    The first, because a small model goes on with questions of its own. A full stop ends the sentence where white space
    or nothing follows, but not behind a single letter ("J. Doe", "U.S. Steel"). A JSON list is read as its texts.
    """
    found = _MARKED.search(text)
    if not found:
        return Read(first_line(text), False)
    behind = found[1].strip()
    ends = (m.start() for m in _SENTENCE_END.finditer(behind) if not _INITIAL.search(behind[: m.start()]))
    return Read(_unlisted(behind[: next(ends, len(behind))].strip()), True)


def _unlisted(answer: str) -> str:
    """The texts of a JSON list, with commas between them; anything else as it is."""
    try:
        texts = json.loads(answer) if answer.startswith("[") else None
    except ValueError:
        return answer
    return ", ".join(texts) if isinstance(texts, list) and all(isinstance(text, str) for text in texts) else answer


def score_answer(answer: str, question: Question) -> tuple[float, float]:
    """(exact match, word F1), each the best over the accepted answers; 0 for an empty answer."""
    if not answer:
        return 0.0, 0.0
    return metric("exact_match").score(answer, question.answers), metric("token_f1").score(answer, question.answers)


def recall(read: Collection[str], evidence: tuple[tuple[tuple[str, ...], ...], ...]) -> Recall | None:
    """Recall of the annotator whose documents were found best, the first of equals; None without gold documents.

    Formula: max over annotators a of |G_a intersect R| / |G_a|, with R the documents read and G_a the union of the
    hops of a; a hop's recall is the same over its own documents, NaN for a hop without any. Source: Geva et al. 2021
    (StrategyQA), whose scorer also takes the maximum over annotators.
    """
    scored = [Recall(_share(read, _union(hops)), tuple(_share(read, hop) for hop in hops)) for hops in evidence]
    usable = [one for one in scored if one.whole == one.whole]
    return max(usable, key=lambda one: one.whole, default=None)


class Cost(NamedTuple):
    """What an answer took: sentences written, calls of the model, searches, tokens written."""

    steps: int
    calls: int
    searches: int
    tokens: int


def cost(generation: Generation) -> Cost:
    """Of the trace; a model without one wrote once and searched nothing."""
    trace = generation.trace
    if trace is None:
        return Cost(1, 1, 0, len(generation.token_ids))
    return Cost(sum(event.kind == "write" for event in trace.events), trace.calls, trace.searches, trace.tokens)


def _union(hops: tuple[tuple[str, ...], ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(id for hop in hops for id in hop))


def _share(read: Collection[str], gold: tuple[str, ...]) -> float:
    return sum(id in read for id in gold) / len(gold) if gold else float("nan")
