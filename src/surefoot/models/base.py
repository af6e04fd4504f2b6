"""The interface of a language model that scores and writes; whatever a probe measures has it, treated or not."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from surefoot.errors import BadInput, NotAvailable, nearest
from surefoot.text.prompt import Prompt

if TYPE_CHECKING:
    import numpy as np

Capability = Literal["logprobs", "logits", "hidden_states", "gradients", "generate"]
Scorer = Literal["sum", "mean", "end", "paper"]
SCORERS: Mapping[str, str] = {
    "sum": "log-probability of the label's tokens given the prompt",
    "mean": "the same, divided by the number of tokens",
    "end": "the same as sum, with the token that ends the answer counted in",
    "paper": "the released step product of Sun et al. (2024), with its defects",
}


@dataclass(frozen=True)
class Score:
    """Natural-log probabilities of a continuation's tokens given its prompt."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]

    @property
    def sum(self) -> float:
        return sum(self.logprobs)

    @property
    def mean(self) -> float:
        return self.sum / len(self.logprobs)


@dataclass(frozen=True)
class Choice:
    """The ranking of a prompt's options. `index` is None where no option has a usable score."""

    index: int | None
    scores: tuple[float, ...]
    prompt_tokens: int = 0
    truncated: bool = False


@dataclass(frozen=True)
class Generation:
    """What a model wrote. `finish_reason` is `stop` (end token or stop string) or `length`."""

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: Literal["stop", "length"]
    prompt_tokens: int = 0
    truncated: bool = False


@dataclass(frozen=True)
class Sampling:
    """How the next token is picked. Temperature 0 is greedy; otherwise the seed fixes every draw of every prompt."""

    max_new_tokens: int = 32
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise BadInput(f"max_new_tokens is {self.max_new_tokens}; ask for at least one token.")
        if self.temperature < 0:
            raise BadInput(f"The temperature is {self.temperature}; use 0 for greedy or a positive number.")
        if not 0 < self.top_p <= 1:
            raise BadInput(f"top_p is {self.top_p}; use a number above 0 and up to 1.")


@dataclass
class TokenCount:
    """Tokens that requests asked for (each request on its own) and tokens that were computed for them."""

    asked: int = 0
    computed: int = 0

    def add(self, asked: int, computed: int) -> None:
        self.asked += asked
        self.computed += computed


@dataclass(frozen=True)
class ModelCard:
    """What identifies a model in a run record: two models with equal cards give equal rows up to rounding.

    `determinants` are further settings that change rows (how prompts are cut, a treatment's parameters), `details`
    facts for the reader.
    """

    name: str
    revision: str = ""
    dtype: str = ""
    device: str = ""
    format: str = ""
    format_digest: str = ""
    determinants: Mapping[str, Any] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


class LanguageModel(ABC):
    """A model that scores and generates. Prompts are `Prompt` objects or plain strings.

    A prompt's result depends on its own content and seed, never on the order, the batch or the shard it came in.
    """

    can: frozenset[str] = frozenset()
    tokens: TokenCount

    @property
    @abstractmethod
    def card(self) -> ModelCard: ...

    @property
    def name(self) -> str:
        return self.card.name

    @abstractmethod
    def score(self, requests: Sequence[tuple[Prompt | str, str]]) -> list[Score]:
        """Token log-probabilities of each (prompt, continuation)."""

    @abstractmethod
    def choose(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], scorer: Scorer = "sum"
    ) -> list[Choice]:
        """The best option of each prompt under a scorer of `SCORERS`; ties go to the first."""

    @abstractmethod
    def generate(self, prompts: Sequence[Prompt | str], sampling: Sampling | None = None) -> list[Generation]:
        """Text behind each prompt."""

    def hidden_states(self, prompts: Sequence[Prompt | str], layer: int = -2, position: int = -1) -> np.ndarray:
        """Hidden states, shape (prompts, width), float32; layer 0 is the embedding, -1 the last layer."""
        raise NotAvailable(f'"{self.name}" gives no hidden states; load it from local weights.')

    def show_tokens(self, prompt: Prompt | str) -> list[tuple[int, str]]:
        """Id and text of each token that the model reads; empty where the model has no tokenizer to show."""
        return []

    def render(self, prompt: Prompt | str) -> str:
        """The exact text that the model reads."""
        return Prompt.of(prompt).text

    def require(self, *needs: str, by: str) -> None:
        """Refuse with one sentence if the model lacks something that `by` needs."""
        missing = [need for need in needs if need not in self.can]
        if missing:
            raise NotAvailable(
                f'{by} needs {", ".join(missing)}, which "{self.name}" does not offer; {FALLBACKS[missing[0]]}'
            )


FALLBACKS: Mapping[str, str] = {
    "logprobs": 'let it write instead: answering="generate" (--scorer generate).',
    "logits": "load the model from local weights.",
    "hidden_states": "load the model from local weights.",
    "gradients": "load the model from local weights.",
    "generate": 'rank options instead: answering="sum" (--scorer sum).',
}


def check_scorer(scorer: str) -> None:
    if scorer not in SCORERS:
        raise BadInput(f'"{scorer}" is not a scorer.{nearest(scorer, SCORERS)}')


def best(scores: Sequence[float]) -> int | None:
    """Index of the highest score, the first of equals; None if any score is NaN or all are minus infinity."""
    if not scores or any(math.isnan(score) for score in scores) or max(scores) == float("-inf"):
        return None
    return max(range(len(scores)), key=lambda i: (scores[i], -i))
