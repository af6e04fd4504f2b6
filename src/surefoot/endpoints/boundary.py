"""Where in the tokens of an echoed text the answer begins."""

from __future__ import annotations

from collections.abc import Sequence


def answer_starts(tokens: Sequence[str], answer: str) -> int | None:
    """Index of the first token of `answer`, with which the tokens end; None where none begins exactly there.

    Counted from the end, so that a beginning token, which endpoints show or hide, does not matter. Tokens of
    SentencePiece are shown without the blank that they stand for: then the answer is found without it, unless the blank
    is a token of its own.
    """
    rest = len(answer)
    for place in range(len(tokens) - 1, -1, -1):
        rest -= len(tokens[place])
        if rest <= 0:
            break
    else:
        return None
    if rest == 0:
        return place if "".join(tokens[place:]) == answer else None
    bare = answer.lstrip(" ")
    if bare == answer:
        return None
    found = answer_starts(tokens, bare)
    hidden = found is not None and found > 0 and not tokens[found - 1].endswith(" ")
    return found if hidden else None
