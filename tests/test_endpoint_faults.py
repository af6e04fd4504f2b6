"""What goes wrong at an endpoint: each case is a retry or one sentence, and no answer is paid for twice."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import surefoot
from fake_endpoint import Fake, Fault, raw, reset, serving, status
from surefoot.decoding.sampling import Sampling
from surefoot.endpoints import Budget, BudgetSpent, EndpointSettings, transport
from surefoot.endpoints.address import address_of, key_for
from surefoot.endpoints.answers import FILE, Answers
from surefoot.endpoints.budget import Meter
from surefoot.endpoints.retrying import persistently
from surefoot.endpoints.settings import Patience
from surefoot.endpoints.transport import Failure, retry_after
from surefoot.errors import BadInput, NotAvailable, SurefootError
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction

QUICK = Patience(seconds=0.05, first=0.001, longest=0.01)
KEY = "sk-very-secret"
EXAMPLES = tuple(Example(str(n), {"input": f"Is {n} odd?"}, ("yes", "no"), (n + 1) % 2) for n in range(6))
WORDINGS = (Instruction("a", "Yes or no?\n{{ input }}\n"), Instruction("b", "{{ input }}\nSay yes or no:"))
TASK = Task("odd", "binary", EXAMPLES, WORDINGS, fixed_options=True)
LONG = {"max_new_tokens": 3}


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUREFOOT_API_KEY", "OPENAI_API_KEY", "SUREFOOT_KEY_OVER_HTTP"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fake() -> Iterator[Fake]:
    with serving() as found:
        yield found


def model_at(fake: Fake, format: str = "plain", patience: Patience = QUICK, **settings: Any) -> Any:
    return surefoot.load(fake.url, format=format, endpoint=EndpointSettings(patience=patience, **settings))


def once(fault: Fault, after: int) -> Any:
    """The fault for the first request behind the first `after`."""
    return lambda number, _: fault if number == after else None


def always(fault: Fault, after: int = 0) -> Any:
    return lambda number, _: fault if number >= after else None


def late(_: Any) -> bool:
    time.sleep(0.5)
    return False


PASSING = {
    "busy": status(429, "slow down", retry_after="0"),
    "overloaded": status(503),
    "broken": status(500),
    "connection reset": reset,
    "web page": raw(b"<html>Bad gateway</html>", "text/html"),
    "truncated JSON": raw(b'{"choices": [{"te'),
    "empty": raw(b""),
    "an event stream": raw(b"data: {}\n\n", "text/event-stream"),
    "a list": raw(b"[]"),
    "an error in a good answer": raw(b'{"error": {"message": "try later"}}'),
    "no choices": raw(b'{"choices": []}'),
    "choices of another kind": raw(b'{"choices": "none"}'),
    "no log-probabilities": raw(b'{"choices": [{"index": 0, "text": "x", "logprobs": null}]}'),
    "deep": raw(b"[" * 200_000),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_a_fault_that_passes_leaves_no_trace(fake: Fake, fault: Fault) -> None:
    model = model_at(fake, patience=Patience(5, first=0.001))
    expected = model_at(fake).choose(["Is 3 odd?\n"], [["yes", "no"]])
    fake.faults = once(fault, len(fake.asked))
    before = len(fake.asked)
    assert model.choose(["Is 3 odd?\n"], [["yes", "no"]]) == expected
    assert len(fake.asked) == before + 2


def test_a_slow_answer_is_asked_for_again(fake: Fake) -> None:
    model = model_at(fake, patience=Patience(5, first=0.001), timeout=0.2)
    fake.faults = once(late, len(fake.asked))
    assert model.choose(["Is 3 odd?\n"], [["yes", "no"]])[0].index is not None


LASTING = {
    "busy": (status(429, "slow down"), r"status 429: slow down; it was asked \d+ times within .* goes on from there"),
    "busy for long": (status(429, retry_after="3600"), "asks to wait 3600 seconds; it was asked once"),
    "web page": (raw(b"<html>", "text/html"), "answers with a web page; its address often ends in /v1"),
    "truncated JSON": (raw(b'{"choices"'), "what is no JSON or only its beginning"),
    "no log-probabilities": (
        raw(b'{"choices": [{"index": 0, "logprobs": null}, {"index": 1, "logprobs": null}]}'),
        "without what was asked for, such as log-prob",
    ),
    "fewer choices": (raw(b'{"choices": [{"index": 0}]}'), "1 choices for 2 prompts"),
    "too long": (status(400, "maximum context length is 8 tokens"), "status 400: maximum context length is 8 tokens"),
    "key": (status(401), "asks for a key, which belongs into SUREFOOT_API_KEY"),
    "reset": (reset, "cannot be reached"),
}


@pytest.mark.parametrize(("fault", "sentence"), LASTING.values(), ids=LASTING)
def test_a_fault_that_lasts_is_one_sentence(fake: Fake, fault: Fault, sentence: str) -> None:
    model = model_at(fake)
    fake.faults = always(fault, len(fake.asked))
    with pytest.raises(NotAvailable, match=sentence) as caught:
        model.choose(["Is 3 odd?\n"], [["yes", "no"]])
    assert "\n" not in str(caught.value)


def test_an_error_inside_the_server_that_stays_the_same_is_asked_about_three_times(fake: Fake) -> None:
    model = model_at(fake, patience=Patience(5, first=0.001))
    before = len(fake.asked)
    fake.faults = always(status(500, "error 1a2b3c4d"), before)
    with pytest.raises(NotAvailable, match=r"error 1a2b3c4d, the same 3 times: an error inside that server") as caught:
        model.choose(["Is 3 odd?\n"], [["yes", "no"]])
    assert len(fake.asked) == before + 3
    assert "\n" not in str(caught.value)


def test_errors_inside_the_server_that_differ_are_asked_about_four_times(fake: Fake) -> None:
    model = model_at(fake, patience=Patience(5, first=0.001))
    before = len(fake.asked)
    fake.faults = lambda number, _: status(500, f"error {number}") if number >= before else None
    with pytest.raises(NotAvailable, match=r"error \d+; it was asked 4 times"):
        model.choose(["Is 3 odd?\n"], [["yes", "no"]])
    assert len(fake.asked) == before + 4


def test_an_endpoint_that_is_down_is_one_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NotAvailable, match=f"http://127.0.0.1:{port}/v1 cannot be reached"):
        surefoot.load(f"http://127.0.0.1:{port}/v1", endpoint=EndpointSettings(patience=QUICK))


@pytest.mark.parametrize("page", [raw(b"<html>Welcome</html>", "text/html"), status(404, "no such page")])
def test_an_address_that_is_no_api_is_one_sentence(fake: Fake, page: Fault) -> None:
    fake.faults = always(page)
    with pytest.raises(SurefootError, match=r"web page|does not list its models .*status 404.*; name one: "):
        model_at(fake)
    with pytest.raises(NotAvailable, match=r"Neither completions nor chat completions work: .*(web page|404)"):
        surefoot.load(f"{fake.url}#tiny", endpoint=EndpointSettings(patience=QUICK))


def test_another_models_name_is_refused_and_a_revision_of_the_name_is_not(fake: Fake) -> None:
    fake.change = lambda answer: {**answer, "model": "org/Tiny-2026-01-01"}
    model = model_at(fake)
    fake.change = lambda answer: {**answer, "model": "huge"}
    with pytest.raises(NotAvailable, match=r'"tiny" was asked and "huge" answered .*#huge'):
        model.choose(["Is 3 odd?\n"], [["yes", "no"]])
    with pytest.raises(NotAvailable, match='"huge" answered'):
        model_at(fake)


def test_an_answer_beyond_all_bounds_is_not_read(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_at(fake)
    monkeypatch.setattr(transport, "ANSWER_BYTES", 2**20)
    fake.faults = always(raw(b" " * 2**21))
    with pytest.raises(NotAvailable, match="more than 1 MB"):
        model.choose(["Is 3 odd?\n"], [["yes", "no"]])


def test_empty_content_is_an_unparsed_answer() -> None:
    with serving() as fake:
        model = model_at(fake, "chat")
        choice = {"message": {"content": None}, "finish_reason": "content_filter", "logprobs": {"content": []}}
        fake.faults = always(raw(json.dumps({"choices": [choice]}).encode()))
        rows = surefoot.probe("phrasing", model, TASK, answering="generate", recheck=0).rows.to_pylist()
    assert {(row["outcome"], row["text"]) for row in rows} == {("unparsed", "")}


# Waiting


def failing_for(seconds: float, waits: list[float], **told: Any) -> Any:
    def send() -> str:
        if sum(waits) < seconds:
            raise Failure("It is busy", "wait", 429, **told)
        return "answer"

    return send


def test_a_minute_of_refusals_is_waited_for() -> None:
    waits: list[float] = []
    assert persistently(failing_for(60, waits), Patience(), threading.Event(), waits.append) == "answer"
    assert 60 <= sum(waits) <= 120
    assert all(0.25 * 2**k <= wait <= 0.75 * 2**k for k, wait in enumerate(waits[:6]))  # 0.5 s, doubled, +- half
    assert max(waits) <= 45


def test_all_waiting_together_is_bounded() -> None:
    waits: list[float] = []
    with pytest.raises(NotAvailable, match="It is busy; it was asked"):
        persistently(failing_for(9e9, waits), Patience(100), threading.Event(), waits.append)
    assert 50 < sum(waits) <= 100


def test_retry_after_is_obeyed() -> None:
    waits: list[float] = []
    assert persistently(failing_for(20, waits, after=20.0), Patience(), threading.Event(), waits.append) == "answer"
    assert len(waits) == 1
    assert 20 <= waits[0] <= 20.5
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}) == 0
    assert retry_after({"retry-after": "soon"}) is retry_after({}) is None


# The key


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SUREFOOT_API_KEY", KEY)
    return KEY


def test_the_key_is_sent_and_shown_nowhere(
    fake: Fake, key: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    model = model_at(fake)
    surefoot.probe("phrasing", model, TASK, out=str(tmp_path / "run"))
    fake.faults = always(status(401, f"Incorrect API key provided: {key}"))
    with pytest.raises(NotAvailable, match=r"refuses the key .*provided: \[key\]") as caught:
        model.choose(["Is it?\n"], [["yes", "no"]])
    assert all(headers["authorization"] == f"Bearer {key}" for _, headers, _ in fake.asked)
    shown = [caplog.text, str(caught.value), repr(model), repr(model.card), repr(vars(model)), repr(vars(model.client))]
    kept = [path.read_bytes().decode("latin1") for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(kept) >= 4
    assert [text.find(key) for text in (*shown, *kept)] == [-1] * (len(shown) + len(kept))


@pytest.mark.usefixtures("key")
def test_the_key_does_not_follow_a_redirect(fake: Fake) -> None:
    with serving() as other:
        place = other.url.removesuffix("/v1")
        fake.faults = lambda _, path: status(307, location=f"{place}{path}")
        with pytest.raises(NotAvailable, match=f"redirects to {place}, which is not followed"):
            model_at(fake)
        assert not other.asked


@pytest.mark.parametrize("name", ["SUREFOOT_API_KEY", "OPENAI_API_KEY"])
def test_a_key_does_not_cross_a_network_unencrypted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    far, near, safe = (address_of(url) for url in ("http://box:1/v1", "http://[::1]:1/v1", "https://box/v1"))
    assert key_for(far) is None
    monkeypatch.setenv(name, KEY)
    with pytest.raises(BadInput, match=f"http://box:1/v1 is not encrypted and {name} is set") as caught:
        key_for(far)
    assert KEY not in str(caught.value)
    assert key_for(near) == key_for(safe) == KEY
    monkeypatch.setenv("SUREFOOT_KEY_OVER_HTTP", "1")
    assert key_for(far) == KEY
    monkeypatch.setenv("SUREFOOT_API_KEY", "")
    assert key_for(far) is None


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("http://user:sk-1@host/v1", "holds a user or password"),
        ("https://host/v1?api_key=sk-1", "has a query"),
        ("http:///v1", "names no host"),
        ("http://host:sk-1/v1", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_repeating_a_secret(spec: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence) as caught:
        address_of(spec)
    assert "sk-1" not in str(caught.value)


def test_addresses_are_read() -> None:
    assert address_of("HTTP://Host:8000/v1/chat/completions#org/a b%23c") == ("http://host:8000/v1", "org/a b#c")
    assert address_of("https://[::1]/v1/") == ("https://[::1]/v1", None)


# Nothing that was paid for is lost


def prompts_of(fake: Fake, start: int) -> list[str]:
    return [json.dumps(body.get("prompt", body.get("messages"))) for body in fake.bodies[start:]]


def test_answers_before_a_failure_are_kept(fake: Fake) -> None:
    model = model_at(fake, concurrency=1)
    asked, start = [f"Is {n} odd?" for n in range(8)], len(fake.bodies)
    fake.faults = once(status(400, "no"), len(fake.asked) + 5)
    with pytest.raises(NotAvailable, match="status 400: no"):
        model.generate(asked, Sampling(**LONG))
    assert len(prompts_of(fake, start)) == 6
    texts = model.generate(asked, Sampling(**LONG))
    told = prompts_of(fake, start)
    assert len(told) == 9
    assert sorted(set(told)) == sorted(map(json.dumps, asked))
    assert texts == model_at(fake).generate(asked, Sampling(**LONG))


def test_a_run_goes_on_with_the_answers_beside_it(fake: Fake, tmp_path: Path) -> None:
    """The first process dies in the middle of a batch, whose rows were not stored: its answers were."""
    folder = str(tmp_path / "run")
    first, start = model_at(fake, concurrency=1, together=1), len(fake.bodies)
    fake.faults = always(status(400, "no"), len(fake.asked) + 5)
    with pytest.raises(NotAvailable):
        surefoot.probe("phrasing", first, TASK, out=folder, recheck=0)
    fake.faults = always(status(400, "no"), 10**9)
    second, middle = model_at(fake, concurrency=1, together=1), len(fake.bodies)
    reading = surefoot.probe("phrasing", second, TASK, out=folder, recheck=0)
    told = [*prompts_of(fake, start)[:5], *prompts_of(fake, middle)]
    assert len(told) == len(set(told)) == 6 * 2 * 2  # items, wordings, options
    assert reading.rows.num_rows == 12
    again = len(fake.bodies)
    surefoot.probe("phrasing", second, TASK, out=folder, recheck=0)
    assert len(fake.bodies) == again


def test_the_noise_floor_is_asked_anew_and_sees_an_endpoint_that_changes_its_mind(fake: Fake) -> None:
    turns = count()

    def waver(answer: dict[str, Any]) -> dict[str, Any]:
        shift = 0.01 * next(turns)
        for choice in answer["choices"]:
            own = (choice.get("logprobs") or {}).get("token_logprobs") or []
            own[1:] = [value - shift * (k % 2) for k, value in enumerate(own[1:])]
        return answer

    steady = surefoot.probe("phrasing", model_at(fake), TASK, recheck=1.0)
    fake.change = waver
    model = model_at(fake, concurrency=1, together=1)
    assert model.card.details["offers"]["same request, same answer"] is False
    wavering = surefoot.probe("phrasing", model, TASK, recheck=1.0)
    assert [_twice(reading) for reading in (steady, wavering)] == [True, False]


def _twice(reading: Any) -> bool:
    """Whether every cell got the same scores both times."""
    by_cell: dict[Any, list[Any]] = {}
    for row in reading.rows.to_pylist():
        by_cell.setdefault((row["wording"], row["item"]), []).append(row["option_scores"])
    assert all(len(scores) == 2 for scores in by_cell.values())
    return all(one == other for one, other in by_cell.values())


def test_a_damaged_store_of_answers_is_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = Answers()
    store.keep_in(tmp_path)
    store.add({b"k": {"text": "x"}})
    again = Answers()
    again.keep_in(tmp_path)
    assert again.known([b"k", b"l"]) == {b"k": {"text": "x"}}
    (tmp_path / FILE).write_bytes(b"no database" * 100)
    fresh = Answers()
    fresh.add({b"m": 1})
    fresh.keep_in(tmp_path)
    assert fresh.known([b"k", b"m"]) == {b"m": 1}
    assert "set aside" in caplog.text


# The budget


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_budget_of_requests_is_never_exceeded_and_more_goes_on(fake: Fake, tmp_path: Path, concurrency: int) -> None:
    folder, found = str(tmp_path / "run"), None
    told: list[str] = []
    spent: list[BudgetSpent] = []
    for _ in range(20):
        start, begun = len(fake.asked), len(fake.bodies)
        model = model_at(fake, concurrency=concurrency, together=1, budget=Budget(requests=18))
        looked = len(fake.bodies) - begun
        try:
            found = surefoot.probe("phrasing", model, TASK, out=folder, recheck=0)
        except BudgetSpent as error:
            spent.append(error)
        told += prompts_of(fake, begun + looked)
        assert len(fake.asked) - start - 1 <= 18  # the list of models costs nothing
        if found is not None:
            break
    assert found is not None
    assert spent
    assert {error.exit_code for error in spent} == {3}
    assert all("The budget of 18 requests is used up (18 requests and " in str(error) for error in spent)
    assert len(told) == len(set(told)) == 24
    whole = surefoot.probe("phrasing", model_at(fake), TASK, recheck=0)
    assert found.rows.sort_by("item").num_rows == whole.rows.num_rows == 12
    assert found.summary.mean == whole.summary.mean


def test_a_budget_of_tokens_is_kept_to_while_requests_are_under_way(fake: Fake) -> None:
    model = model_at(fake, budget=Budget(tokens=600))
    with pytest.raises(BudgetSpent, match="600 tokens"):
        model.generate([f"Is {n} odd?" for n in range(200)], Sampling(**LONG))
    assert 300 < model.client.meter.tokens <= 600
    spent = model.client.meter.requests
    model.allow(None)
    assert len(model.generate([f"Is {n} odd?" for n in range(200)], Sampling(**LONG))) == 200
    assert model.client.meter.requests + spent <= 200 + 20  # what was known was not asked again


def test_tokens_that_the_endpoint_does_not_count_are_estimated() -> None:
    meter = Meter(Budget(tokens=100))
    with meter.request(40):
        pass
    with meter.request(40) as spending:
        spending.tokens = 5
    assert (meter.tokens, meter.requests, meter.unsaid) == (45, 2, 1)
    with pytest.raises(ValueError, match="lost"), meter.request(40):
        raise ValueError("lost")
    assert meter.tokens == 45
    with pytest.raises(BudgetSpent), meter.request(60):
        pass


def test_budgets_are_read() -> None:
    assert Budget.read("requests=5000, tokens=2e6") == Budget(5000, 2_000_000)
    assert str(Budget(5000, 2_000_000)) == "5,000 requests and 2,000,000 tokens"
    for text, sentence in {
        "request=5": 'has no "request". Did you mean "requests"',
        "tokens=many": 'budget of tokens is "many"',
        "tokens=0": "budget of tokens is 0",
        "tokens=inf": 'is "inf"',
    }.items():
        with pytest.raises(BadInput, match=sentence):
            Budget.read(text)
