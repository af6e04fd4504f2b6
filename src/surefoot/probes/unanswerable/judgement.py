"""Reads what a model said about the passages: the answer is there, it is not, or neither was said.

The task wants one of two strings, `PRESENT` and `ABSENT`, and models write around them. The rule, on the text in lower
case with newlines as spaces, in this order: one of the strings alone decides; both together are `present` where
`PRESENT` stands more than once, else invalid; then the shorter forms "answer is present" and "answer is not present";
then a text of fewer than 10 characters with a citation, such as "[3]", is `present`; all else is invalid.

Source: Thakur et al. 2023 (arXiv:2312.11361) and the released evaluation. The released code means to count `PRESENT`
but counts single words, so that a text with both strings is always invalid there: `rule="released"`.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

from surefoot.errors import BadInput, nearest
from surefoot.tasks.nomiracl import ABSENT, PRESENT

Judgement = Literal["present", "absent", "invalid"]
JUDGEMENTS: tuple[Judgement, ...] = get_args(Judgement)
Rule = Literal["counted", "released"]
RULES: tuple[str, ...] = get_args(Rule)
CITATION_LENGTH = 10  # characters that a bare citation stays below

_CITATION = re.compile(r"\[\d+\]")
_APOSTROPHES = str.maketrans({"\u2019": "'", "\u02bc": "'"})


def judgement(text: str, rule: Rule = "counted") -> Judgement:
    """What the text says of the passages.

    `rule`: `counted` as above, with typographic apostrophes read as plain ones; `released` as the released code does
    it. Raises `BadInput` for another rule. Example: `judgement("[3]") == "present"`.
    """
    if rule not in RULES:
        raise BadInput(f'"{rule}" is not a rule for reading judgements.{nearest(rule, RULES)}')
    said = text.lower().replace("\n", " ")
    if rule == "counted":
        said = said.translate(_APOSTROPHES)
    yes, no = said.count(PRESENT.lower()), said.count(ABSENT.lower())
    if yes and no:
        return "present" if rule == "counted" and yes > 1 else "invalid"
    if yes or no:
        return "present" if yes else "absent"
    return _shorter_form(said)


def _shorter_form(said: str) -> Judgement:
    if "answer is present" in said:
        return "present"
    if "answer is not present" in said:
        return "absent"
    return "present" if len(said) < CITATION_LENGTH and _CITATION.search(said) else "invalid"
