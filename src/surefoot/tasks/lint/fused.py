"""Rules on two wordings that a missing comma has made one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from surefoot.errors import BadInput
from surefoot.tasks.lint.finding import Finding
from surefoot.text.instruction import Instruction
from surefoot.text.template import Segment, parse_template

FUSED_WORDS = 4
"""Shorter texts are often part of longer ones without any mistake."""

_OPENERS = frozenset(
    {
        *("a", "an", "and", "answer", "based", "below", "choose", "classify", "complete", "consider", "decide"),
        *("determine", "find", "for", "from", "given", "here", "how", "i", "if", "in", "indicate", "is", "it", "now"),
        *("only", "output", "pick", "please", "provide", "read", "reply", "respond", "select", "solve", "the", "there"),
        *("these", "this", "what", "when", "which", "who", "why", "with", "write", "you", "your"),
    }
)
_JOINED = re.compile(
    r"(?<![\w.])[a-z]{2,}(?:(?P<stop>[.?!])|[\"')\]])?(?P<next>[A-Z][a-z]*)\b(?!:)(?P<rest>(?:\s+\S+){0,3})"
)


def fused_text(wording: Instruction, bank: Sequence[Instruction]) -> Iterator[Finding]:
    """A sentence that begins right behind the last one without a space (`belowPlease`, `answer.You are`)."""
    for text in _literals(wording):
        for match in _JOINED.finditer(text):
            opener = match["next"].lower() in _OPENERS | {_first_word(other) for other in bank}
            if opener and (match["stop"] or len(match["rest"].split()) == 3):
                quoted = match.group().splitlines()[0]
                sentence = f'The wording "{wording.id}" runs two sentences together at "{quoted}"; is a comma missing?'
                yield Finding("error", "fused", sentence, wording.id)
                return


def fused_pairs(wordings: Sequence[Instruction]) -> Iterator[Finding]:
    """A text that begins with one other wording's whole text and ends with another's, or continues one unspaced."""
    texts = {wording.id: _squeezed(wording.text) for wording in wordings}
    distinct = {text for text in texts.values() if len(text.split()) >= FUSED_WORDS}
    for wording in wordings:
        text = texts[wording.id]
        begins = [other for other in distinct if other != text and text.startswith(other)]
        ends = [other for other in distinct if other != text and text.endswith(other)]
        both = any(len(b) + len(e) <= len(text) for b in begins for e in ends)
        # Only before a capital: "the answers" is no "the answer" with something fused to it.
        unspaced = any(text[len(b)].isupper() for b in begins) or any(
            e[0].isupper() and text[-len(e) - 1].isalpha() for e in ends
        )
        if both or unspaced:
            sentence = f'The wording "{wording.id}" is made of the whole text of another one and more; split them.'
            yield Finding("error", "fused", sentence, wording.id)


def _literals(wording: Instruction) -> tuple[str, ...]:
    try:
        segments: tuple[Segment, ...] = (*parse_template(wording.text), *parse_template(wording.frame_template))
    except BadInput:
        return ()
    return tuple(segment.text for segment in segments if segment.text)


def _first_word(wording: Instruction) -> str:
    return (wording.text.split() or [""])[0].strip(",.:").lower()


def _squeezed(text: str) -> str:
    return " ".join(text.split())
