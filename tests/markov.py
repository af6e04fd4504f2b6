"""A model that is a table: a Markov chain whose every text can be listed with its probability.

It has what a local model has (branches, forced distributions, tokens), so the real decoders run on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import product
from typing import Any

import torch

from surefoot.decoding.branch import Continuation, Next
from surefoot.decoding.forced import Forced, chain
from surefoot.decoding.rows import Vocabulary
from surefoot.decoding.sampling import Sampling
from surefoot.models.base import Choice, Generation, LanguageModel, ModelCard, Score, Scorer, TokenCount, best
from surefoot.models.writing import generate
from surefoot.text.prompt import Prompt

LETTERS = "abcdefgh"


def chance(tokens: int, seed: int, sharpness: float = 1.0) -> torch.Tensor:
    """A random chain: probabilities of the next token or the end (last column), shape (tokens, tokens + 1)."""
    made = torch.Generator().manual_seed(seed)
    return torch.softmax(sharpness * torch.randn(tokens, tokens + 1, generator=made, dtype=torch.float64), -1)


class Letters:
    """The tokenizer: one letter a token."""

    def __init__(self, count: int) -> None:
        self.count = count

    def get_vocab(self) -> dict[str, int]:
        return {**{letter: place for place, letter in enumerate(LETTERS[: self.count])}, "</s>": self.count}


class ChainBranch:
    """Rows of a chain with all that they have read; tokens can be taken back."""

    def __init__(self, model: MarkovModel, rows: Sequence[Sequence[int]]) -> None:
        self.model = model
        self.rows = [list(row) for row in rows]

    def first(self) -> Next:
        logits = self.model.logits([row[-1] for row in self.rows])
        return Next(logits, logits)

    def next(self, tokens: torch.Tensor) -> Next:
        for row, token in zip(self.rows, tokens.tolist(), strict=True):
            row.append(token)
        return self.first()

    def extend(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.next(column).logits for column in tokens.T], 1)

    def forget(self, counts: Sequence[int]) -> None:
        for row, count in zip(self.rows, counts, strict=True):
            del row[len(row) - count :]

    @property
    def joins(self) -> bool:
        return True

    def join(self, other: ChainBranch) -> None:
        self.rows += other.rows

    def keep(self, rows: torch.Tensor) -> None:
        self.rows = [list(self.rows[row]) for row in rows.tolist()]


class MarkovModel(LanguageModel):
    """p(next token | last token) = `table`, shape (tokens, tokens + 1); the last column is the end. Prompts are
    letters."""

    can = frozenset({"logprobs", "logits", "generate"})

    def __init__(self, table: torch.Tensor, name: str = "chain") -> None:
        self.table = table
        self.tokens = TokenCount()
        self.end = len(table)
        self._name = name

    @property
    def card(self) -> ModelCard:
        return ModelCard(self._name, revision=str(hash(tuple(self.table.flatten().tolist()))))

    @cached_property
    def vocabulary(self) -> Vocabulary:
        def text(ids: Sequence[int]) -> str:
            return "".join(LETTERS[token] for token in ids if token < self.end)

        return Vocabulary(self.end + 1, frozenset({self.end}), text, self._ids, Letters(self.end))

    def logits(self, last: Sequence[int]) -> torch.Tensor:
        """Whatever follows an end is the end."""
        ended = torch.full((1, self.end + 1), -math.inf, dtype=torch.float64)
        ended[0, self.end] = 0
        return torch.cat([self.table.log(), ended])[list(last)].float()

    def continuing(self, prompts: Sequence[Prompt | str], room: Sequence[int]) -> Continuation:
        ids = self._ids([Prompt.of(prompt).text for prompt in prompts])
        return Continuation(
            ids,
            [len(own) for own in ids],
            [False] * len(ids),
            lambda rows, begun: ChainBranch(self, [[*ids[r], *text] for r, text in zip(rows, begun, strict=True)]),
            10**6,
        )

    def forced(self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[Sequence[int]]]) -> list[Forced]:
        ids = self._ids([Prompt.of(prompt).text for prompt in prompts])
        return [
            Forced(own, False, [self.logits([own[-1], *answer[:-1]]) for answer in choices])
            for own, choices in zip(ids, answers, strict=True)
        ]

    def answer_ids(self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        assert len(prompts) == len(answers)
        return [self._ids(choices) for choices in answers]

    def score(self, requests: Sequence[tuple[Prompt | str, str]]) -> list[Score]:
        found = []
        for prompt, text in requests:
            own = self._ids([text])[0]
            found.append(Score(tuple(own), tuple(chain(self.forced([prompt], [[own]])[0].logits[0], own))))
        return found

    def choose(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], scorer: Scorer = "sum"
    ) -> list[Choice]:
        assert scorer == "sum"
        scores = [
            tuple(s.sum for s in self.score([(p, o) for o in own])) for p, own in zip(prompts, options, strict=True)
        ]
        return [Choice(best(own), own) for own in scores]

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        return generate(self, prompts, sampling, begun)

    def probability(self, prompt: str, text: Sequence[int], length: int) -> float:
        """p of the text, with the end behind it where it is shorter than `length`."""
        p, last = 1.0, self._ids([prompt])[0][-1]
        for token in text:
            p, last = p * float(self.table[last, token]), token
        return p * (float(self.table[last, self.end]) if len(text) < length else 1.0)

    def texts(self, length: int) -> Iterator[tuple[int, ...]]:
        """Every text of at most so many tokens."""
        for count in range(length + 1):
            yield from product(range(self.end), repeat=count)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [[LETTERS.index(letter) for letter in text] for text in texts]


def shares(found: Sequence[Any], expected: dict[Any, float]) -> float:
    """p-value of a chi-square test that outcomes have the expected probabilities; rare ones are put together."""
    from collections import Counter

    from scipy.stats import chisquare

    counts, total = Counter(found), len(found)
    assert set(counts) <= {key for key, p in expected.items() if p > 0}, "an outcome that cannot be"
    common = [key for key, p in expected.items() if p * total >= 5]
    observed = [float(counts[key]) for key in common]
    wanted = [expected[key] * total for key in common]
    if sum(wanted) < total - 1e-6:
        observed, wanted = [*observed, total - sum(observed)], [*wanted, total - sum(wanted)]
    return float(chisquare(observed, wanted, sum_check=False).pvalue)
