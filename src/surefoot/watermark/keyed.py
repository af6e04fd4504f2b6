"""Lists from a keyed pseudo-random function: SHAKE128 over secret, context and block of the vocabulary.

F(c, t) is the entry of token t in the output for the context c. SHAKE128 with the secret in front is a pseudo-random
function (the construction of KMAC, NIST SP 800-185, without its padding), and blocks give single entries without
computing the whole list. Entries are independent, so that under a random key the number of green tokens among distinct
units is exactly binomial, and neither N nor a padded head matters.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np
from numpy.typing import NDArray

from surefoot.watermark.lists import Bools, Ids, Lists, remembered, windows
from surefoot.watermark.scheme import Scheme

BLOCK = 2048  # bytes that one call of the function gives


def block(secret: bytes, use: bytes, context: tuple[int, ...], index: int) -> bytes:
    """The bytes of one block: F under the secret, for one use, behind one context."""
    told = struct.pack(f"<{len(context) + 1}Q", *context, index)
    return hashlib.shake_128(b"%c%s%c%s%s" % (len(secret), secret, len(use), use, told)).digest(BLOCK)


def whole(secret: bytes, use: bytes, context: tuple[int, ...], count: int, kind: str) -> NDArray[np.uint64]:
    """The first `count` entries behind a context, numbers of the kind `kind`."""
    blocks = -(-count * np.dtype(kind).itemsize // BLOCK)
    found = b"".join(block(secret, use, context, index) for index in range(blocks))
    return np.frombuffer(found, kind)[:count]


class KeyedLists(Lists):
    """A list for each sequence of the last `width` tokens."""

    use = b"list"

    def __init__(self, scheme: Scheme, secret: bytes) -> None:
        super().__init__(scheme)
        self.secret = secret

    def columns(self, ids: Ids) -> Ids:
        return windows(ids, self.scheme.width + 1)

    def green(self, columns: Ids) -> Bools:
        per_block = BLOCK // 2
        found = np.empty(len(columns), np.bool_)
        for place, (*context, token) in enumerate(columns.tolist()):
            drawn = block(self.secret, self.use, tuple(context), token // per_block)
            at = 2 * (token % per_block)
            found[place] = (drawn[at] | drawn[at + 1] << 8) < self.scheme.threshold
        return found

    def _mask(self, context: tuple[int, ...]) -> Bools:
        drawn = whole(self.secret, self.use, context, self.scheme.vocabulary, "<u2")
        mask: Bools = drawn < self.scheme.threshold
        return mask


class MinLists(KeyedLists):
    """A list for each token: that one of the last `width` tokens which the key ranks lowest.

    An edit inside the window changes a list only where it changes the lowest rank, in about 2 of `width` + 1 cases.
    """

    use = b"min"

    def __init__(self, scheme: Scheme, secret: bytes) -> None:
        super().__init__(scheme, secret)
        self._rank = remembered(self._ranked, 256)

    def columns(self, ids: Ids) -> Ids:
        distinct, inverse = np.unique(ids, return_inverse=True)
        ranks = np.asarray([self._rank(token) for token in distinct.tolist()], dtype=np.uint64)[inverse]
        width = self.scheme.width
        lowest = np.lib.stride_tricks.sliding_window_view(ranks[:-1], width).argmin(-1)
        return np.stack([ids[lowest + np.arange(len(lowest))], ids[width:]], axis=1)

    def _mask(self, context: tuple[int, ...]) -> Bools:
        return super()._mask((min(context, key=self._rank),))

    def _ranked(self, token: int) -> int:
        return int.from_bytes(block(self.secret, b"rank", (token,), 0)[:8], "little")


class AnchoredLists(KeyedLists):
    """Algorithm 3 of the paper: H_i = F(t, s_{t-i}) for i = 1..width, and the smallest H decides about t.

    The upper 48 bits of an entry are H, the lower 16 are the random draw, so that the draw is independent of the
    choice. The paper walks down the logits and takes the first green candidate within delta of the best: the same as
    the greedy choice after adding delta to every green logit, which here goes for sampling and beams too.
    """

    use = b"anchored"

    def __init__(self, scheme: Scheme, secret: bytes) -> None:
        super().__init__(scheme, secret)
        self._row = remembered(self._entries, 8 * scheme.vocabulary)

    def columns(self, ids: Ids) -> Ids:
        width = self.scheme.width
        pairs = np.stack([windows(ids, width + 1)[:, :-1].ravel(), ids[width:].repeat(width)], axis=1)
        distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
        hashes = (self._single(distinct) >> np.uint64(16))[inverse].reshape(-1, width)
        chosen: Ids = pairs[hashes.argmin(-1) + width * np.arange(len(hashes))]
        return chosen

    def green(self, columns: Ids) -> Bools:
        drawn: Bools = (self._single(columns) & np.uint64(0xFFFF)) < np.uint64(self.scheme.threshold)
        return drawn

    def _mask(self, context: tuple[int, ...]) -> Bools:
        entries = np.stack([self._row(token) for token in context])
        chosen = (entries >> np.uint64(16)).argmin(0)
        lowest = np.take_along_axis(entries, chosen[None], 0)[0]
        mask: Bools = (lowest & np.uint64(0xFFFF)) < np.uint64(self.scheme.threshold)
        return mask

    def _single(self, pairs: Ids) -> NDArray[np.uint64]:
        """F(t, c) of each (c, t)."""
        per_block = BLOCK // 8
        found = np.empty(len(pairs), np.uint64)
        for place, (anchor, token) in enumerate(pairs.tolist()):
            drawn, at = block(self.secret, self.use, (anchor,), token // per_block), 8 * (token % per_block)
            found[place] = int.from_bytes(drawn[at : at + 8], "little")
        return found

    def _entries(self, anchor: int) -> NDArray[np.uint64]:
        return whole(self.secret, self.use, (anchor,), self.scheme.vocabulary, "<u8")
