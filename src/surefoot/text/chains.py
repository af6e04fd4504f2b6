"""How a chain of thought says which of its sentences has the answer, and which of them only reason."""

from __future__ import annotations

import re

MARKER = r"answer is"
"""A regular expression, looked for without regard to case."""
_CONCLUDES = re.compile(r"(?i)\s*(?:thus|so|therefore|hence|that is)\b")
_EQUALITY = re.compile(r"\d[\d,.]*\s*(?:[-+*/x×÷−]\s*\d[\d,.]*\s*)+=\s*-?\d")


def is_reasoning(sentence: str) -> bool:
    """Whether a sentence only concludes (thus, so, therefore, hence, that is) or calculates, and so claims no fact."""
    return bool(_CONCLUDES.match(sentence) or _EQUALITY.search(sentence))
