"""A model that says what a script tells it: for oracles, calibrations, documentation and tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.base import (
    Choice,
    Generation,
    LanguageModel,
    ModelCard,
    Score,
    Scorer,
    TokenCount,
    best,
    check_scorer,
)
from surefoot.models.writing import before_stop, one_each
from surefoot.text.prompt import Prompt


@dataclass(frozen=True)
class Reply:
    """What the script answers: the text it writes, and natural-log probabilities of continuations where they matter.

    Without `logprobs`, a continuation that the text begins with has probability 0.9 and any other one the rest.
    """

    text: str = ""
    logprobs: Mapping[str, float] = field(default_factory=dict)

    def logprob(self, continuation: str) -> float:
        if self.logprobs:
            return self.logprobs.get(continuation, -math.inf)
        return math.log(0.9) if continuation and self.text.startswith(continuation) else math.log(0.1)


Answer = str | Mapping[str, float] | Reply
Script = Sequence[Answer] | Mapping[str, Answer] | Callable[[Prompt, Sequence[str]], Answer]


class ScriptedModel(LanguageModel):
    """A model with a script instead of weights.

    `script` is a list (replies in the order of the calls, one a prompt), a dict from the prompt's text, or a callable
    of (prompt, options) with no options when it is to write. A reply is the text it writes, a mapping from continuation
    to natural-log probability, or a `Reply` with both. Tokens are words.

    >>> ScriptedModel({"2 + 2 =": "4"}).generate(["2 + 2 ="])[0].text
    '4'
    """

    def __init__(self, script: Script, name: str = "scripted", can: frozenset[str] | None = None) -> None:
        self.script = script
        self.can = frozenset({"logprobs", "generate"}) if can is None else can
        self.tokens = TokenCount()
        self._name = name
        self._next = 0

    @property
    def card(self) -> ModelCard:
        return ModelCard(self._name, revision=self._revision(), format="plain")

    def _revision(self) -> str:
        import hashlib

        code = getattr(self.script, "__code__", None)  # a name alone would take all lambdas for one
        told: Any = repr(self.script) if code is None else (code.co_qualname, code.co_code, code.co_names)
        told = told if code is None else (*told, [c for c in code.co_consts if isinstance(c, str | int | float)])
        return hashlib.sha256(str(told).encode()).hexdigest()[:16]

    def score(self, requests: Sequence[tuple[Prompt | str, str]]) -> list[Score]:
        return [
            Score(tuple(range(n := max(1, len(text.split())))), (self._reply(prompt, [text]).logprob(text) / n,) * n)
            for prompt, text in requests
        ]

    def choose(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], scorer: Scorer = "sum"
    ) -> list[Choice]:
        check_scorer(scorer)
        result = []
        for prompt, choices in zip(prompts, options, strict=True):
            reply = self._reply(prompt, choices)
            words = [max(1, len(choice.split())) if scorer == "mean" else 1 for choice in choices]
            scores = tuple(reply.logprob(choice) / n for choice, n in zip(choices, words, strict=True))
            result.append(Choice(best(scores), scores, _words(prompt)))
        return result

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        if begun is not None:
            raise NotAvailable(f'"{self._name}" follows a script and cannot go on with a text that was begun.')
        each = one_each(sampling, len(prompts))
        return [self._write(prompt, own) for prompt, own in zip(prompts, each, strict=True)]

    def _write(self, prompt: Prompt | str, sampling: Sampling) -> Generation:
        reply = self._reply(prompt, ())
        text = before_stop(reply.text, sampling.stop)
        words = text.split(" ")
        if len(words) > sampling.max_new_tokens:
            text, reason = " ".join(words[: sampling.max_new_tokens]), "length"
        else:
            reason = "stop"
        n = len(text.split(" "))
        return Generation(text, tuple(range(n)), (0.0,) * n, reason, _words(prompt))  # type: ignore[arg-type]

    def _reply(self, prompt: Prompt | str, options: Sequence[str]) -> Reply:
        prompt = Prompt.of(prompt)
        self.tokens.add(_words(prompt), _words(prompt))
        answer = self._answer(prompt, options)
        if isinstance(answer, Reply):
            return answer
        if isinstance(answer, str):
            return Reply(answer, {o: 0.0 if o == answer else -math.inf for o in options} if answer in options else {})
        return Reply(max(answer, key=lambda label: answer[label]), answer)

    def _answer(self, prompt: Prompt, options: Sequence[str]) -> Answer:
        if callable(self.script):
            return self.script(prompt, options)
        if isinstance(self.script, Mapping):
            if prompt.text not in self.script:
                raise BadInput(f'The script of "{self._name}" has no reply to "{prompt.text[:60]}"; add one.')
            return self.script[prompt.text]
        if self._next >= len(self.script):
            raise BadInput(f'The script of "{self._name}" has {len(self.script)} replies and was asked once more.')
        self._next += 1
        return self.script[self._next - 1]


def _words(prompt: Prompt | str) -> int:
    return len(Prompt.of(prompt).text.split())
