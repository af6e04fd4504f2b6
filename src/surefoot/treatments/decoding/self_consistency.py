"""Self-consistency: several texts are drawn, the answer of each is read, and the answer that most of them give wins.

    answer = argmax over a of #{j : read(y_j) = a},   y_1 .. y_m ~ p(y | x)

Ties go to the answer that came first. Needs `generate`.
Source: Wang et al. 2023 (ICLR), arXiv:2203.11171.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, NamedTuple

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable, nearest
from surefoot.metrics.normalise import normalise
from surefoot.models.base import Choice, Generation, LanguageModel, Scorer, best
from surefoot.models.writing import one_each
from surefoot.text.answers import parse_answer
from surefoot.text.prompt import Prompt
from surefoot.treatments.wrapped import Wrapped, layers

NUMBER = re.compile(r"(?:(?<!\w)-)?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
Read = Callable[[str], str | None]
"""The answer in a text; None where there is none."""


def last_number(text: str) -> str | None:
    """The last number, without commas and needless zeros: `1,250.00` and `1250` are one answer."""
    found = NUMBER.findall(text)
    return f"{Decimal(found[-1].replace(',', '')).normalize():f}" if found else None


def whole_text(text: str) -> str | None:
    """The text in lower case, without punctuation, articles and extra spaces."""
    return normalise(text) or None


READERS: Mapping[str, Read] = {"number": last_number, "text": whole_text}


class Vote(NamedTuple):
    """One prompt: how many texts gave each answer, most votes first, and the texts with what was read from each.

    `winner` is the place of the first text with the answer that won; where no answer was read, the first text's.
    """

    counts: tuple[tuple[str, int], ...]
    texts: tuple[Generation, ...]
    answers: tuple[str | None, ...]

    @property
    def answer(self) -> str | None:
        return self.counts[0][0] if self.counts else None

    @property
    def winner(self) -> int:
        return self.answers.index(self.answer)

    @property
    def shares(self) -> dict[str, float]:
        """Votes of each answer as shares of all texts; those without an answer make up the rest."""
        return {answer: count / len(self.texts) for answer, count in self.counts}


@dataclass(frozen=True)
class SelfConsistency:
    """`samples` texts are drawn for each prompt, with `temperature` where the sampling asks for none.

    `read` gives the answer of a text: `number` (the last one), `text` (all of it, normalised), or from Python a
    function of the text. `choosing` is `model` (options are ranked as by the model below) or `votes`: options are
    ranked by the share of drawn texts that name them, of at most `max_new_tokens` tokens.
    """

    samples: int = 10
    temperature: float = 0.7
    read: Any = "number"
    choosing: str = "model"
    max_new_tokens: int = 32

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise BadInput(f"samples is {self.samples}; draw at least one text.")
        if not 0 < self.temperature < math.inf:
            raise BadInput(f"The temperature is {self.temperature}; texts that are to differ need a positive one.")
        if not callable(self.read) and self.read not in READERS:
            raise BadInput(f'"{self.read}" is no way to read an answer.{nearest(str(self.read), READERS)}')
        if self.choosing not in ("model", "votes"):
            raise BadInput(f'choosing is "{self.choosing}"; use model or votes.')
        if self.max_new_tokens < 1:
            raise BadInput(f"max_new_tokens is {self.max_new_tokens}; let a vote have at least one token.")

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The model that votes with itself."""
        return SelfConsistentModel(model, "self-consistency", self)


class SelfConsistentModel(Wrapped):
    """`vote` shows what `generate` decides by."""

    settings: SelfConsistency
    decides_on_texts = True

    def __init__(self, base: LanguageModel, treatment: str, settings: SelfConsistency) -> None:
        base.require("generate", by=f"The treatment {treatment}")
        refuse_one_text(base, treatment)
        super().__init__(base, treatment, settings)

    def told(self) -> Mapping[str, Any]:
        s = self.settings
        read = s.read if isinstance(s.read, str) else getattr(s.read, "__qualname__", repr(s.read))
        return {"samples": s.samples, "temperature": s.temperature, "read": read, "choosing": s.choosing,
                "max_new_tokens": s.max_new_tokens}  # fmt: skip

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        """The first text with the answer that won. `begun` are all texts that were begun, prompt by prompt."""
        return [vote.texts[vote.winner] for vote in self.vote(prompts, sampling, begun)]

    def vote(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Vote]:
        """What was drawn for each prompt and how it voted. Text j of a seed s is drawn with the seed s m + j."""
        read: Read = self.settings.read if callable(self.settings.read) else READERS[self.settings.read]
        return self._votes(prompts, one_each(sampling, len(prompts)), [read] * len(prompts), begun)

    def choose(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], scorer: Scorer = "sum"
    ) -> list[Choice]:
        if self.settings.choosing == "model":
            return super().choose(prompts, options, scorer)
        samplings = [Sampling(max_new_tokens=self.settings.max_new_tokens)] * len(prompts)
        votes = self._votes(prompts, samplings, [_option(own) for own in options])
        return [_chosen(vote, len(own)) for vote, own in zip(votes, options, strict=True)]

    def _votes(
        self,
        prompts: Sequence[Prompt | str],
        samplings: Sequence[Sampling],
        readers: Sequence[Read],
        begun: Sequence[Generation] | None = None,
    ) -> list[Vote]:
        m = self.settings.samples
        repeated = [self._changed(prompt) for prompt in prompts for _ in range(m)]
        own = [self._own(sampling, j) for sampling in samplings for j in range(m)]
        if begun is not None and len(begun) != len(repeated):
            raise BadInput(
                f"{len(begun)} texts were begun for {len(prompts)} prompts of {m} samples each; give all "
                f"{len(repeated)} that the interruption left."
            )
        texts = self.inner.generate(repeated, own, begun)
        return [counted(texts[m * k : m * (k + 1)], read) for k, read in enumerate(readers)]

    def _own(self, sampling: Sampling, sample: int) -> Sampling:
        temperature = sampling.temperature or self.settings.temperature
        return replace(sampling, temperature=temperature, seed=sampling.seed * self.settings.samples + sample)


def refuse_one_text(model: LanguageModel, treatment: str) -> None:
    """What always writes the same text has nothing to vote about."""
    for below in layers(model):
        if below.decides_on_texts and not getattr(below, "draws", False):
            raise NotAvailable(
                f"{treatment} draws several texts and {below.treatment} decides on one; leave {below.treatment} out."
            )


def counted(texts: Sequence[Generation], read: Read) -> Vote:
    """The vote of some texts."""
    answers = tuple(read(text.text) for text in texts)
    given = Counter(answer for answer in answers if answer is not None)
    return Vote(tuple(given.most_common()), tuple(texts), answers)


def _option(options: Sequence[str]) -> Read:
    def read(text: str) -> str | None:
        index = parse_answer(text, options)
        return None if index is None else str(index)

    return read


def _chosen(vote: Vote, options: int) -> Choice:
    """Scores are log shares of votes."""
    shares = [vote.shares.get(str(index), 0.0) for index in range(options)]
    scores = tuple(math.log(share) if share else -math.inf for share in shares)
    return Choice(best(scores), scores, vote.texts[0].prompt_tokens, any(text.truncated for text in vote.texts))
