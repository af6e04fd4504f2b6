"""The command line on a model behind an endpoint: estimate, budget, going on, and the same numbers as in process."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command import TASK, WORDINGS, Place, sentence_of
from fake_endpoint import Fake, serving
from surefoot.runs import read_rows

LOCAL = ("--model", "model", "--dtype", "float32")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    for name in ("SUREFOOT_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return Place(tmp_path, monkeypatch, capsys)


@pytest.fixture
def fake() -> Iterator[Fake]:
    with serving() as found:
        yield found


def rows(folder: str) -> dict[Any, Any]:
    found = read_rows(folder).to_pylist()
    return {(row["wording"], row["item"], row["recheck"]): row["option_scores"] for row in found}


def test_a_probe_stops_at_its_budget_and_goes_on_to_the_rows_of_the_local_model(place: Place, fake: Fake) -> None:
    line = ("probe", "--model", f"{fake.url}#tiny", "--tokenizer", "model", *TASK, "--out", "behind")
    codes, before = [], 0
    while not codes or codes[-1] == 3:
        ended = place.surefoot(*line, "--budget", "requests=12")
        codes.append(ended.code)
        if ended.code == 3:
            (told,) = [text for text in ended.err.splitlines() if text.startswith("surefoot: ")]
            assert "The budget of 12 requests is used up (12 requests and " in told
        assert "requests and " in ended.err
        assert "the budget is 12 requests, and finding out what is offered took " in ended.err
        assert len(fake.bodies) - before <= 12
        before = len(fake.bodies)
        assert len(codes) < 9
    assert codes[-1] == 0
    assert len(codes) > 1
    assert place.surefoot("probe", *LOCAL, *TASK, "--out", "here").code == 0
    behind, here = rows("behind"), rows("here")
    assert behind.keys() == here.keys()
    assert all(behind[cell] == pytest.approx(here[cell], abs=1e-4) for cell in here)
    record = json.loads((place.path / "behind" / "run.json").read_text())
    assert record["determinants"]["options"]["endpoint"] == fake.url
    assert place.surefoot("report", "behind").code == 0
    compared = place.surefoot("compare", "here", "behind")
    assert compared.code == 0
    assert "options.asked with (–, token ids)" in " ".join(compared.out.split())


def _until_done(place: Place, fake: Fake, requests: int, *words: str) -> int:
    """How often a command with a budget of so many requests had to be given."""
    for times in range(1, 9):
        before = len(fake.bodies)
        ended = place.surefoot(*words, "--budget", f"requests={requests}")
        assert len(fake.bodies) - before <= requests
        if ended.code == 0:
            assert words[0] != "sweep" or re.search(r"#tiny: \d+ requests and [\d,]+ tokens so far", ended.err)
            return times
        assert ended.code == 3, ended.err
        assert f"The budget of {requests} requests is used up" in ended.err
    raise AssertionError(ended.err)


def test_a_sweep_stops_at_its_budget_and_goes_on_to_the_rows_of_the_local_model(place: Place, fake: Fake) -> None:
    folder = place.path / "odd"
    folder.mkdir()
    task = {
        "name": "odd",
        "kind": "binary",
        "input_template": "{{ q }}",
        "fixed_options": True,
        "source": "",
        "licence": "",
    }
    (folder / "task.json").write_text(json.dumps(task))
    items = [{"id": str(n), "fields": {"q": f"Is {n} odd?"}, "options": ["yes", "no"], "gold": n % 2} for n in range(4)]
    place.lines("odd/items.jsonl", items)
    place.lines("odd/wordings.jsonl", [{**one, "text": one["text"].replace("question", "input")} for one in WORDINGS])
    asked = ("--model", f"{fake.url}#tiny", "--tokenizer", "model", "--task", "odd", "--out", "swept")
    assert _until_done(place, fake, 12, "sweep", "closer-look", *asked) > 1
    assert place.surefoot("probe", *LOCAL, "--task", "odd", "--out", "here").code == 0
    (arm,) = (path.parent for path in (place.path / "swept").glob("*/run.json"))
    assert arm.name.endswith("-tiny")
    behind, here = rows(str(arm)), rows("here")
    assert behind.keys() == here.keys()
    assert all(behind[cell] == pytest.approx(here[cell], abs=1e-4) for cell in here)


@pytest.mark.usefixtures("place")
def test_the_models_of_a_sweep_share_one_budget(fake: Fake) -> None:
    from surefoot.endpoints import Budget, EndpointSettings
    from surefoot.endpoints.budget import Meter
    from surefoot.sweeps import _opener

    specs = [f"{fake.url}#tiny", f"{fake.url}#other"]
    fake.names = ("tiny", "other")
    fake.change = lambda answer: {**answer, "model": ""}
    opened = _opener([*specs, "model"], EndpointSettings(budget=Meter(Budget(requests=1000))))
    one: Any
    other: Any
    one, other = map(opened, specs)
    assert one.client.meter is other.client.meter
    assert one.client.meter.requests == len(fake.bodies)
    assert opened("model").name == "model"


def test_texts_are_written_within_a_budget_and_none_is_paid_for_twice(place: Place, fake: Fake) -> None:
    prompts = place.lines("prompts.jsonl", [{"id": str(n), "prompt": f"Is {n} odd?"} for n in range(10)])
    asked = ("--prompts", str(prompts), "--max-new-tokens", "4", "--set", "temperature=0")
    behind = ("--model", f"{fake.url}#tiny", "--tokenizer", "model")
    assert _until_done(place, fake, 14, "write", *asked, *behind, "--out", "behind.jsonl") > 1
    sent = [json.dumps(body["prompt"]) for body in fake.bodies if body["max_tokens"] == 4]
    assert len(sent) == len(set(sent)) == 10
    assert place.surefoot("write", *asked, *LOCAL, "--out", "here.jsonl").code == 0
    one, other = (
        [json.loads(line).get("text") for line in (place.path / name).read_text().splitlines()]
        for name in ("behind.jsonl", "here.jsonl")
    )
    assert one == other


def test_a_question_is_asked_within_a_budget(place: Place, fake: Fake) -> None:
    line = ("ask", "Is 3 odd?", "--model", f"{fake.url}#tiny", "--tokenizer", "model", "--max-new-tokens", "3")
    assert place.surefoot(*line).code == 0
    assert place.surefoot(*line, "--budget", "requests=3").code == 3


def test_the_estimate_is_close_to_what_is_spent(place: Place, fake: Fake) -> None:
    line = ("--model", f"{fake.url}#tiny", "--tokenizer", "model", *TASK)
    shown = place.surefoot("show", *line, "--json")
    assert shown.code == 0, shown.err
    told = json.loads(shown.out)
    before = len(fake.bodies)
    assert place.surefoot("probe", *line, "--out", "behind", "--recheck", "0").code == 0
    bodies = [body for body in fake.bodies[before:] if "echo" in body]
    sent = [prompt for body in bodies for prompt in body["prompt"] if isinstance(prompt, list)]
    tokens = sum(map(len, sent))
    assert told["preflight"]["asked"] == pytest.approx(tokens + len(sent), rel=0.02)
    assert told["preflight"]["requests"] == 4  # a batch is the items of a wording
    local = json.loads(place.surefoot("show", *LOCAL[:2], *TASK, "--json").out)
    assert told["prompts"] == local["prompts"]


def test_show_tells_what_a_chat_will_be_asked(place: Place, fake: Fake) -> None:
    ended = place.surefoot("show", "--model", fake.url, *TASK, "--scorer", "letter")
    assert ended.code == 0, ended.err
    assert "24 cells, about 24 requests and " in ended.out
    assert "Yes or no?" in ended.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--budget", "requests=0"), "The budget of requests is 0"),
        (("--budget", "money=3"), 'A budget has no "money"'),
        (("--dtype", "float32"), "is an endpoint"),
        (("--scorer", "paper"), "needs logprobs"),
        ((), "needs logprobs"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(place: Place, fake: Fake, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in sentence_of(place.surefoot("probe", "--model", fake.url, *TASK, *words))


def test_a_budget_of_a_local_model_is_refused(place: Place) -> None:
    told = sentence_of(place.probe("--budget", "requests=3"))
    assert told.startswith('"model" is no endpoint')
