"""The lists of the released code and of the transformers library: a seeded permutation of the vocabulary.

Their generator is the Mersenne Twister of torch on the processor, of whose seed the lower 32 bits count, and the
permutation Fisher and Yates's: step i exchanges the places i and J_i = i + r_i mod (N - i). A list is the first
int(gamma N) places. Whole lists are made by torch's permutation; single verdicts follow one token through the
exchanges, which needs the drawn numbers of int(gamma N) steps instead of N, and none of the exchanging.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surefoot.watermark.lists import Bools, Ids, Lists, remembered, windows
from surefoot.watermark.scheme import Scheme

TABLE = 1_000_003  # size of the table of the selfhash in the transformers library
SEEDS = 2**64 - 1
SEEN = 1 << 20  # seeds that are remembered as drawn once
CANDIDATES = 40  # most probable tokens that the selfhash looks at


class LeftLists(Lists):
    """Seed: the secret number times the last token (lefthash)."""

    def __init__(self, scheme: Scheme, secret: int) -> None:
        super().__init__(scheme)
        self.secret = secret
        self._drawn = Recurring(Exchanges(scheme.vocabulary, scheme.green), 2 * scheme.green)

    def columns(self, ids: Ids) -> Ids:
        return windows(ids, 2)

    def green(self, columns: Ids) -> Bools:
        order = np.argsort(columns[:, 0], kind="stable")
        inside: list[bool] = []
        for context, rows in groupby(columns[order].tolist(), key=itemgetter(0)):
            drawn = self._drawn(self.seed(context))
            inside += [comes_first(drawn, token) for _, token in rows]
        found = np.empty(len(columns), np.bool_)
        found[order] = inside
        return found

    def seed(self, context: int) -> int:
        """The seed behind a token: the lower 32 bits of what torch is given."""
        return self.secret * context % SEEDS & 0xFFFFFFFF

    def _mask(self, context: tuple[int, ...]) -> Bools:
        import torch

        permutation = torch.randperm(
            self.scheme.vocabulary, generator=torch.Generator().manual_seed(self.seed(*context))
        )
        mask = np.zeros(self.scheme.vocabulary, np.bool_)
        mask[permutation[: self.scheme.green].numpy()] = True
        return mask


class SelfLists(Lists):
    """Selfhash: the seed is the least of secret * a_i * a_t over the last `width` tokens i, the token t included.

    a is a random permutation of a table, known from the secret; products are those of 64-bit integers that wrap. Only
    the `CANDIDATES` most probable tokens are looked at in generation, as in the transformers library.
    """

    def __init__(self, scheme: Scheme, secret: int) -> None:
        super().__init__(scheme)
        self.secret = secret
        self._drawn = Recurring(Exchanges(scheme.vocabulary, scheme.green), 2 * scheme.green)

    def columns(self, ids: Ids) -> Ids:
        runs = windows(ids, self.scheme.width)
        return np.stack([self._seeds(runs), runs[:, -1]], axis=1)

    def green(self, columns: Ids) -> Bools:
        rows = ((self._drawn(seed % SEEDS & 0xFFFFFFFF), token) for seed, token in columns.tolist())
        return np.fromiter((comes_first(drawn, token) for drawn, token in rows), np.bool_, len(columns))

    def among(self, context: tuple[int, ...], tokens: Ids) -> Bools:
        """Which of `tokens` are green behind the context."""
        tail = np.asarray(context[len(context) - self.scheme.first :], np.int64)
        runs = np.concatenate([np.tile(tail, (len(tokens), 1)), tokens[:, None]], axis=1)
        return self.green(np.stack([self._seeds(runs), tokens], axis=1))

    def _mask(self, context: tuple[int, ...]) -> Bools:
        return self.among(context, np.arange(self.scheme.vocabulary))

    def _seeds(self, runs: Ids) -> Ids:
        with np.errstate(over="ignore"):
            parts = table(self.secret)[runs % TABLE] + 1
            seeds: Ids = (np.int64(self.secret) * parts * parts[:, -1:]).min(-1)
        return seeds


@lru_cache(maxsize=4)
def table(secret: int) -> Ids:
    """The random permutation of the selfhash."""
    import torch

    found: Ids = torch.randperm(TABLE, generator=torch.Generator().manual_seed(secret)).numpy()
    return found


class Exchanges:
    """J_i of the first `count` < n steps of the permutation of n that torch makes from a seed: `exchanges(seed)`.

    r mod m is r - m floor(r / m), and the floor that of r (1 + 2^-50) / m in double precision: the factor outweighs
    both roundings where m divides r, and is too small to reach the next integer elsewhere, as long as r + m < 2^49.
    Products and sums keep as many bits as J needs. Two numbers of a step come as the halves of one 64-bit integer, the
    later one in the lower half.
    """

    def __init__(self, n: int, count: int) -> None:
        import torch

        self.count, self.generator = count, torch.Generator()
        self.pairs = torch.empty(-(-count // 2), dtype=torch.int64)
        self.numbers: NDArray[np.uint32] = self.pairs.numpy().view(np.uint32)
        steps = np.arange(len(self.numbers)).reshape(-1, 2)[:, ::-1].ravel()
        left = np.maximum(2, n - steps)
        self.kind: Any = np.uint16 if n <= 1 << 16 else np.uint32
        self.pair: Any = np.uint32 if n <= 1 << 16 else np.uint64
        self.steps, self.left = steps.astype(self.kind), left.astype(self.kind)
        self.inverse, self.times = (1 + 2.0**-50) / left, np.empty(len(left), np.int32)

    def __call__(self, seed: int) -> NDArray[np.unsignedinteger]:
        self.pairs.random_(-(1 << 63), None, generator=self.generator.manual_seed(seed))
        np.multiply(self.numbers, self.inverse, out=self.times, casting="unsafe")
        found = self.numbers.astype(self.kind)
        found -= self.times.astype(self.kind) * self.left
        found += self.steps
        pairs, half = found.view(self.pair), self.pair(8 * found.itemsize)
        turned: NDArray[np.unsignedinteger] = (pairs >> half | pairs << half).view(self.kind)
        return turned[: self.count]


def comes_first(drawn: NDArray[np.unsignedinteger], token: int) -> bool:
    """Whether a token ends up in the first len(drawn) places.

    A token at place p is taken to place i by the first step i < p with J_i = p; where none comes, step p itself moves
    it on to J_p, unless J_p = p. Places before the current step are final.
    """
    step, place = 0, token
    while not np.count_nonzero(drawn[step:place] == place):
        if place >= len(drawn):
            return False
        step, place = place + 1, int(drawn[place])
        if place == step - 1:
            return True
    return True


class Recurring:
    """Numbers drawn from a seed, kept from the second time on, within the bound of `remembered`.

    Behind most tokens a list is asked for once, and new memory costs a third of what drawing does.
    """

    def __init__(self, draw: Exchanges, size: int) -> None:
        self.draw, self.kept, self.seen = draw, remembered(draw, size), set[int]()

    def __call__(self, seed: int) -> NDArray[np.unsignedinteger]:
        if seed in self.seen:
            return self.kept(seed)
        if len(self.seen) >= SEEN:
            self.seen.clear()
        self.seen.add(seed)
        return self.draw(seed)
