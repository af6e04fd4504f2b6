"""The shapes of English sentences that the rules know: requests, questions, and questions inside other sentences.

Shapes are patterns over the words of `rules.json`, not grammar. What fits none of them is left alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
Build = Callable[[Mapping[str, str]], str]
_GAP = re.compile(r"(?:(?<=\w\w[.?!])|(?<=[\ue000-\uf8ff][.?!]))\s+(?=[A-Z\ue000-\uf8ff])")


def sentences(line: str) -> list[str]:
    """The sentences of a line."""
    return _GAP.split(line)


def put(line: str, index: int, sentence: str) -> str:
    """The line with its sentence at `index` replaced."""
    parts = sentences(line)
    return " ".join([*parts[:index], sentence, *parts[index + 1 :]])


def lower_first(text: str) -> str:
    """The text as it goes on inside a sentence."""
    return text if text.startswith(("I ", "I'")) else text[:1].lower() + text[1:]


def upper_first(text: str) -> str:
    """The text as a sentence begins."""
    return text[:1].upper() + text[1:]


def bare(sentence: str) -> str:
    """The sentence without its final stop; an ellipsis stays."""
    return sentence if sentence.endswith("...") else sentence.rstrip(".!")


def stopped(text: str) -> str:
    """The text with a full stop where it has no end of its own."""
    return text if text.endswith(("?", ".", "!", ":")) else f"{text}."


def is_question(sentence: str) -> bool:
    """Whether the sentence ends in a question mark."""
    return sentence.endswith("?")


def is_plain(sentence: str) -> bool:
    """No colon and no dots in it, so that it can stand inside another sentence."""
    return ":" not in sentence and "..." not in sentence


class Request(NamedTuple):
    """`From the list, give it.` as the opener `from the list, ` and the request `give it.`"""

    opener: str
    request: str

    def within(self, shell: str) -> str:
        """The shell around the request, behind the opener."""
        return stopped(upper_first(self.opener + shell.format(bare(self.request))))


def request(sentence: str) -> Request | None:
    """The sentence taken apart where it begins, or goes on after a short opener, with a known verb."""
    match = patterns().request.match(sentence)
    if not match or is_question(sentence):
        return None
    opener = match["opener"] or ""
    return Request(lower_first(opener), lower_first(sentence[len(opener) :]))


def indirect(sentence: str) -> str | None:
    """`Does the word fit?` as `whether the word fits`; None for a shape that is not known."""
    if not is_question(sentence) or not is_plain(sentence):
        return None
    text = lower_first(sentence.rstrip("? "))
    for pattern, build in patterns().indirect:
        match = pattern.fullmatch(text)
        if match:
            return build(match.groupdict(""))
    return None


def third_person(verb: str) -> str:
    """`follow` -> `follows`, `match` -> `matches`, `imply` -> `implies`."""
    if verb == "have":
        return "has"
    if re.search(r"(?:[sxz]|ch|sh|o)$", verb):
        return f"{verb}es"
    return f"{verb[:-1]}ies" if re.search(r"[^aeiou]y$", verb) else f"{verb}s"


class Patterns(NamedTuple):
    """`request` begins like one, `answering` says how to answer, `splitting` has such a part behind an "and"."""

    request: re.Pattern[str]
    answering: re.Pattern[str]
    splitting: re.Pattern[str]
    indirect: tuple[tuple[re.Pattern[str], Build], ...]


@lru_cache(maxsize=1)
def patterns() -> Patterns:
    """The patterns, made once of the words of `rules.json`."""
    verbs, answers = ("|".join(words()[key]) for key in ("verbs", "answer_verbs"))
    opener = r"(?P<opener>(?:From|Among|Out of|Based on|On the basis of|After|Using) [^,.:?]+, )?"
    return Patterns(
        re.compile(rf"{opener}(?:{verbs})\b", re.IGNORECASE),
        re.compile(rf"(?:{answers})\b", re.IGNORECASE),
        re.compile(rf"(?P<first>.+?),? and (?P<second>(?:{answers})\b.+)"),
        tuple((re.compile(pattern), build) for pattern, build in _indirect_shapes()),
    )


def _indirect_shapes() -> tuple[tuple[str, Build], ...]:
    nouns, predicates = ("|".join(words()[key]) for key in ("nouns", "predicates"))
    adjective = r"(?:(?:first|second|third|last|next|given|following|whole) )?"
    subject = rf"(?P<np>it|(?:the|this|that|each) {adjective}(?:{nouns})|this(?= (?:{predicates})\b))"
    be, modal = r"(?P<aux>is|are|was|were)", r"(?P<aux>can|could|should|would|will|must)"
    wh = r"(?P<wh>(?:what|which|how|why|when|where)(?: [a-z]+(?: of [a-z]+)?)?)"
    verb, rest, more = r"(?P<verb>[a-z]+)", r"(?P<rest>(?: .+)?)", r"(?P<rest> .+)"
    no_of = r"(?! (?:to|of|for|that|which)\b)"  # "what is the name of it" keeps its order
    return (
        (rf"does {subject} {verb}{rest}", lambda m: f"whether {m['np']} {third_person(m['verb'])}{m['rest']}"),
        (rf"(?:{be}) {subject}{more}", lambda m: f"whether {m['np']} {m['aux']}{m['rest']}"),
        (rf"(?:{modal}) {subject}{more}", lambda m: f"whether {m['np']} {m['aux']}{m['rest']}"),
        (rf"{wh} does {subject} {verb}{rest}", lambda m: f"{m['wh']} {m['np']} {third_person(m['verb'])}{m['rest']}"),
        (rf"{wh} do (?P<np>you|people) {verb}{rest}", lambda m: f"{m['wh']} {m['np']} {m['verb']}{m['rest']}"),
        (rf"{wh} {be} {subject}{no_of}{rest}", lambda m: f"{m['wh']} {m['np']} {m['aux']}{m['rest']}"),
        (rf"{wh} {modal} {subject}{rest}", lambda m: f"{m['wh']} {m['np']} {m['aux']}{m['rest']}"),
        (rf"(?P<all>(?:which|what) (?:{nouns}) (?!does|was)[a-z]+s .+)", lambda m: m["all"]),
    )


@lru_cache(maxsize=1)
def words() -> Any:
    """The word lists and shells of `rules.json`."""
    return json.loads((HERE / "rules.json").read_text(encoding="utf-8"))
