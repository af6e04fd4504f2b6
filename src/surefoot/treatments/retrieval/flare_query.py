"""When FLARE searches and what for: the trigger, the masked sentence, the uncertain spans, rankings put together.

Nothing here needs a model: a draft is the texts of its tokens and their probabilities at temperature 1.
Source: Jiang et al. 2023 (EMNLP, arXiv:2305.06983), section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from surefoot.retrieval.retriever import Document

RULES = ("paper", "released")


def is_unlikely(probability: float, theta: float, rule: str = "paper") -> bool:
    """Whether a token is one that is doubted: p < theta, or under `rule="released"` p <= theta."""
    return probability <= theta if rule == "released" else probability < theta


def triggered(probabilities: Sequence[float], theta: float, rule: str = "paper") -> bool:
    """Whether a draft needs documents: some token has p < theta. theta 0 never searches, theta 1 always.

    `rule="released"` is that of the authors' code: p <= theta, and theta 0 switches the filter off, so that it always
    searches. A draft without tokens needs nothing under either.
    """
    if not probabilities:
        return False
    always = theta == 0 if rule == "released" else theta >= 1  # a probability may be rounded to 1
    return always or any(is_unlikely(p, theta, rule) for p in probabilities)


def masked(tokens: Sequence[str], probabilities: Sequence[float], beta: float) -> str:
    """The implicit query: each token with p < beta becomes a space (as in the authors' code); beta 0 is the draft."""
    kept = (" " if p < beta else token for token, p in zip(tokens, probabilities, strict=True))
    return "".join(kept).strip()


def uncertain_spans(probabilities: Sequence[float], beta: float, gap: int = 5) -> list[range]:
    """Stretches of tokens with p < beta; two that lie less than `gap` positions apart are in one stretch.

    With gap 2 a stretch is contiguous, as in the paper; 5 is the authors' code, whose stretches hold what is likely
    between two unlikely tokens too.
    """
    spans: list[range] = []
    for place in (place for place, p in enumerate(probabilities) if p < beta):
        if spans and place - spans[-1][-1] < gap:
            spans[-1] = range(spans[-1].start, place + 1)
        else:
            spans.append(range(place, place + 1))
    return spans


def whole_words(tokens: Sequence[str], span: range) -> str:
    """The text of a span, made longer to where its first word begins and its last word ends."""
    start, stop = span.start, span.stop
    while start > 0 and _joined(tokens[start - 1], tokens[start]):
        start -= 1
    while stop < len(tokens) and _joined(tokens[stop - 1], tokens[stop]):
        stop += 1
    return "".join(tokens[start:stop]).strip()


def _joined(left: str, right: str) -> bool:
    """Whether a word goes on from one token to the next."""
    return bool(left and right) and left[-1].isalnum() and right[0].isalnum()


def interleaved(rankings: Sequence[Sequence[Document]], k: int) -> tuple[Document, ...]:
    """One ranking of several: all first places in the order of the rankings, then all second ones, each document once,
    the first `k` of them."""
    rounds = (document for places in zip_longest(*rankings) for document in places if document is not None)
    first: dict[str, Document] = {}
    for document in rounds:
        first.setdefault(document.id, document)
    return tuple(first.values())[:k]
