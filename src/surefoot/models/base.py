"""The interface of a language model that scores and writes; whatever a probe measures has it, treated or not."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable, nearest
from surefoot.text.prompt import Prompt

if TYPE_CHECKING:
    import numpy as np

    from surefoot.decoding.branch import Continuation
    from surefoot.decoding.forced import Forced
    from surefoot.decoding.rows import Vocabulary
    from surefoot.models.trace import Trace

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
    """What a model wrote, with natural-log probabilities of its tokens (and of the end token, where it wrote that).

    `logprobs` are those that `score` gives. `sampled_logprobs` are under the distribution that was drawn from, with
    penalties, temperature and truncation; `plain_logprobs` under the model without any treatment of its decoding.
    `finish_reason` is `stop` (end token or stop text), `length`, or `interrupted`. `trace` is there where a treatment
    searched or drafted before it wrote.
    """

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: Literal["stop", "length", "interrupted"]
    prompt_tokens: int = 0
    truncated: bool = False
    sampled_logprobs: tuple[float, ...] = ()
    plain_logprobs: tuple[float, ...] = ()
    trace: Trace | None = None


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

    def __repr__(self) -> str:
        return f"<model {self.name}>"

    @abstractmethod
    def score(self, requests: Sequence[tuple[Prompt | str, str]]) -> list[Score]:
        """Token log-probabilities of each (prompt, continuation)."""

    @abstractmethod
    def choose(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], scorer: Scorer = "sum"
    ) -> list[Choice]:
        """The best option of each prompt under a scorer of `SCORERS`; ties go to the first."""

    @abstractmethod
    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        """Text behind each prompt. `sampling` is one for all or one a prompt; `begun` is gone on with."""

    def continuing(self, prompts: Sequence[Prompt | str], room: Sequence[int]) -> Continuation:
        """The prompts, ready to be continued token by token, with `room` for so many tokens behind each."""
        raise NotAvailable(f'"{self.name}" gives no distribution of its next token; load it from local weights.')

    def forced(self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[Sequence[int]]]) -> list[Forced]:
        """The distributions along given answers (token ids) behind each prompt."""
        raise NotAvailable(f'"{self.name}" gives no distribution of its next token; load it from local weights.')

    def answer_ids(self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        """Token ids of each prompt's answers, as they stand behind it."""
        raise NotAvailable(f'"{self.name}" shows no tokens; load it from local weights.')

    @property
    def vocabulary(self) -> Vocabulary:
        """What decoding must know of the model's tokens."""
        raise NotAvailable(f'"{self.name}" shows no tokens; load it from local weights.')

    def hidden_states(self, prompts: Sequence[Prompt | str], layer: int = -2, position: int = -1) -> np.ndarray:
        """Hidden states, shape (prompts, width), float32; layer 0 is the embedding, -1 the last layer."""
        raise NotAvailable(f'"{self.name}" gives no hidden states; load it from local weights.')

    def show_tokens(self, prompt: Prompt | str) -> list[tuple[int, str]]:
        """Id and text of each token that the model reads; empty where the model has no tokenizer to show."""
        return []

    def render(self, prompt: Prompt | str) -> str:
        """The exact text that the model reads."""
        return Prompt.of(prompt).text

    def keep_answers(self, folder: str) -> None:
        """Where answers that were paid for are kept, so that they need not be paid for again. Most models keep none."""
        return

    def require(self, *needs: str, by: str) -> None:
        """Refuse with one sentence if the model lacks something that `by` needs."""
        offered = self.can | ({"top_logprobs"} if "logprobs" in self.can else frozenset())
        missing = [need for need in needs if need not in offered]
        if missing:
            raise NotAvailable(
                f'{by} needs {", ".join(missing)}, which "{self.name}" does not offer; {FALLBACKS[missing[0]]}'
            )


FALLBACKS: Mapping[str, str] = {
    "logprobs": 'let it write instead: answering="generate" (--scorer generate).',
    "top_logprobs": 'let it write instead: answering="generate" (--scorer generate).',
    "logits": "load the model from local weights.",
    "hidden_states": "load the model from local weights.",
    "gradients": "load the model from local weights.",
    "generate": 'rank options instead: answering="sum" (--scorer sum).',
}


def check_scorer(scorer: str) -> None:
    if scorer not in SCORERS:
        raise BadInput(f'"{scorer}" is not a scorer.{nearest(scorer, SCORERS)}')


def ranked(
    logprobs: Sequence[Sequence[float]], scorer: Scorer, prompt_tokens: int = 0, truncated: bool = False
) -> Choice:
    """The choice between options by the sum of their tokens' log-probabilities, or by the mean where `scorer` says."""
    scores = tuple(sum(own) / (len(own) if scorer == "mean" else 1) for own in logprobs)
    return Choice(best(scores), scores, prompt_tokens, truncated)


def best(scores: Sequence[float]) -> int | None:
    """Index of the highest score, the first of equals; None if any score is NaN or all are minus infinity."""
    if not scores or any(math.isnan(score) for score in scores) or max(scores) == float("-inf"):
        return None
    return max(range(len(scores)), key=lambda i: (scores[i], -i))
