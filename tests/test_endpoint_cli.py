"""The command line on a model behind an endpoint: estimate, budget, going on, and the same numbers as in process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from command import TASK, Place, sentence_of
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
