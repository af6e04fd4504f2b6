"""Clients that are killed or send nonsense, all at once: the others get their own answers, and nothing is left."""

from __future__ import annotations

import gc
import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
import torch

import tiny
from serving import serving
from surefoot.decoding.sampling import Sampling
from surefoot.serve.engine import Engine
from surefoot.serve.jobs import Job
from surefoot.text.prompt import Prompt

QUESTIONS = [f"Is {n} odd?" for n in range(6)]


def kill(address: str, rng: random.Random) -> None:
    """A request whose connection is reset: half sent, waiting for its answer, or in the middle of it."""
    parts = urlsplit(address)
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Is 1 odd?"}], "max_tokens": 100, "stream": True}
    data = json.dumps(body).encode()
    head = f"POST {parts.path}/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    sent = f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        when = rng.choice(("sending", "waiting", "reading"))
        connection.sendall(sent if when != "sending" else sent[: len(sent) // 2])
        if when == "reading":
            assert connection.recv(16) == b"HTTP/1.1 200 OK\r"


def one_client(address: str, seed: int, expected: dict[str, str], counts: Counter[str]) -> None:
    rng = random.Random(seed)
    with openai.OpenAI(base_url=address, api_key="none", max_retries=0) as client:
        for _ in range(8):
            do = rng.choice(("ask", "ask", "kill", "malformed", "large"))
            if do == "kill":
                kill(address, rng)
                continue
            question = rng.choice(QUESTIONS)
            content = "x" * 2_000_000 if do == "large" else question
            turns: Any = [{"role": "user", "content": content}]
            given: dict[str, Any] = {"n": 1000} if do == "malformed" else {}
            try:
                answer = client.chat.completions.create(
                    model="tiny", messages=turns, max_tokens=8, temperature=0, **given
                )
                counts["own" if answer.choices[0].message.content == expected[question] else "crossed"] += 1
            except openai.APIStatusError as error:
                counts[f"{do} {error.status_code}"] += 1


def test_clients_that_are_killed_or_send_nonsense_leave_the_others_and_the_server_unharmed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("surefoot.models.local.LocalModel.ends", property(lambda _: frozenset()))  # long texts
    model = tiny.causal(chat=True)
    expected = {q: model.generate([q], Sampling(8))[0].text for q in QUESTIONS}
    counts: Counter[str] = Counter()
    with serving(rows=4) as (address, engine):
        threads = [threading.Thread(target=one_client, args=(address, seed, expected, counts)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        _is_idle(engine)
    gc.collect()
    assert not caplog.records  # such as a task that was destroyed while it was pending
    assert set(counts) == {"own", "malformed 400", "large 413"}
    drawn = Counter(do for seed in range(6) for do in _drawn(seed))
    assert counts["own"] == drawn["ask"]


@pytest.mark.parametrize(("kind", "joins"), [(tiny.causal, True), (tiny.t5, False)])
def test_a_text_that_cannot_join_begins_when_the_others_have_ended(kind: Any, joins: bool) -> None:
    """Three texts that come a token apart, on an engine that is stepped by hand."""
    model, engine = kind(), Engine(rows=4)
    told: dict[str, str] = dict.fromkeys(QUESTIONS[:3], "")

    def hear(question: str, piece: Any) -> None:
        assert not piece.error
        told[question] += piece.text

    at_work = []
    for question in told:
        job = Job(model, Prompt.of(question), Sampling(8), lambda piece, own=question: hear(own, piece))
        engine._admit([job])
        at_work.append(engine.running)
        (group,) = engine.groups.values()
        if group.jobs:
            engine._step(group)
    while group.jobs:
        engine._step(group)
    assert told == {question: model.generate([question], Sampling(8))[0].text for question in told}
    assert max(at_work) == (3 if joins else 1)


def _drawn(seed: int) -> list[str]:
    """What a client does, by the same draws."""
    rng, done = random.Random(seed), []
    for _ in range(8):
        done.append(rng.choice(("ask", "ask", "kill", "malformed", "large")))
        if done[-1] == "kill":
            rng.choice((0, 1, 2))
        else:
            rng.choice(QUESTIONS)
    return done


def _is_idle(engine: Engine) -> None:
    until = time.monotonic() + 20
    while (engine.running or engine.waiting) and time.monotonic() < until:
        time.sleep(0.02)
    assert engine.running == 0
    assert not engine.waiting
    assert all(group.batch is None for group in engine.groups.values())


def test_a_batch_that_never_empties_stays_as_wide_as_its_longest_text() -> None:
    """One text joins before the other has left, again and again; each is still what a pass over it alone gives."""
    model: Any = tiny.causal()
    texts = [[5 + k, 6, 7, *range(8, 8 + k % 3)] for k in range(12)]
    with torch.inference_mode():
        branch = model._branch([texts[0]], [[]])
        branch.first()
        for before, text in pairwise(texts):
            more = model._branch([text], [[]])
            more.first()
            branch.next(torch.tensor([9]))
            branch.join(more)
            logits = branch.next(torch.tensor([10, 11])).logits
            for row, ids in enumerate(([*before, 9, 10], [*text, 11])):
                alone = model.model(input_ids=torch.tensor([ids])).logits[0, -1]
                assert logits[row] == pytest.approx(alone, abs=1e-4)
            assert branch.mask.shape[1] <= max(len(before) + 2, len(text) + 1)
            assert branch.cache.get_seq_length() == branch.mask.shape[1]
            branch.keep(torch.tensor([1]))
            texts[texts.index(text)] += [11]
