"""Finding a watermark in a text, without its model: green tokens counted, tested exactly, and never a verdict on too
little.

Null: without the key's watermark each distinct unit (context and token) is green with probability gamma, independently,
the key being random. Test: exact upper binomial tail; z and its normal tail are given beside it. A unit that comes
again says nothing new, so that it is counted once by default; counted each time, repetitive text is flagged far too
often. Source: Kirchenbauer et al. 2023 (arXiv:2301.10226), section 2; repeats: their released code
(`ignore_repeated_ngrams`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from surefoot.errors import BadInput, nearest
from surefoot.watermark import theory
from surefoot.watermark.key import Key
from surefoot.watermark.lists import Verdicts
from surefoot.watermark.normalise import normaliser
from surefoot.watermark.tokens import Encoded, Tokens

Repeats = Literal["once", "each"]
Verdict = Literal["watermarked", "no watermark found", "too short to tell"]


@dataclass(frozen=True)
class Count:
    """What was counted in a text, and what follows.

    `tokens` of the text, of which `scored` count and `green` are green; `repeats` were left out, and `null` is the
    chance of green. `level` is the test's, `needed` the scored tokens from which "no watermark found" may be said.
    """

    tokens: int
    scored: int
    green: int
    repeats: int
    null: float
    level: float
    needed: int

    @property
    def share(self) -> float:
        """Green among scored tokens; NaN for none."""
        return self.green / self.scored if self.scored else float("nan")

    @property
    def z(self) -> float:
        return theory.z_of(self.green, self.scored, self.null)

    @property
    def normal_p(self) -> float:
        """Upper normal tail of z, which is too small for short texts and small gamma; 1 for no tokens."""
        return NormalDist().cdf(-self.z) if self.scored else 1.0

    @cached_property
    def p(self) -> float:
        """Exact: probability of at least as many green tokens under a random key."""
        from scipy.stats import binom

        return float(binom.sf(self.green - 1, self.scored, self.null))

    @property
    def verdict(self) -> Verdict:
        if self.p <= self.level:
            return "watermarked"
        return "no watermark found" if self.scored >= self.needed else "too short to tell"

    def to_dict(self) -> dict[str, object]:
        """JSON values."""
        numbers = {
            name: getattr(self, name) for name in ("tokens", "scored", "green", "repeats", "null", "level", "needed")
        }
        some = self.scored > 0
        found = {"share": self.share if some else None, "z": self.z if some else None}
        return {"verdict": self.verdict, **numbers, **found, "p": self.p, "normal_p": self.normal_p}


@dataclass(frozen=True)
class Marks:
    """Token by token behind the first `first`: which are `green`, and which `counts` as the first of its unit."""

    first: int
    green: NDArray[np.bool_]
    counts: NDArray[np.bool_]
    null: float

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Whether each scored token is green, in order."""
        return self.green[self.counts]

    @property
    def places(self) -> NDArray[np.int64]:
        """Where in the text the scored tokens stand."""
        return np.flatnonzero(self.counts) + self.first

    @property
    def running_z(self) -> NDArray[np.float64]:
        """z after each scored token."""
        return theory.running_z(self.scored, self.null)


class Detector:
    """Counts under one key. Without `tokens` it takes ids only.

    `repeats` is `once` or `each`, `level` that of the test, `normalise` names of `normalise.STEPS`. `minimum` overrides
    the number of scored tokens that "no watermark found" asks for: by default as many as find a watermark of the key's
    delta with power 0.8 in text of a spike entropy of 0.8.
    """

    def __init__(
        self,
        key: Key,
        tokens: Tokens | None = None,
        *,
        repeats: Repeats = "once",
        level: float = theory.LEVEL,
        minimum: int | None = None,
        normalise: Sequence[str] = (),
    ) -> None:
        if repeats not in get_args(Repeats):
            raise BadInput(f'"{repeats}" is no way to count repeats.{nearest(repeats, get_args(Repeats))}')
        if not 0 < level < 1:
            raise BadInput(f"The level of the test is {level}; use a number between 0 and 1.")
        if minimum is not None and minimum < 1:
            raise BadInput(f"The minimum length is {minimum}; use 1 token or more.")
        if tokens is not None:
            key.check(tokens)
        self.key, self.tokens, self.repeats, self.level = key, tokens, repeats, level
        self.lists = key.lists()
        self.normalise = normaliser(normalise)
        self.needed = minimum or needed_for(key, level)

    def text(self, text: str) -> Count:
        """The count of a text, normalised and tokenised."""
        return self.ids(self.encode(text))

    def texts(self, texts: Iterable[str]) -> list[Count]:
        """The counts of many texts, each on its own, computed together."""
        return self.batch([self.encode(text) for text in texts])

    def ids(self, ids: Sequence[int] | NDArray[np.int64]) -> Count:
        """The count of token ids, without a beginning-of-sequence token."""
        return self.batch([ids])[0]

    def batch(self, texts: Sequence[Sequence[int] | NDArray[np.int64]]) -> list[Count]:
        """The counts of many texts' ids; what they share is looked up once."""
        found = zip(texts, self.lists.verdicts_of(texts), strict=True)
        return [self._counted(len(ids), self._marks(verdicts)) for ids, verdicts in found]

    def marks(self, ids: Sequence[int] | NDArray[np.int64]) -> Marks:
        """What is counted, token by token."""
        return self._marks(self.lists.verdicts(ids))

    def _counted(self, tokens: int, marks: Marks) -> Count:
        return self.count(tokens, len(marks.scored), int(marks.scored.sum()), int((~marks.counts).sum()))

    def _marks(self, found: Verdicts) -> Marks:
        counts = np.ones(len(found.units), np.bool_)
        if self.repeats == "once":
            counts[:] = False
            counts[np.unique(found.units, return_index=True)[1]] = True
        return Marks(self.lists.scheme.first, found.green, counts, self.lists.scheme.null)

    def encode(self, text: str) -> NDArray[np.int64]:
        """The ids that are counted: of the normalised text, without special tokens."""
        return self._tokens.ids(self.normalise(text))

    def encoded(self, text: str) -> Encoded:
        """The same with the characters of the normalised text that each id covers."""
        return self._tokens.encode(self.normalise(text))

    @property
    def _tokens(self) -> Tokens:
        if self.tokens is None:
            raise BadInput("This detector has no tokenizer and takes token ids only; give it the key's tokenizer.")
        return self.tokens

    def count(self, tokens: int, scored: int, green: int, repeats: int) -> Count:
        return Count(tokens, scored, green, repeats, self.lists.scheme.null, self.level, self.needed)


def needed_for(key: Key, level: float = theory.LEVEL, most: int = 1_000_000) -> int:
    """Scored tokens that find a watermark of the key's delta with power 0.8 where the spike entropy is 0.8."""
    gamma = key.scheme.null
    share = theory.coefficient(gamma, key.delta) * theory.SPIKE
    try:
        return theory.tokens_needed(gamma, share, level, most=most)
    except BadInput:
        return most
