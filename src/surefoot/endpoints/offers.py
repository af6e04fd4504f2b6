"""What an endpoint offers, found out by asking it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from surefoot.decoding.sampling import Sampling
from surefoot.endpoints.asking import ECHO, Way, answer_weighed, bare, next_token, only_last, shown, written
from surefoot.endpoints.client import Answer, Client, Question
from surefoot.endpoints.transport import Unanswered
from surefoot.errors import NotAvailable

SENTENCE, WORD = "The sky over the harbour was", " blue"
TOPS = (20, 5, 1)
ROUNDING = 0.25  # of a log-probability, in half precision
CHARACTER = 0.3  # tokens, before anything was counted


@dataclass(frozen=True)
class Offers:
    """What was found. `top` and `chat_top` say how many of the next token's candidates are shown; 0 is none.

    `ids`: prompts may be token ids. `together`: several prompts go into one request. `limit` is what chat completions
    call the length of an answer. `ratio` is tokens a character. `repeats`: the same request got the same answer twice.
    """

    completions: bool = False
    chat: bool = False
    prompt_logprobs: Way | None = None
    ids: bool = False
    together: bool = False
    top: int = 0
    chat_top: int = 0
    limit: str = "max_tokens"
    ratio: float = CHARACTER
    repeats: bool = True

    def told(self) -> dict[str, Any]:
        """For the card."""
        way = self.prompt_logprobs.name if self.prompt_logprobs else "none"
        return {
            "completions": self.completions,
            "chat completions": self.chat,
            "prompt log-probabilities": way,
            "prompts as token ids": self.ids,
            "several prompts a request": self.together,
            "candidates of the next token": {"completions": self.top, "chat": self.chat_top},
            "same request, same answer": self.repeats,
        }


def offers_of(client: Client, ids: Sequence[int] | None = None) -> Offers:
    """Ask for each thing once. `ids` are those of `SENTENCE + WORD` by a tokenizer of ours, if there is one.

    Cost: three to about ten requests of a few tokens. Raises `Unanswered` where the endpoint cannot be reached or
    refuses the key, `NotAvailable` where neither kind of completion works.
    """
    tried = _Trial(client)
    found = _completions(tried, ids)
    found = _chat(tried, found)
    if not (found.completions or found.chat):
        raise NotAvailable(f"Neither completions nor chat completions work: {tried.refusals[-1]}")
    again = _plainest(found)
    return replace(found, repeats=tried(again) == tried(again))


class _Trial:
    """Asks, and takes a refusal for an answer."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.refusals: list[Unanswered] = []

    def __call__(self, *questions: Question) -> list[Answer] | None:
        """The answers, or None where the endpoint refuses or does not understand."""
        try:
            return self.client.once(*questions)
        except Unanswered as error:
            if _is_final(error):
                raise
            self.refusals.append(error)
            return None

    @property
    def ignored(self) -> bool:
        """Whether the last refusal was an answer that left out what was asked for, so that less of it is no use."""
        return bool(self.refusals) and self.refusals[-1].failure.status == 0


def _completions(tried: _Trial, ids: Sequence[int] | None) -> Offers:
    """What `completions` offers."""
    plain = tried(written(SENTENCE, False, Sampling(1), "max_tokens", False, CHARACTER))
    if plain is None:
        return Offers()
    found = Offers(completions=True)
    if count := plain[0].get("prompt_tokens"):
        found = replace(found, ratio=min(2.0, max(0.1, count / len(SENTENCE))))
    for way in ECHO:
        if way.name == "echo, one token" and tried.ignored:
            continue
        weigh = answer_weighed(SENTENCE + WORD, WORD, way, CHARACTER)
        told = tried(weigh)
        if told and "logprobs" in told[0]:
            last = tried(only_last(SENTENCE + WORD, way, CHARACTER)) if way.name == "echo" else None
            own = way._replace(alone=bool(last and last[0]["alone"]))
            found = replace(found, prompt_logprobs=own, together=_close(tried(weigh, weigh), told * 2))
            break
    if ids and found.prompt_logprobs:
        told = tried(shown(ids, found.prompt_logprobs, CHARACTER))
        found = replace(found, ids=bool(told and bare(told[0]["text"]).endswith(bare(SENTENCE + WORD))))
    return replace(found, top=_top(tried, SENTENCE, False, "max_tokens"))


def _close(found: list[Answer] | None, expected: list[Answer]) -> bool:
    """Whether several prompts in one request get what one gets, up to the rounding of a batch."""
    if found is None:
        return False
    values = [(one.get("logprobs", []), other["logprobs"]) for one, other in zip(found, expected, strict=True)]
    return all(
        len(one) == len(other) and all(abs(a - b) < ROUNDING for a, b in zip(one, other, strict=True))
        for one, other in values
    )


def _chat(tried: _Trial, found: Offers) -> Offers:
    """What `chat/completions` offers."""
    messages = [{"role": "user", "content": f"{SENTENCE}{WORD}. Yes or no?"}]
    for limit in ("max_tokens", "max_completion_tokens"):
        if tried(written(messages, True, Sampling(1), limit, False, CHARACTER)) is not None:
            return replace(found, chat=True, limit=limit, chat_top=_top(tried, messages, True, limit))
    return found


def _top(tried: _Trial, prompt: Any, chat: bool, limit: str) -> int:
    for top in TOPS:
        if tried(next_token(prompt, chat, top, limit, CHARACTER)):
            return top
        if tried.ignored:
            break
    return 0


def _plainest(found: Offers) -> Question:
    """A request whose answer shows as much as there is to see."""
    if found.completions:
        return written(SENTENCE, False, Sampling(16), "max_tokens", found.top > 0, found.ratio)
    messages = [{"role": "user", "content": f"{SENTENCE}{WORD}. Yes or no?"}]
    return written(messages, True, Sampling(16), found.limit, found.chat_top > 0, found.ratio)


def _is_final(error: Unanswered) -> bool:
    """Whether the endpoint as a whole cannot be used, whatever is asked."""
    failure = error.failure
    return failure.again == "wait" or failure.status in (401, 403) or (failure.again == "never" and not failure.status)
