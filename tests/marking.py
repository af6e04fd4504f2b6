"""What the tests of the watermark share: keys, and a tokenizer whose tokens are words."""

from __future__ import annotations

from typing import Any

from surefoot.watermark import Key, Scheme
from surefoot.watermark.lists import Lists
from surefoot.watermark.tokens import Tokens

MILLIONTH_PRIME = 15485863
SCHEMES = (("keyed", 1), ("keyed", 3), ("keyed", 0), ("min", 4), ("anchored", 4), ("left", 1), ("self", 3))


def secret_of(hash: str, number: int = 0) -> int | bytes:
    return MILLIONTH_PRIME + 2 * number if hash in ("left", "self") else f"secret of test {number:06d}".encode()


def key_of(
    hash: str = "keyed", width: int = 1, *, gamma: float = 0.25, vocabulary: int = 270, number: int = 0, **more: Any
) -> Key:
    return Key(Scheme(vocabulary, gamma, hash, width), secret_of(hash, number), **more)


def lists_of(hash: str = "keyed", width: int = 1, **more: Any) -> Lists:
    return key_of(hash, width, **more).lists()


def word_tokens(count: int = 500) -> Tokens:
    """The words w0, w1, ... between white space: an edit of a word is an edit of a token."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    core = Tokenizer(models.WordLevel({f"w{n}": n for n in range(count)}, unk_token="w0"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return Tokens(core, "words", count)
