"""A reader that is always right about what the documents of a world state: the oracle of its questions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from surefoot.questions.question import Step
from surefoot.retrieval.retriever import Document
from surefoot.worlds.corpus_forms import LANGUAGES, read_question, read_statement

UNKNOWN = ""
BEFORE = re.compile(r"Is (?P<one>\d+) before (?P<two>\d+)\?")
SAME = re.compile(r"Is (?P<one>.+) the same as (?P<two>.+)\?")
EXTREME = re.compile(
    r"Which of (?P<a>.+) \((?P<one>\d+)\) and (?P<b>.+) \((?P<two>\d+)\) has the (?P<way>\w+) number\?"
)


@dataclass(frozen=True)
class Table:
    """(relation, subject) -> value, as the first document that speaks of it says."""

    values: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, documents: Iterable[Document]) -> Table:
        """The table of documents, read from their text alone; documents of no world are passed over."""
        values: dict[tuple[str, str], str] = {}
        for document in documents:
            stated = next(filter(None, (read_statement(document.text, language) for language in LANGUAGES)), None)
            if stated:
                values.setdefault((stated.relation, stated.subject), stated.value)
        return cls(values)

    def answer(self, text: str, step: Step | None = None) -> str:
        """The answer of one step whose references are filled: looked up or computed; empty where it is not known."""
        for pattern, compute in OPERATIONS:
            match = pattern.fullmatch(text)
            if match:
                return compute(match)
        asked = next(filter(None, (read_question(text, language) for language in LANGUAGES)), None)
        return self.values.get(asked, UNKNOWN) if asked else UNKNOWN


def _before(match: re.Match[str]) -> str:
    return "yes" if int(match["one"]) < int(match["two"]) else "no"


def _same(match: re.Match[str]) -> str:
    return "yes" if match["one"] == match["two"] else "no"


def _extreme(match: re.Match[str]) -> str:
    first = (int(match["one"]) < int(match["two"])) == (match["way"] == "smaller")
    return match["a"] if first else match["b"]


OPERATIONS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (BEFORE, _before),
    (SAME, _same),
    (EXTREME, _extreme),
)
