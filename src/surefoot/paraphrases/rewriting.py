"""Rules that rewrite one line of English without a model: each gives the line anew, or None where it does not apply.

Their words are data: `rules.json` and `synonyms.jsonl`.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from surefoot.paraphrases.sentences import (
    HERE,
    bare,
    indirect,
    is_plain,
    is_question,
    lower_first,
    patterns,
    put,
    request,
    sentences,
    upper_first,
    words,
)

Rule = Callable[[str, random.Random], str | None]
_BACKWARD = re.compile(r"\b(?:its|it|them|they|those|such|one|that word)\b", re.IGNORECASE)
"""A sentence with one of these needs the sentence before it."""


def polite(line: str, rng: random.Random) -> str | None:
    """`Choose one.` -> `Please choose one.`, and back."""
    if re.match(r"please\b,? ", line, re.IGNORECASE):
        return upper_first(re.sub(r"^please\b,? ", "", line, flags=re.IGNORECASE))
    return _in_shell(line, "polite", rng, plain=False)


def question(line: str, rng: random.Random) -> str | None:
    """`Choose one.` -> `Could you choose one?`"""
    return _in_shell(line, "question", rng)


def describe(line: str, rng: random.Random) -> str | None:
    """`Choose one.` -> `Your task is to choose one.`"""
    return _in_shell(line, "describe", rng)


def ask(line: str, rng: random.Random) -> str | None:
    """`Is it so?` -> `Tell me: is it so?`"""
    found = _first(line, lambda sentence: sentence if is_question(sentence) and is_plain(sentence) else None)
    return None if found is None else put(line, found.place, _shell("ask", rng).format(lower_first(found.value)))


def embed(line: str, rng: random.Random) -> str | None:
    """`Does the word fit?` -> `Say whether the word fits.`"""
    found = _first(line, indirect)
    if found is None:
        return None
    shell = _shell("embed_whether" if found.value.startswith("whether ") else "embed", rng)
    return put(line, found.place, f"{shell.format(found.value)}.")


def role(line: str, rng: random.Random) -> str | None:
    """`You tag posts. ...` -> `Imagine that you tag posts. ...`"""
    first = sentences(line)[0]
    if not re.match(r"(?:You (?!will|can|may|must|should|have|need)|Someone )", first) or not is_plain(first):
        return None
    return put(line, 0, _shell("role", rng).format(lower_first(first)))


def order(line: str, _: random.Random) -> str | None:
    """`Is it so? Answer yes or no.` -> `Answer yes or no: is it so?`"""
    parts = sentences(line)
    if len(parts) != 2 or not all(is_plain(part) for part in parts) or _BACKWARD.search(parts[1]):
        return None
    first, second = parts
    if not request(second):
        return None
    if patterns().answering.match(second) and (is_question(first) or request(first)):
        return f"{bare(second)}: {lower_first(first)}"
    return f"{second} {first}" if re.match(r"(?:You|Someone) ", first) else None


def join(line: str, _: random.Random) -> str | None:
    """`Choose one. Answer with it.` -> `Choose one, and answer with it.`"""
    parts = sentences(line)
    if len(parts) != 2 or not all(request(part) and is_plain(part) for part in parts):
        return None
    return f"{bare(parts[0])}, and {lower_first(parts[1])}"


def split(line: str, _: random.Random) -> str | None:
    """`Choose one and answer with it.` -> `Choose one. Answer with it.`"""
    found = _first(line, lambda s: patterns().splitting.match(s) if request(s) and is_plain(s) else None)
    if found is None:
        return None
    return put(line, found.place, f"{found.value['first']}. {upper_first(found.value['second'])}")


STRUCTURE: Mapping[str, Rule] = {
    "polite": polite,
    "question": question,
    "describe": describe,
    "ask": ask,
    "embed": embed,
    "role": role,
    "order": order,
    "join": join,
    "split": split,
}
"""Rules that change the shape of a sentence; a paraphrase has at most one of them."""


def synonyms(line: str, rng: random.Random) -> str | None:
    """Each phrase of the table replaced by one with the same meaning, or left, by chance; None where all were left."""

    def other(match: re.Match[str]) -> str:
        phrase = match.group()
        if rng.random() < 0.4:
            return phrase
        replacement = rng.choice([same for same in _synonyms()[phrase.lower()] if same != phrase.lower()])
        return upper_first(replacement) if phrase[0].isupper() else replacement

    changed = _synonym_pattern().sub(other, line)
    return changed if changed != line else None


def punctuation(line: str, rng: random.Random) -> str | None:
    """The final stop left out and, in a single sentence, perhaps the first letter small: typed in a hurry."""
    if not line.endswith(".") or line.endswith("..."):
        return None
    single = len(sentences(line)) == 1
    return lower_first(line[:-1]) if single and rng.random() < 0.5 else line[:-1]


@lru_cache(maxsize=1)
def _synonyms() -> Mapping[str, list[str]]:
    lines = (HERE / "synonyms.jsonl").read_text(encoding="utf-8").splitlines()
    groups = [json.loads(line)["same"] for line in lines]
    return {phrase: group for group in groups for phrase in group}


@lru_cache(maxsize=1)
def _synonym_pattern() -> re.Pattern[str]:
    phrases = sorted(_synonyms(), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, phrases))})\b", re.IGNORECASE)


class _Found(NamedTuple):
    place: int
    value: Any


def _first(line: str, look: Callable[[str], Any]) -> _Found | None:
    found = ((i, look(sentence)) for i, sentence in enumerate(sentences(line)))
    return next((_Found(i, value) for i, value in found if value is not None), None)


def _shell(name: str, rng: random.Random) -> str:
    return str(rng.choice(words()["shells"][name]))


def _in_shell(line: str, name: str, rng: random.Random, plain: bool = True) -> str | None:
    found = _first(line, lambda sentence: request(sentence) if is_plain(sentence) or not plain else None)
    return None if found is None else put(line, found.place, found.value.within(_shell(name, rng)))
