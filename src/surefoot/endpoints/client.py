"""Many questions to one endpoint: at the same time, each asked and paid for once, answers in the order asked."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

from surefoot.endpoints.answers import Answers
from surefoot.endpoints.budget import Meter
from surefoot.endpoints.retrying import persistently
from surefoot.endpoints.settings import EndpointSettings, Patience
from surefoot.endpoints.transport import Failure, Transport
from surefoot.models.repetition import repetition

LAST = "echo_last"  # the field of `surefoot serve` that asks for the probabilities of the last tokens alone
Answer = dict[str, Any]
Read = Callable[[Mapping[str, Any]], Answer]


class Lacking(ValueError):
    """An answer is not what was asked for; the message completes "gave an answer ..."."""


@dataclass(frozen=True, eq=False)
class Question:
    """One prompt for the endpoint. `read` makes of the endpoint's choice what is kept, as JSON; `reads` names it.

    `tokens` estimates prompt and answer together. `alone`: it is not put into one request with others.
    """

    path: str
    body: Mapping[str, Any]
    read: Read
    reads: str
    tokens: int
    alone: bool = False

    def shared(self) -> str:
        """All but the prompt and how much of it is weighed; questions that agree in it may go into one request."""
        rest = {name: value for name, value in self.body.items() if name not in ("prompt", "messages", LAST)}
        return json.dumps([self.path, rest], sort_keys=True)


class Client:
    """Asks one model of one endpoint. `together` prompts go into one request to `completions`."""

    def __init__(self, transport: Transport, model: str, settings: EndpointSettings) -> None:
        self.transport, self.model, self.settings = transport, model, settings
        self.meter, self.answers = Meter.of(settings.budget), Answers()
        self.together = 1
        self.known_as: set[str] = set()

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """The answers. What is known from before costs nothing; what has come when an error is raised is kept."""
        keys = [self._key(question) for question in questions]
        known = self.answers.known(keys)
        missing = {key: question for key, question in zip(keys, questions, strict=True) if key not in known}
        groups = self._groups(missing)
        stop = threading.Event()

        def work(group: Mapping[bytes, Question]) -> dict[bytes, Answer]:
            if stop.is_set():
                return {}
            try:
                found = self._exchange(list(group.values()), self.settings.patience, stop)
            except BaseException:
                stop.set()  # at once, before another begins
                raise
            told = dict(zip(group, found, strict=True))
            self.answers.add(told)
            return told

        pool = ThreadPoolExecutor(min(self.settings.concurrency, max(1, len(groups))), "endpoint")
        try:
            futures = [pool.submit(work, group) for group in groups]
            ended, _ = wait(futures, return_when=FIRST_EXCEPTION)
            failed = next((future for future in futures if future in ended and future.exception()), None)
            if failed is not None:
                pool.shutdown(wait=True, cancel_futures=True)  # what is under way has its price: wait for it
                failed.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
        for future in futures:
            known |= future.result()
        return [known[key] for key in keys]

    def once(self, *questions: Question) -> list[Answer]:
        """Answers in one request, neither looked up nor kept: to find out what is offered. Raises `Unanswered`."""
        return self._exchange(questions, replace(self.settings.patience, few=2), threading.Event())

    def _key(self, question: Question) -> bytes:
        """The hash of all that determines the answer; a repetition is another request."""
        whole = [self.transport.address.base, self.model, question.path, dict(question.body), question.reads]
        return hashlib.sha256(json.dumps([whole, repetition()], sort_keys=True).encode()).digest()

    def _groups(self, missing: Mapping[bytes, Question]) -> list[dict[bytes, Question]]:
        alike: dict[str, list[bytes]] = defaultdict(list)
        for key, question in missing.items():
            alike[question.shared()].append(key)
        groups = []
        for keys in alike.values():
            size = 1 if missing[keys[0]].alone else self.together
            groups += [{key: missing[key] for key in keys[at : at + size]} for at in range(0, len(keys), size)]
        return groups

    def _exchange(self, questions: Sequence[Question], patience: Patience, stop: threading.Event) -> list[Answer]:
        return persistently(lambda: self._send(questions), patience, stop)

    def _send(self, questions: Sequence[Question]) -> list[Answer]:
        body = {"model": self.model, **questions[0].body}
        if len(questions) > 1:
            body["prompt"] = [question.body["prompt"] for question in questions]
            body |= {LAST: max(question.body[LAST] for question in questions)} if LAST in body else {}
        with self.meter.request(sum(question.tokens for question in questions)) as spending:
            answer = self.transport.send(questions[0].path, body)
            usage = answer.get("usage")
            spending.tokens = _count(usage, "total_tokens")
        self._check_name(answer.get("model"))
        prompt_tokens = _count(usage, "prompt_tokens") if len(questions) == 1 else None
        choices = _choices(answer, len(questions))
        try:
            found = [q.read(choice) for q, choice in zip(questions, choices, strict=True)]
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            why = str(error) if isinstance(error, Lacking) else "without what was asked for, such as log-probabilities"
            raise Failure(f'{self.transport.address.base} gave an answer {why} ("{self.model}")', "few") from None
        return [told if prompt_tokens is None else {"prompt_tokens": prompt_tokens, **told} for told in found]

    def _check_name(self, name: Any) -> None:
        if not isinstance(name, str) or not name or alike(name, self.model) or name in self.known_as:
            return
        raise Failure(
            f'"{self.model}" was asked and "{name}" answered at {self.transport.address.base}; if that is the model '
            f"that is meant, ask for {self.transport.address.base}#{name}",
            "never",
        )


def alike(name: str, asked: str) -> bool:
    """Whether a name is the model's own with a date, a revision or a path around it."""
    own, other = (text.lower().rsplit("/", 1)[-1] for text in (name, asked))
    return own.startswith(other) or other.startswith(own)


def _count(usage: Any, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and value >= 0 else None


def _choices(answer: Mapping[str, Any], count: int) -> list[Any]:
    """The choices in the order of the prompts."""
    choices = answer.get("choices")
    if not isinstance(choices, list) or len(choices) != count or not all(isinstance(c, dict) for c in choices):
        got = len(choices) if isinstance(choices, list) else "no"
        raise Failure(f"The endpoint gave {got} choices for {count} prompts", "few")
    if count == 1:
        return choices
    if sorted(choice.get("index", -1) for choice in choices) != list(range(count)):
        raise Failure(f"The endpoint's choices for {count} prompts are not numbered", "few")
    return sorted(choices, key=lambda choice: int(choice["index"]))
