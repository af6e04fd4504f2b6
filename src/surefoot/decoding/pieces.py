"""What each token of a vocabulary adds to a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def pieces_of(decode: Callable[[Sequence[int]], str], size: int) -> list[str]:
    """The text of each token behind a word, so that white space is seen that a tokenizer only writes between tokens.

    Cost: two tokens are decoded for each one.
    """
    anchor = next(token for token in range(size) if decode([token]).strip().isalpha())
    before = decode([anchor])
    texts = (decode([anchor, token]) for token in range(size))
    return [text[len(before) :] if text.startswith(before) else decode([token]) for token, text in enumerate(texts)]
