"""Reading a chain of thought: which of its sentences says the answer, and what the answer is."""

from __future__ import annotations

import re

MARKER = r"answer is"
_MARKED = re.compile(rf"(?i){MARKER}:?\s*(.+?)\.?$", re.MULTILINE)


def answer_in(text: str) -> str:
    """What stands behind the last "answer is", without a final stop; the first line of the text where that is missing.

    >>> answer_in("Ann was born in Oslo. So the answer is: Oslo.")
    'Oslo'
    >>> answer_in("Oslo")
    'Oslo'
    """
    found = _MARKED.findall(text.strip())
    if found:
        return str(found[-1]).strip().strip('"[]').strip()
    lines = text.strip().splitlines()
    return lines[0].strip() if lines else ""
