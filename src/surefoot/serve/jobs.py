"""What the engine works on: a text to be written, or a text whose tokens are to be weighed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surefoot.decoding.rows import Draft
from surefoot.decoding.sampling import Sampling
from surefoot.errors import SurefootError
from surefoot.models.base import LanguageModel
from surefoot.models.writing import before_stop
from surefoot.serve.faults import reported
from surefoot.text.prompt import Prompt

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Weighed:
    """A token, its natural-log probability, and the most probable tokens in its place with theirs."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Piece:
    """Something new of a job: tokens and text that may be shown. `finish_reason` is given with the last piece.

    `error` is a sentence, where the job failed, and `status` the HTTP status that goes with it.
    """

    text: str = ""
    tokens: tuple[Weighed, ...] = ()
    finish_reason: str = ""
    error: str = ""
    status: int = 400
    prompt_tokens: int = 0


Tell = Callable[[Piece], None]


@dataclass
class Job:
    """A text behind a prompt. `tell` is called from the engine's thread with each piece; `top` asks for that many
    alternatives of each token."""

    model: LanguageModel
    prompt: Prompt
    sampling: Sampling
    tell: Tell
    top: int = 0
    cancelled: bool = False
    draft: Draft | None = None
    length: int = 0
    shown: int = 0
    told: int = 0

    def piece(self, top: tuple[tuple[int, float], ...]) -> Piece | None:
        """What may be shown since the last time: no half characters, and nothing that may become a stop text."""
        draft = self.draft
        assert draft is not None
        ended = draft.finish_reason != "interrupted"
        whole = self.model.vocabulary.decode(draft.written)
        text = before_stop(whole, self.sampling.stop)
        safe = len(text) if ended or len(text) < len(whole) else _safe(text, self.sampling.stop)
        tokens = tuple(
            Weighed(token, logprob, top)
            for token, logprob in zip(draft.written[self.told :], draft.logprobs[self.told :], strict=False)
        )
        new = text[self.shown : safe]
        self.shown, self.told = max(self.shown, safe), len(draft.written)
        if not (new or tokens or ended):
            return None
        return Piece(new, tokens, draft.finish_reason if ended else "", prompt_tokens=self.length)


@dataclass
class Weighing:
    """The probabilities of given token ids, each behind those before it; the first has none.

    `last` asks for those of so many tokens at the end alone; 0 is all. With `sampling` the token that comes next is
    picked too, and is the last of the answer.
    """

    model: LanguageModel
    ids: Sequence[int]
    tell: Tell
    top: int = 0
    sampling: Sampling | None = None
    last: int = 0
    cancelled: bool = False

    @property
    def start(self) -> int:
        """Index of the first token whose probability is asked for."""
        return max(1, len(self.ids) - self.last) if self.last else 1

    @property
    def looks_on(self) -> bool:
        """Whether what comes behind the last token is looked at."""
        return self.sampling is not None or self.start == len(self.ids)

    @property
    def rows(self) -> int:
        """Distributions that are looked at."""
        return len(self.ids) - self.start + self.looks_on


def _safe(text: str, stops: Sequence[str]) -> int:
    """Characters that can be shown: short of a half character at the end and of the beginning of a stop text."""
    end = len(text.rstrip("\ufffd")) if text.endswith("\ufffd") else len(text)
    for stop in stops:
        for size in range(min(len(stop) - 1, end), 0, -1):
            if text[:end].endswith(stop[:size]):
                end -= size
                break
    return end


def top_of(logits: torch.Tensor, count: int, norms: torch.Tensor | None = None) -> list[tuple[tuple[int, float], ...]]:
    """The most probable tokens of each row of logits (rows, vocabulary), with natural-log probabilities.

    `norms`, shape (rows, 1), is the log of the sum of exp of each row, where it is known.
    """
    if not count:
        return [()] * len(logits)
    values, tokens = logits.float().topk(count)
    logprobs = values - (logits.float().logsumexp(-1, keepdim=True) if norms is None else norms)
    rows = zip(tokens.tolist(), logprobs.tolist(), strict=True)
    return [tuple(zip(ids, own, strict=True)) for ids, own in rows]


def guarded(jobs: Sequence[Job | Weighing], work: Any) -> None:
    """A job that fails is told so, and nobody else is."""
    try:
        work()
    except Exception as error:
        tell_all(jobs, error)


def tell_all(jobs: Sequence[Job | Weighing], error: Exception) -> None:
    """What clients are told: the sentence of an error that is meant for users, and a number for any other."""
    meant = isinstance(error, SurefootError)
    piece = Piece(error=str(error)) if meant else Piece(error=reported(error), status=500)
    for job in jobs:
        job.tell(piece)
