"""Which questions tell anything: those whose two answers come from their contexts, and of which exactly one is right.

Source: Tan et al. 2024 (arXiv:2401.11911), section 3 and the filters of the released code. Each filter says which
units it drops, and units are dropped by the first that does, so that the counts sum to what went in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from surefoot.metrics.normalise import normalise, words
from surefoot.probes.context_preference.units import Answer, Unit

AIG, AIR = "AIG", "AIR"
"""Answer in the generated context, answer in the retrieved context: the two subsets."""
UNKNOWN = (
    "unknown",
    "unclear",
    "none",
    "nothing",
    "not known",
    "not given",
    "not stated",
    "not mentioned",
    "not specified",
    "not provided",
    "no answer",
    "no information",
    "do not know",
    "dont know",
    "cannot answer",
    "cannot be determined",
    "does not say",
)
"""Answers that name no value. Those of one word must be the whole answer; longer ones may stand within it."""

Filter = Callable[[Unit], bool]


def is_unknown(answer: Answer) -> bool:
    """Whether the answer is missing, empty, or says that there is none."""
    told = words(answer.text or "")
    return not told or any(
        told == phrase.split() if " " not in phrase else contains(told, phrase.split()) for phrase in UNKNOWN
    )


def occurs(answer: str, text: str) -> bool:
    """Whether the normalised words of the answer stand in the text, side by side and in order."""
    return contains(words(text), words(answer))


def contains(text: Sequence[str], part: Sequence[str]) -> bool:
    """Whether `part` is a run of `text`; nothing is a part of anything if it is empty."""
    n = len(part)
    return n > 0 and any(list(text[i : i + n]) == list(part) for i in range(len(text) - n + 1))


def same(left: Answer | None, right: Answer | None) -> bool:
    """Whether both are the same answer, normalised; a missing one is the same as nothing."""
    if left is None or right is None or left.text is None or right.text is None:
        return False
    return _normalised(left.text) == _normalised(right.text)


@lru_cache(maxsize=1 << 12)
def _normalised(text: str) -> str:
    return normalise(text)


def is_unanswered(unit: Unit) -> bool:
    """One of the two contexts gave no answer."""
    return is_unknown(unit.retrieved) or is_unknown(unit.generated)


def is_untraceable(unit: Unit) -> bool:
    """One of the two answers does not stand in its context."""
    return not (
        occurs(unit.retrieved.text or "", unit.texts.retrieved)
        and occurs(unit.generated.text or "", unit.texts.generated)
    )


def is_parametric(unit: Unit) -> bool:
    """The closed-book answer is one of the two, which memory may thus have given."""
    return same(unit.closed, unit.retrieved) or same(unit.closed, unit.generated)


def is_both_right(unit: Unit) -> bool:
    return unit.retrieved.is_right and unit.generated.is_right


def is_both_wrong(unit: Unit) -> bool:
    return not (unit.retrieved.is_right or unit.generated.is_right)


FILTERS: Mapping[str, Filter] = {
    "unanswered": is_unanswered,
    "untraceable": is_untraceable,
    "parametric": is_parametric,
    "both right": is_both_right,
    "both wrong": is_both_wrong,
}
"""In the order in which they are applied."""


class Sifted(NamedTuple):
    """What each filter dropped and what is left in each subset; the counts sum to the number of units given."""

    counts: Mapping[str, int]
    kept: Mapping[str, tuple[Unit, ...]]


def sift(units: Iterable[Unit], *, parametric: bool = True) -> Sifted:
    """Units through all filters, into AIG (the generated context's answer is right) and AIR."""
    active = {name: drops for name, drops in FILTERS.items() if parametric or name != "parametric"}
    counts = dict.fromkeys(active, 0)
    kept: dict[str, list[Unit]] = {AIG: [], AIR: []}
    for unit in units:
        reason = next((name for name, drops in active.items() if drops(unit)), None)
        if reason is not None:
            counts[reason] += 1
        else:
            kept[AIG if unit.generated.is_right else AIR].append(unit)
    left = {name: tuple(own) for name, own in kept.items()}
    return Sifted({**counts, **{name: len(own) for name, own in left.items()}}, left)
