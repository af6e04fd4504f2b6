"""A world of documents and of questions about them, of which everything is known.

    from surefoot.worlds.corpora import QuestionWorld
    world = QuestionWorld(seed=0, size=1_000_000)
    world.documents[17], world.questions[3]

The documents state facts of invented people, towns, countries and companies (`surefoot.worlds.facts`), one a document,
in several surface forms. Between them stand distractors, which state a wrong value for an entity of a similar name, and
contradictions, which state another value for the same entity. Each is a function of its place and the seed, computed
when it is asked for, so that a corpus of a million documents opens at once. Questions never rest on a contradicted
fact, except those of the kind `contradicted`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import overload

from surefoot.errors import BadInput, nearest
from surefoot.questions.question import Question
from surefoot.retrieval.retriever import Document
from surefoot.worlds.corpus_forms import LANGUAGES
from surefoot.worlds.corpus_layout import BLOCK, Layout
from surefoot.worlds.corpus_questions import MAKERS, questions_of
from surefoot.worlds.corpus_section import Section

KINDS = ("single", "bridge", "comparison", "counterfactual", "implicit", "unanswerable")
ALL_KINDS = tuple(MAKERS)
FEWEST, MOST = 100, 1_000_000
APART = 1_000_003  # between the seeds of two languages' facts


class Documents(Sequence[Document]):
    """The documents of all languages, one language behind the other. Nothing is kept in memory."""

    def __init__(self, sections: Sequence[Section]) -> None:
        self.sections = tuple(sections)

    def __len__(self) -> int:
        return sum(map(len, self.sections))

    @overload
    def __getitem__(self, place: int) -> Document: ...
    @overload
    def __getitem__(self, place: slice) -> list[Document]: ...
    def __getitem__(self, place: int | slice) -> Document | list[Document]:
        """The document at a place."""
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        place %= len(self)
        for section in self.sections:
            if place < len(section):
                return section[place]
            place -= len(section)
        raise IndexError(place)

    def find(self, id: str) -> Document:
        """The document with an id. Raises `BadInput` where there is none."""
        language, _, place = id.partition("-")
        for section in self.sections:
            if section.language == language and place.isdecimal() and int(place) < len(section):
                return section[int(place)]
        raise BadInput(f'No document has the id "{id}"; ids run from "{self[0].id}" to "{self[-1].id}".')


@dataclass(frozen=True)
class QuestionWorld:
    """`size` documents and `count` questions, the kinds taking turns; all is a function of these settings.

    Of every 20 documents, `distractors` state a wrong value for an entity of a similar name and `contradictions` state
    another value for an entity of which a document states the true one. `languages` (`en`, `ru`, `hi`, `th`: Latin,
    Cyrillic, Devanagari, and Thai, written without spaces) share the documents evenly; questions of the kinds `single`,
    `unanswerable` and `contradicted` take turns among them, the others are in English. `balanced`: implicit questions
    come in pairs of a strategy with both answers; else a coin is thrown at every draw, also after one that failed,
    which leaves two yes in five. Raises `BadInput` for settings that no world has.

    >>> QuestionWorld(kinds=("bridge",)).questions[0].reasoning[-1]
    'So the answer is: 1672.'
    """

    seed: int = 0
    size: int = 1000
    kinds: tuple[str, ...] = KINDS
    count: int = 100
    languages: tuple[str, ...] = ("en",)
    distractors: int = 3
    contradictions: int = 1
    balanced: bool = True

    def __post_init__(self) -> None:
        if not FEWEST <= self.size <= MOST:
            raise BadInput(f"size is {self.size}; a world of questions has {FEWEST} to {MOST:,} documents.")
        if self.count < 1:
            raise BadInput(f"count is {self.count}; ask at least one question.")
        _refuse("kind of question", self.kinds, ALL_KINDS)
        _refuse("language", self.languages, LANGUAGES)
        if self.languages[0] != "en":
            raise BadInput(
                f'The first language is "{self.languages[0]}"; it must be "en", which all kinds can be asked in.'
            )
        if min(self.distractors, self.contradictions) < 0 or self.distractors + self.contradictions > BLOCK // 2:
            raise BadInput(
                f"{self.distractors} distractors and {self.contradictions} contradictions were asked for in every"
                f" {BLOCK} documents; ask for {BLOCK // 2} together at most."
            )

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The documents of each language."""
        share, rest = divmod(self.size, len(self.languages))
        found = []
        for turn, language in enumerate(self.languages):
            key = self.seed + APART * LANGUAGES.index(language)
            size = share + (turn < rest)
            layout = Layout(size, self.distractors, self.contradictions, f"{language}/{self.seed}")
            found.append(Section(language, key, layout))
        return tuple(found)

    @property
    def documents(self) -> Documents:
        """All documents, computed when they are asked for."""
        return Documents(self.sections)

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """All questions, no text twice. Raises `BadInput` where the world is too small for so many."""
        return questions_of(self.sections, self.kinds, self.count, self.seed, self.balanced)


def _refuse(what: str, asked: Sequence[str], known: Sequence[str]) -> None:
    unknown = next((name for name in asked if name not in known), None)
    if unknown is not None:
        raise BadInput(f'There is no {what} "{unknown}".{nearest(unknown, known)}')
    if not asked or len(set(asked)) < len(asked):
        raise BadInput(f"{', '.join(asked) or 'Nothing'} was asked for; name each {what} once.")
