"""How the facts of a question world are said: documents and questions by language, and documents read back.

Names are invented in Latin letters and written in another script syllable by syllable, so that a name stays one name.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from surefoot.worlds.names import SYLLABLES, types_and_relations

FORMS = Path(__file__).parent / "corpus_forms.json"
LANGUAGES = ("en", "ru", "hi", "th")
"""Latin, Cyrillic, Devanagari, and Thai, which is written without spaces."""
APART = {"en": " ", "ru": " ", "hi": " ", "th": ""}  # between the two words of a name
STRIDE = (
    7  # ending j is written as syllable 7 j + 3 of 65 in other scripts; 7 is coprime to 65, so none is written twice
)


class Statement(NamedTuple):
    """What a document says."""

    relation: str
    subject: str
    value: str


@cache
def forms() -> Mapping[str, Any]:
    """The file of forms, in NFC."""
    found: Mapping[str, Any] = json.loads(unicodedata.normalize("NFC", FORMS.read_text(encoding="utf-8")))
    return found


def document_forms(language: str, relation: str) -> Sequence[str]:
    """Templates with the slots `{subject}` and `{value}`."""
    found: Sequence[str] = forms()[language]["relations"][relation]["documents"]
    return found


def question_forms(language: str, relation: str) -> Sequence[str]:
    """Templates with the slot `{subject}`."""
    found: Sequence[str] = forms()[language]["relations"][relation]["questions"]
    return found


def filled(template: str, **slots: str) -> str:
    """The template with its slots filled; a filler is never read as a template."""
    return re.sub(r"\{(\w+)\}", lambda slot: slots[slot[1]], template)


def read_statement(text: str, language: str = "en") -> Statement | None:
    """What a document of a world states, read from its text alone; None where it is none of the forms."""
    for relation, pattern in _patterns(language):
        match = pattern.fullmatch(text)
        if match:
            return Statement(relation, match["subject"], match["value"])
    return None


def read_question(text: str, language: str = "en") -> tuple[str, str] | None:
    """The relation and the subject that a question of one hop asks for; None where it is none of the forms."""
    for relation, pattern in _question_patterns(language):
        match = pattern.fullmatch(text)
        if match:
            return relation, match["subject"]
    return None


def in_script(type: str, name: str, language: str) -> str:
    """An invented name, a trade or a year as it is written in a language."""
    if language == "en" or type == "year":
        return name
    told = types_and_relations()["types"][type]
    if type == "trade":
        return str(forms()[language]["trades"][told["names"].index(name)])
    ending = next(j for j, text in enumerate(told["endings"]) if name.endswith(text))
    stem = name.removesuffix(told["endings"][ending]).lower()
    last = _spelt(SYLLABLES[(STRIDE * ending + 3) % len(SYLLABLES)], language)
    words = (_spelt(stem, language) + last,) if type in ("town", "country") else (_spelt(stem, language), last)
    return APART[language].join(word.capitalize() for word in words)


def _spelt(stem: str, language: str) -> str:
    vowels = dict(zip("aeiou", forms()[language]["vowels"], strict=True))
    consonants = dict(zip("bdfgklmnprstv", forms()[language]["consonants"], strict=True))
    return "".join(consonants[stem[i]] + vowels[stem[i + 1]] for i in range(0, len(stem), 2))


@cache
def _patterns(language: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    relations = forms()[language]["relations"]
    return tuple((name, _pattern(form)) for name, told in relations.items() for form in reversed(told["documents"]))


@cache
def _question_patterns(language: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    relations = forms()[language]["relations"]
    return tuple((name, _pattern(form)) for name, told in relations.items() for form in told["questions"])


def _pattern(template: str) -> re.Pattern[str]:
    """The template as a pattern: a slot that stands twice must be filled alike."""
    seen: set[str] = set()
    pattern = ""
    for piece in re.split(r"(\{\w+\})", template):
        name = piece[1:-1]
        if not piece.startswith("{"):
            pattern += re.escape(piece)
        elif name in seen:
            pattern += f"(?P={name})"
        else:
            seen.add(name)
            pattern += rf"(?P<{name}>[^.,:?।]+?)"
    return re.compile(pattern)
