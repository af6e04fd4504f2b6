"""Settings of a red-list watermark: which tokens are green behind which context, and how likely that is by chance.

Notation: N the size of the vocabulary, gamma the share of green tokens, delta the bias on green logits (alpha =
e^delta), h the number of tokens before the scored one that decide its list. Source: Kirchenbauer et al. 2023
(arXiv:2301.10226).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from surefoot.errors import BadInput, nearest

STEPS = 1 << 16  # resolution of gamma where a list is drawn token by token

HASHES: Mapping[str, str] = {
    "keyed": "a list for each sequence of the last `width` tokens, by a keyed function; width 0: one list",
    "min": "a list for each token, that of the last `width` tokens which the key ranks lowest; survives edits better",
    "anchored": "each token is green or red with that one of the last `width` tokens whose hash with it is lowest",
    "left": "the published lists, seeded by a number times the last token; those of the transformers library",
    "self": "the selfhash of the transformers library: as anchored, the token itself counted in `width`",
}
PUBLISHED = frozenset({"left", "self"})
"""Schemes whose secret is a number and whose lists are those of the released code."""


@dataclass(frozen=True)
class Scheme:
    """What decides the lists apart from the secret. `vocabulary` is N, the width of the model's logits.

    N is the model's `config.vocab_size` and nothing else, as in the transformers library: the published lists permute
    all N ids, so a detector that took the tokenizer's size instead would see other lists wherever the model's head is
    padded.
    """

    vocabulary: int
    gamma: float = 0.25
    hash: str = "keyed"
    width: int = 1

    def __post_init__(self) -> None:
        if self.hash not in HASHES:
            raise BadInput(f'"{self.hash}" is not a hash scheme of the watermark.{nearest(self.hash, HASHES)}')
        if not 0 < self.gamma < 1:
            raise BadInput(f"gamma is {self.gamma}; use a share of green tokens above 0 and below 1.")
        if self.vocabulary < 2 or not 0 < self.null < 1:
            raise BadInput(
                f"A vocabulary of {self.vocabulary} leaves no list with gamma {self.gamma}; use a larger one."
            )
        least, most = {"left": (1, 1), "self": (1, 16), "keyed": (0, 16)}.get(self.hash, (1, 16))
        if not least <= self.width <= most:
            told = f"{least}" if least == most else f"{least} to {most}"
            raise BadInput(f'The width of the context is {self.width}; the hash scheme "{self.hash}" takes {told}.')

    @property
    def green(self) -> int:
        """Green tokens of a published list: the integer part of gamma N."""
        return int(self.vocabulary * self.gamma)

    @property
    def threshold(self) -> int:
        """A drawn 16-bit number below this makes a token green (schemes other than the published ones)."""
        return round(self.gamma * STEPS)

    @property
    def null(self) -> float:
        """Probability that a token is green under a random key; gamma up to rounding."""
        return self.green / self.vocabulary if self.hash in PUBLISHED else self.threshold / STEPS

    @property
    def first(self) -> int:
        """Tokens at the beginning of a text that have too little context to be scored."""
        return self.width - 1 if self.hash == "self" else self.width


def check_delta(delta: float) -> None:
    """A bias is a positive number; infinity is the hard rule, under which red tokens are never written."""
    if not delta > 0 or math.isnan(delta):
        raise BadInput(f"delta is {delta}; use a positive bias, or inf for the hard rule.")
