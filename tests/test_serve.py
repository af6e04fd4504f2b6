"""The server, asked by the official client: its texts and probabilities are those of the models in it."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

import surefoot.serve.weighing
import tiny
from serving import catalogue, serving
from surefoot.decoding.sampling import Sampling
from surefoot.serve.desk import Limits
from surefoot.serve.jobs import Weighing
from surefoot.serve.run import plain_twin
from surefoot.text.prompt import Part, Prompt
from surefoot.treatments import treat

QUESTIONS = [f"Is {n} odd?" for n in range(8)]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving() as (address, _):
        yield address


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[openai.OpenAI]:
    with opened(address) as client:
        yield client


def opened(address: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=address, api_key="none", max_retries=0)


def ask(client: openai.OpenAI, question: Any, **settings: Any) -> Any:
    given = {"model": "tiny", "max_tokens": 8, "temperature": 0.0, **settings}
    return client.chat.completions.create(messages=[{"role": "user", "content": question}], **given)


def written(model: Any, prompt: Any, **settings: Any) -> Any:
    return model.generate([prompt], Sampling(**{"max_new_tokens": 8, **settings}))[0]


def test_a_chat_is_what_the_model_writes(client: openai.OpenAI) -> None:
    for question in QUESTIONS:
        expected = written(tiny.causal(chat=True), question)
        answer = ask(client, question, logprobs=True, top_logprobs=2)
        choice = answer.choices[0]
        assert choice.message.content == expected.text
        assert choice.finish_reason == expected.finish_reason
        assert answer.usage.prompt_tokens == expected.prompt_tokens
        assert answer.usage.completion_tokens == len(expected.token_ids)
        values = [token.logprob for token in choice.logprobs.content]
        assert values == pytest.approx(expected.logprobs[: len(values)], abs=1e-3)
        assert all(len(token.top_logprobs) == 2 for token in choice.logprobs.content)
        assert all(t.top_logprobs[0].logprob == pytest.approx(t.logprob, abs=1e-3) for t in choice.logprobs.content)


def test_drawn_texts_follow_the_seed(client: openai.OpenAI) -> None:
    expected = written(tiny.causal(chat=True), "Is 3 odd?", temperature=0.9, top_p=0.8, seed=7)
    settings = {"temperature": 0.9, "top_p": 0.8, "seed": 7}
    assert ask(client, "Is 3 odd?", **settings).choices[0].message.content == expected.text
    several = ask(client, "Is 3 odd?", n=3, **settings).choices
    assert several[0].message.content == expected.text
    assert len({choice.message.content for choice in several}) == 3


def test_concurrent_clients_get_their_own_answers(client: openai.OpenAI) -> None:
    model = tiny.causal(chat=True)
    expected = [written(model, question, max_new_tokens=4 + k).text for k, question in enumerate(QUESTIONS * 4)]
    with ThreadPoolExecutor(16) as pool:
        jobs = [pool.submit(ask, client, q, max_tokens=4 + k) for k, q in enumerate(QUESTIONS * 4)]
        assert [job.result().choices[0].message.content for job in jobs] == expected


def test_a_stream_adds_up_to_the_answer(client: openai.OpenAI) -> None:
    whole = ask(client, "Is 3 odd?", max_tokens=12)
    chunks = list(ask(client, "Is 3 odd?", max_tokens=12, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == whole.choices[0].finish_reason
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens
    assert len(chunks) > 4


def test_a_stop_text_never_shows_in_a_stream(client: openai.OpenAI) -> None:
    whole = ask(client, "Is 3 odd?", max_tokens=20).choices[0].message.content
    stop = whole[4:6]
    chunks = list(ask(client, "Is 3 odd?", max_tokens=20, stream=True, stop=[stop, "never there"]))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole[: whole.index(stop)]
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_completion_has_no_template_and_takes_several_prompts_or_ids(client: openai.OpenAI) -> None:
    model = plain_twin(tiny.causal(chat=True))
    expected = [written(model, question).text for question in QUESTIONS]
    given = {"model": "tiny", "max_tokens": 8, "temperature": 0.0}
    assert [c.text for c in client.completions.create(prompt=QUESTIONS, **given).choices] == expected
    ids = model.encode(QUESTIONS)  # type: ignore[attr-defined]
    assert [c.text for c in client.completions.create(prompt=ids, **given).choices] == expected


@pytest.mark.parametrize("name", ["tiny", "tiny+cad"])
def test_an_echo_weighs_each_token_as_the_model_does(name: str, client: openai.OpenAI) -> None:
    model: Any = plain_twin(tiny.causal(chat=True))
    texts = ["Is it so? yes", "Is it so? no", "B"]
    answer = client.completions.create(model=name, prompt=texts, max_tokens=0, echo=True, logprobs=3)
    for text, choice in zip(texts, answer.choices, strict=True):
        ids = model.encode([text])[0]
        forced = model._forced_logits([ids[:1]], [[ids[1:]]])[0][0].log_softmax(-1)
        expected = [float(forced[k, token]) for k, token in enumerate(ids[1:])]
        assert choice.logprobs.token_logprobs[0] is None
        assert choice.logprobs.token_logprobs[1:] == pytest.approx(expected, abs=1e-3)
        best = [max(tops.values()) for tops in choice.logprobs.top_logprobs[1:]]
        assert best == pytest.approx(forced.max(-1).values.tolist(), abs=1e-3)
        assert choice.text == text


def test_an_echo_with_one_new_token_is_the_echo_and_what_the_model_writes_next(client: openai.OpenAI) -> None:
    model: Any = plain_twin(tiny.causal(chat=True))
    texts = ["Is it so? yes", "B"]
    given: dict[str, Any] = {"model": "tiny", "prompt": texts, "echo": True, "logprobs": 1, "temperature": 0}
    longer = client.completions.create(max_tokens=1, **given).choices
    for text, new, old in zip(texts, longer, client.completions.create(max_tokens=0, **given).choices, strict=True):
        assert new.logprobs.token_logprobs[:-1] == pytest.approx(old.logprobs.token_logprobs)
        expected = written(model, text, max_new_tokens=1)
        assert new.text == text + expected.text
        assert new.logprobs.token_logprobs[-1] == pytest.approx(expected.logprobs[0], abs=1e-3)
        assert new.logprobs.token_logprobs[-1] == max(new.logprobs.top_logprobs[-1].values())


def test_of_an_echo_the_last_tokens_can_be_asked_for_alone_and_no_other_is_looked_at(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at: list[int] = []
    original = surefoot.serve.weighing.weighed
    monkeypatch.setattr(
        "surefoot.serve.weighing.weighed",
        lambda job, logits, *a: (looked_at.append(len(logits)), original(job, logits, *a))[1],
    )
    given: dict[str, Any] = {
        "model": "tiny",
        "prompt": ["Is it so? yes", "Is it so? no", "B"],
        "echo": True,
        "logprobs": 2,
    }
    whole = client.completions.create(max_tokens=0, **given).choices
    looked_at.clear()
    last = client.completions.create(max_tokens=0, **given, extra_body={"echo_last": 2}).choices
    assert looked_at == [2, 2, 1]
    for one, all_ in zip(last, whole, strict=True):
        own, expected = one.logprobs, all_.logprobs
        assert (one.text, own.tokens, own.text_offset) == (all_.text, expected.tokens, expected.text_offset)
        assert own.token_logprobs[-2:] == [value and pytest.approx(value) for value in expected.token_logprobs[-2:]]
        assert own.token_logprobs[:-2] == [None] * (len(own.tokens) - min(2, len(own.tokens)))
    longer = client.completions.create(max_tokens=1, temperature=0, **given, extra_body={"echo_last": 1}).choices
    next_ = client.completions.create(max_tokens=1, temperature=0, **given).choices
    assert [c.text for c in longer] == [c.text for c in next_]
    for one, all_ in zip(longer, next_, strict=True):
        assert one.logprobs.token_logprobs[-1] == pytest.approx(all_.logprobs.token_logprobs[-1])


def test_a_treatment_of_prompts_reads_what_stands_before_the_last_tokens(client: openai.OpenAI) -> None:
    brief = treat("system-prompt", plain_twin(tiny.causal(chat=True)), text="Be brief.")
    (expected,) = brief.score([("Is it so?", "yes")])
    given: dict[str, Any] = {"prompt": "Is it so? yes", "max_tokens": 0, "echo": True, "logprobs": 0}
    answer = client.completions.create(model="tiny+system-prompt", **given, extra_body={"echo_last": 2})
    assert answer.choices[0].logprobs.token_logprobs[-2:] == pytest.approx(expected.logprobs, abs=1e-4)


def test_treatments_are_chosen_by_name_or_field_within_what_is_offered(client: openai.OpenAI) -> None:
    content = [{"type": "text", "text": "Some are. ", "part": "context"}, {"type": "text", "text": "Is 3 odd?"}]
    prompt = Prompt((Part("context", "Some are. "), Part("input", "Is 3 odd?")))
    model = tiny.causal(chat=True)
    brief = treat("system-prompt", model, text="Be brief.")
    expected = {
        "tiny": written(model, prompt).text,
        "tiny+cad": written(treat("cad", model, alpha=1.0), prompt).text,
        "tiny+system-prompt": written(brief, prompt).text,
    }
    assert {name: ask(client, content, model=name).choices[0].message.content for name in expected} == expected
    assert len(set(expected.values())) == 3
    by_field = ask(client, content, extra_body={"treatments": ["cad"]})
    assert by_field.choices[0].message.content == expected["tiny+cad"]
    with pytest.raises(openai.BadRequestError, match='Did you mean "cad"'):
        ask(client, content, model="tiny+kad")
    with pytest.raises(openai.NotFoundError, match="no model"):
        ask(client, content, model="huge")
    assert [model.id for model in client.models.list()] == list(expected)


def test_what_is_always_on_cannot_be_turned_off() -> None:
    always = ("cad:alpha=2.0",)
    with serving(catalogue(always=always, offers=())) as (address, _), opened(address) as client:
        content = [{"type": "text", "text": "Some are. ", "part": "context"}, {"type": "text", "text": "Is 3 odd?"}]
        prompt = Prompt((Part("context", "Some are. "), Part("input", "Is 3 odd?")))
        expected = written(treat("cad", tiny.causal(chat=True), alpha=2.0), prompt).text
        assert ask(client, content).choices[0].message.content == expected
        assert ask(client, content, extra_body={"treatments": []}).choices[0].message.content == expected


def test_earlier_turns_are_read(client: openai.OpenAI) -> None:
    turns: list[Any] = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Is 3 odd?"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "And 4?"},
    ]
    answer = client.chat.completions.create(model="tiny", messages=turns, max_tokens=8, temperature=0)
    words = tiny.tokenizer()
    text = words.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids = words(text, add_special_tokens=False)["input_ids"]
    import torch

    out = tiny.llama_weights().generate(
        input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), max_new_tokens=8, do_sample=False
    )
    new = [token for token in out[0, len(ids) :].tolist() if token != 1]
    assert answer.choices[0].message.content == words.decode(new, skip_special_tokens=True)
    assert answer.usage.prompt_tokens == len(ids)


def post(address: str, body: Any, path: str = "/chat/completions", **headers: str) -> tuple[int, dict[str, Any]]:
    import http.client

    parts = urlsplit(address)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)) as connection:
        connection.request("POST", parts.path + path, data, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"{}")


CHAT: dict[str, Any] = {"model": "tiny", "messages": [{"role": "user", "content": "Is it?"}], "max_tokens": 4}


@pytest.mark.parametrize(
    ("change", "status", "part"),
    [
        (b"{not json", 400, "JSON"),
        (b"[]", 400, "body"),
        (b"\xff\xfe", 400, ""),
        ({**CHAT, "temperature": -1}, 400, "temperature"),
        ({**CHAT, "n": 1000}, 400, "n:"),
        ({**CHAT, "stop": ["x"] * 10_000}, 400, "stop"),
        ({**CHAT, "stop": [""]}, 400, "stop"),
        ({**CHAT, "max_tokens": 10**9}, 400, "max_tokens is 1000000000"),
        ({**CHAT, "messages": []}, 400, "messages"),
        ({**CHAT, "messages": [{"role": "user", "content": " "}]}, 400, "is empty"),
        ({**CHAT, "messages": [{"role": "assistant", "content": "x"}]}, 400, "not the user's"),
        ({**CHAT, "messages": [{"role": "user", "content": "x" * 5000}]}, 400, "do not fit into the 256 tokens"),
        ({**CHAT, "tools": []}, 400, "tools"),
        ({**CHAT, "logit_bias": {"1": 5}}, 400, "logit_bias"),
        ({"messages": CHAT["messages"]}, 400, "model"),
        (b"x" * 2_000_000, 413, "larger than"),
    ],
)
def test_a_bad_request_is_refused_with_a_sentence(change: Any, status: int, part: str, address: str) -> None:
    code, answer = post(address, change)
    assert code == status
    assert part in answer["error"]["message"]
    assert "Traceback" not in json.dumps(answer)


@pytest.mark.parametrize("announced", [True, False])
def test_a_client_that_still_sends_too_much_reads_the_refusal_and_no_reset(announced: bool, address: str) -> None:
    parts, size, piece = urlsplit(address), 4_000_000, b"x" * 50_000
    length = f"Content-Length: {size}" if announced else "Transfer-Encoding: chunked"
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(f"POST /v1/completions HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode())
        for _ in range(size // len(piece)):
            connection.sendall(piece if announced else b"%x\r\n%s\r\n" % (len(piece), piece))
            time.sleep(0.001)  # the refusal is there long before the end
        connection.sendall(b"" if announced else b"0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"larger than" in answer


def test_what_is_dropped_of_too_large_a_body_is_bounded(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surefoot.serve.limits.DROPPED_BYTES", 100_000)
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as connection:
        connection.sendall(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n")
        with pytest.raises(OSError, match=r"reset|Broken pipe"):
            connection.sendall(bytes(500_000_000))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"prompt": [[999_999]]}, "beyond the 270"),
        ({"prompt": []}, "prompt"),
        ({"prompt": "x", "max_tokens": 0}, "at least one token"),
        ({"prompt": "x", "echo": True, "max_tokens": 5}, "max_tokens 0 or 1"),
        ({"prompt": "x", "echo_last": 1}, "echo_last is for echo"),
        ({"prompt": "x", "echo": True, "max_tokens": 0, "echo_last": 0}, "echo_last"),
        ({"prompt": [5] * 400, "echo": True, "max_tokens": 0}, "the model reads 256"),
    ],
)
def test_a_bad_completion_is_refused_with_a_sentence(change: Any, part: str, address: str) -> None:
    code, answer = post(address, {"model": "tiny", **change}, "/completions")
    assert code == 400
    assert part in answer["error"]["message"]


def test_a_text_that_is_refused_is_refused_alone() -> None:
    """Under a treatment that adds 200 tokens one of two texts no longer fits; both are weighed in one batch."""
    model = treat("system-prompt", plain_twin(tiny.causal(chat=True)), text="x" * 200)
    told: dict[str, Any] = {}
    jobs = [
        Weighing(model, [5] * length, lambda piece, name=name: told.update({name: piece}))  # type: ignore[misc]
        for name, length in (("short", 4), ("long", 200), ("other", 6))
    ]
    surefoot.serve.weighing.weigh(jobs)
    assert "do not fit" in told["long"].error
    assert [len(told[name].tokens) for name in ("short", "other")] == [4, 6]


def test_keys_are_asked_for_and_health_is_open() -> None:
    with serving(keys=("secret-one", "secret-two")) as (address, _):
        assert post(address, CHAT)[0] == 401
        assert post(address, CHAT, Authorization="Bearer secret-thre")[0] == 401
        assert post(address, CHAT, Authorization="Bearer secret-two")[0] == 200
        import urllib.request

        with urllib.request.urlopen(address.removesuffix("/v1") + "/health", timeout=10) as answer:
            assert json.load(answer)["status"] == "ok"


def test_a_full_queue_says_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    original = type(tiny.causal()._branch([[1]], [[]])).next
    monkeypatch.setattr("surefoot.models.branches.CausalBranch.next", lambda *a: (held.wait(20), original(*a))[1])
    with serving(rows=1, queue=2) as (address, engine), ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(post, address, CHAT)]
        while not engine.running:
            time.sleep(0.01)
        jobs += [pool.submit(post, address, CHAT) for _ in range(2)]
        while len(engine.waiting) < 2:
            time.sleep(0.01)
        code, answer = post(address, CHAT)
        assert code == 429
        assert "full" in answer["error"]["message"]
        held.set()
        assert [job.result()[0] for job in jobs] == [200] * 3


def test_a_client_that_goes_away_ends_its_text_and_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    original = type(tiny.causal()._branch([[1]], [[]])).next
    monkeypatch.setattr("surefoot.models.branches.CausalBranch.next", lambda *a: (time.sleep(0.02), original(*a))[1])
    # a model that never ends, so that the text would go on for 200 tokens
    monkeypatch.setattr("surefoot.models.local.LocalModel.ends", property(lambda _: frozenset()))
    with serving() as (address, engine), opened(address) as client:
        stream = ask(client, "Is 1 odd?", max_tokens=200, stream=True)
        next(iter(stream))
        assert engine.running == 1
        stream.close()
        expected = ask(client, "Is 2 odd?", max_tokens=6).choices[0].message.content
        until = time.monotonic() + 3
        while engine.running and time.monotonic() < until:
            time.sleep(0.02)
        assert engine.running == 0
        assert expected


def test_a_request_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    original = type(tiny.causal()._branch([[1]], [[]])).next
    monkeypatch.setattr("surefoot.models.branches.CausalBranch.next", lambda *a: (time.sleep(0.1), original(*a))[1])
    monkeypatch.setattr("surefoot.models.local.LocalModel.ends", property(lambda _: frozenset()))
    with serving(limits=Limits(max_tokens=200, seconds=0.3)) as (address, _):
        code, answer = post(address, {**CHAT, "max_tokens": 200})
        assert code == 504
        assert "took too long" in answer["error"]["message"]


BREAKS = {
    "while it is written": "surefoot.models.branches.CausalBranch.next",
    "when it is admitted": "surefoot.serve.engine.Engine._join",
    "before it is looked at": "surefoot.serve.engine.Engine._admit",
    "in the route": "surefoot.serve.desk.Desk.chat",
}


@pytest.mark.parametrize("place", BREAKS.values(), ids=BREAKS)
def test_an_error_inside_is_one_line_of_the_log_and_a_number_for_the_client(
    place: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither says what the client has sent, and the server goes on."""

    def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError(f"private: {CHAT}")

    asked = {**CHAT, "temperature": 0}  # a drawn text may end with its first token, before `next`
    with serving() as (address, _):
        with monkeypatch.context() as patch:
            patch.setattr(place, broken)
            answers = [post(address, asked) for _ in range(2)]
        assert post(address, asked)[0] == 200
    assert [code for code, _ in answers] == [500, 500]
    (told,) = {answer["error"]["message"] for _, answer in answers}
    number = re.search(r"error ([0-9a-f]{8});", told)
    assert number
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert all(line.startswith(f"error {number[1]}: ZeroDivisionError at test_serve.py:") for line in lines)
    assert not any(record.exc_info for record in caplog.records)


def test_an_error_in_one_model_leaves_the_server_running(monkeypatch: pytest.MonkeyPatch) -> None:
    original = type(tiny.causal()._branch([[1]], [[]])).next
    broken = [True]

    def next_(*arguments: Any) -> Any:
        if broken:
            broken.pop()
            raise RuntimeError("private detail")
        return original(*arguments)

    monkeypatch.setattr("surefoot.models.branches.CausalBranch.next", next_)
    with serving() as (address, _):
        code, answer = post(address, CHAT)
        assert code == 500
        assert "private" not in json.dumps(answer)
        assert post(address, CHAT)[0] == 200
