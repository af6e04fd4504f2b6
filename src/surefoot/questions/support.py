"""Which sentences of a chain of thought are supported by the documents that stood before the model, and which are true.

    claims       the sentences that were written, without those that only conclude, calculate or say "answer is"
    unsupported  claims that no document shown at the time supports
    untrue       claims that the table of a world does not entail

A sentence of a form that a world is written in is supported by a document that states the same, and by nothing else.
Any other sentence is supported by a document that has all of its names and numbers, and at least `SHARE` of its content
words, inflection aside: a rule about words, so that a wrong relation between the right names passes, and a bare name is
supported wherever it stands.
Source: Trivedi et al. 2023 (ACL, arXiv:2212.10509), section 5.3, where people count questions with a false sentence.
Relations: `surefoot.metrics.support` gives the share of words, whatever the document they stand in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from surefoot.models.trace import Shown, Trace
from surefoot.questions.measures import FUNCTION_WORDS, stem
from surefoot.retrieval.retriever import Document
from surefoot.text.chains import MARKER, is_reasoning
from surefoot.text.sentences import sentences
from surefoot.text.words import words_of
from surefoot.worlds.corpora import QuestionWorld
from surefoot.worlds.corpus_forms import LANGUAGES, Statement, read_statement

SHARE = 0.5
_WORD = re.compile(r"\w+")
_CONCLUSION = re.compile(MARKER, re.IGNORECASE)


class Claim(NamedTuple):
    """A sentence that states something, and the documents that stood before the model when it was written."""

    text: str
    documents: tuple[Shown, ...]


Judge = Callable[[Claim], bool | None]
"""Whether a claim holds; None where that cannot be told."""


@dataclass(frozen=True)
class Hallucinations:
    """Claims of some texts, those against which there is something, and those of which it cannot be told.

    `texts` with at least one such claim are counted in `tainted`, which is what the paper counts.
    """

    texts: int = 0
    claims: int = 0
    failed: int = 0
    untold: int = 0
    tainted: int = 0

    @property
    def share(self) -> float:
        """Failed ones of the claims that could be told; NaN without any."""
        told = self.claims - self.untold
        return self.failed / told if told else math.nan


def claims_of(trace: Trace) -> tuple[Claim, ...]:
    """The claims of a text, sentence by sentence of what was written and of what a reader wrote at the end."""
    written = (event for event in trace.events if event.kind in ("write", "read"))
    return tuple(
        Claim(span.text, event.documents)
        for event in written
        for span in sentences(event.text)
        if words_of(span.text) and not is_reasoning(span.text) and not _CONCLUSION.search(span.text)
    )


def is_supported(claim: Claim) -> bool:
    """Whether one of the documents shown states what the claim states; by words where it has no form of a world."""
    stated = statement_of(claim.text)
    if stated is None:
        return any(_has_words(claim.text, document) for document in claim.documents)
    return any(statement_of(document.text) == stated for document in claim.documents)


def is_true(world: QuestionWorld, claim: Claim) -> bool | None:
    """Whether the world's table of facts entails a claim; None for a sentence of no form of the world.

    The table is what the world is made from: neither distractors nor contradictions are in it.
    """
    for section in world.sections:
        stated = read_statement(claim.text, section.language)
        if stated is not None:
            number = section.number(stated.relation, stated.subject)
            return number is not None and section.truth(number) == stated
    return None


def true_in(world: QuestionWorld) -> Judge:
    """The judge of a world."""
    return partial(is_true, world)


def hallucinations(traces: Iterable[Trace], judge: Judge = is_supported) -> Hallucinations:
    """How many claims do not hold in the eyes of a judge: unsupported ones, or with `true_in(world)` untrue ones."""
    texts = claims = failed = untold = tainted = 0
    for trace in traces:
        verdicts = [judge(claim) for claim in claims_of(trace)]
        own = sum(verdict is False for verdict in verdicts)
        texts, claims, failed = texts + 1, claims + len(verdicts), failed + own
        untold, tainted = untold + verdicts.count(None), tainted + bool(own)
    return Hallucinations(texts, claims, failed, untold, tainted)


def statement_of(text: str) -> Statement | None:
    """What a text states, where it is written in a form of a world, in any of its languages."""
    found: Iterable[Statement | None] = (read_statement(text.strip(), language) for language in LANGUAGES)
    return next(filter(None, found), None)


def _has_words(sentence: str, document: Document | Shown) -> bool:
    """Whether a document, its title included, has a sentence's names and numbers and enough of its other words."""
    known = {stem(word) for word in words_of(f"{document.title} {document.text}")}
    named = (word for word in _WORD.findall(sentence) if word[0].isupper() or any(map(str.isdigit, word)))
    names = {stem(word) for word in _content(" ".join(named))}
    words = {stem(word) for word in _content(sentence)}
    return names <= known and len(words & known) >= SHARE * len(words)


def _content(text: str) -> Sequence[str]:
    return [word for word in words_of(text) if word not in FUNCTION_WORDS]
