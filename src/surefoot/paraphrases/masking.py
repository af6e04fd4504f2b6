"""Words that no rewriting may touch, taken out of a text and put back; and the line of a template that instructs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from surefoot.paraphrases.labels import label_pattern

FIRST = 0xE000  # private use: no character of a text, and no letter to a pattern
_SLOT = r"\{\{[^{}]*\}\}"
_QUOTED = r"\"[^\"\n]*\"|“[^”\n]*”"
_HEADING = re.compile(r"\W*instructions?\W*", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z][A-Za-z']*")


class Masked(NamedTuple):
    """`text` with one private character in the place of each of `kept`."""

    text: str
    kept: tuple[str, ...]

    def restore(self, text: str) -> str:
        """The text with what was taken out in its place."""
        return re.sub(rf"[{chr(FIRST)}-{chr(FIRST + 6000)}]", lambda m: self.kept[ord(m.group()) - FIRST], text)


def mask(text: str, words: Sequence[str]) -> Masked:
    """The text without its slots, its quotations and these words."""
    patterns = [_SLOT, _QUOTED]
    patterns += [f"(?i:{label_pattern(w).pattern})" if len(w) > 1 else label_pattern(w).pattern for w in words]
    kept: list[str] = []

    def take(match: re.Match[str]) -> str:
        kept.append(match.group())
        return chr(FIRST + len(kept) - 1)

    return Masked(re.sub("|".join(patterns), take, text), tuple(kept))


class Line(NamedTuple):
    """The line of a text that instructs, and what stands around it."""

    before: str
    text: str
    after: str

    def replaced(self, text: str) -> str:
        return f"{self.before}{text}{self.after}"


def instructing_line(text: str) -> Line | None:
    """The line under a heading `Instruction`, else the line with the most words besides its slots, the first of equals.

    None where that line has fewer than two words. White space around the line stays outside.
    """
    lines = text.split("\n")
    counts = [len(_WORD.findall(re.sub(_SLOT, " ", line))) for line in lines]
    headed = [i for i in range(1, len(lines)) if _HEADING.fullmatch(lines[i - 1].strip()) and counts[i] > 1]
    best = max(headed or range(len(lines)), key=lambda i: (counts[i], -i))
    if counts[best] < 2:
        return None
    line = lines[best]
    lead, tail = len(line) - len(line.lstrip()), len(line.rstrip())
    before = "".join(f"{other}\n" for other in lines[:best]) + line[:lead]
    after = line[tail:] + "".join(f"\n{other}" for other in lines[best + 1 :])
    return Line(before, line[lead:tail], after)
