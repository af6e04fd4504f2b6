"""Names of invented entities: entity k of a type has one name, no two share one, and none needs a table."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from functools import cache
from math import gcd
from pathlib import Path
from typing import Any

RELATIONS = Path(__file__).parent / "relations.json"
SYLLABLES = tuple(consonant + vowel for consonant in "bdfgklmnprstv" for vowel in "aeiou")


@cache
def types_and_relations() -> Mapping[str, Any]:
    """The file of types (how their names are made) and relations (what holds between them)."""
    found: Mapping[str, Any] = json.loads(RELATIONS.read_text(encoding="utf-8"))
    return found


@cache
def count_of(type: str) -> int:
    """How many entities of a type there can be."""
    told = types_and_relations()["types"][type]
    if "names" in told:
        return len(told["names"])
    if "from" in told:
        return int(told["to"] - told["from"] + 1)
    return int(len(SYLLABLES) ** told["syllables"] * len(told["endings"]))


def is_spelled(type: str) -> bool:
    """Whether names of the type are invented, rather than words of a list or years."""
    return "syllables" in types_and_relations()["types"][type]


def name_of(type: str, k: int, seed: int) -> str:
    """The name of entity k of a type in the world of this seed."""
    told = types_and_relations()["types"][type]
    if "names" in told:
        return str(told["names"][k])
    if "from" in told:
        return str(told["from"] + k)
    return spelled_name(type, scattered(k, count_of(type), f"{type}/{seed}"))


def scattered(k: int, count: int, key: str) -> int:
    """k -> (a k + b) mod count with a coprime to count: a permutation of all places that needs no table."""
    step, start = _steps(count, key)
    return (step * k + start) % count


@cache
def _steps(count: int, key: str) -> tuple[int, int]:
    rng = random.Random(key)
    while gcd(step := rng.randrange(count // 3, count), count) != 1:
        pass
    return step, rng.randrange(count)


def spelled_name(type: str, k: int) -> str:
    """The number written in syllables, which can be read back: each is a consonant and a vowel."""
    told = types_and_relations()["types"][type]
    k, ending = divmod(k, len(told["endings"]))
    syllables = []
    for _ in range(told["syllables"]):
        k, digit = divmod(k, len(SYLLABLES))
        syllables.append(SYLLABLES[digit])
    return "".join(syllables).capitalize() + str(told["endings"][ending])


def index_of(type: str, name: str, seed: int) -> int | None:
    """The k for which `name_of(type, k, seed)` is this name; None where no entity of the invented type has it."""
    number = spelled_number(type, name)
    return None if number is None else unscattered(number, count_of(type), f"{type}/{seed}")


def spelled_number(type: str, name: str) -> int | None:
    """The number that an invented name writes in syllables, the ending being its last digit."""
    told = types_and_relations()["types"][type]
    for ending, text in enumerate(told["endings"]):
        stem = name.removesuffix(text).lower()
        syllables = [stem[place : place + 2] for place in range(0, len(stem), 2)]
        if name.endswith(text) and len(syllables) == told["syllables"] and set(syllables) <= set(SYLLABLES):
            digits = [SYLLABLES.index(syllable) for syllable in syllables]
            number = 0
            for digit in reversed(digits):
                number = number * len(SYLLABLES) + digit
            return ending + len(told["endings"]) * number
    return None


def unscattered(place: int, count: int, key: str) -> int:
    """The k for which `scattered(k, count, key)` is this place: a^-1 (place - b) mod count."""
    step, start = _steps(count, key)
    return (place - start) * pow(step, -1, count) % count
