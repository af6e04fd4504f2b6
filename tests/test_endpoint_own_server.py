"""Our own server as an endpoint: the same scores as in process, and no more work for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import command
import surefoot
import tiny
from fake_endpoint import serving as serving_fake
from serving import catalogue, serving
from surefoot.endpoints import EndpointSettings
from surefoot.endpoints.settings import Patience
from surefoot.errors import NotAvailable
from surefoot.serve.engine import Engine

PROMPTS = tuple(f"Is {n} odd? It is one of the two.\nAnswer:" for n in range(5))
OPTIONS = (("yes", "no", "maybe not"),) * 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny model as a folder, for its tokenizer."""
    return str(command.save_model(tmp_path_factory.mktemp("tiny")))


@pytest.fixture
def served() -> Iterator[tuple[str, Any]]:
    """An address and the model that answers completions there."""
    models = catalogue()
    with serving(models) as (address, _):
        yield address, models.find("tiny", None, "plain")


def test_scores_through_the_server_are_those_in_process_and_compute_no_more_tokens(
    served: tuple[str, Any], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, below = served
    model = surefoot.load(address, model="tiny", endpoint=EndpointSettings(tokenizer=folder))
    local: Any = surefoot.load(folder, dtype="float32")
    looked_at: list[int] = []
    monkeypatch.setattr(
        "surefoot.serve.weighing.weighed",
        _counting(surefoot.serve.weighing.weighed, looked_at),  # type: ignore[attr-defined]
    )
    before = below.tokens.computed
    found, expected = model.choose(PROMPTS, OPTIONS), local.choose(PROMPTS, OPTIONS)
    for one, other in zip(found, expected, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-4)
        assert (one.index, one.prompt_tokens) == (other.index, other.prompt_tokens)
    assert below.tokens.computed - before == local.tokens.computed
    longest = max(len(ids) for choices in local.answer_ids(PROMPTS, OPTIONS) for ids in choices)
    assert looked_at == [longest] * 15


def test_text_that_is_sent_without_a_tokenizer_is_weighed_at_its_end_alone(served: tuple[str, Any]) -> None:
    model: Any = surefoot.load(served[0], model="tiny", format="plain")
    assert model.offers.prompt_logprobs.alone
    local = tiny.causal()
    for one, other in zip(model.choose(PROMPTS, OPTIONS), local.choose(PROMPTS, OPTIONS), strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-4)


def test_an_endpoint_that_does_not_know_the_last_tokens_is_asked_for_all() -> None:
    with serving_fake() as fake:
        model: Any = surefoot.load(fake.url, format="plain")
        tried = len(fake.bodies)
        model.choose(PROMPTS[:1], OPTIONS[:1])
        assert not model.offers.prompt_logprobs.alone
        assert not any("echo_last" in body for body in fake.bodies[tried:])


def test_many_texts_that_wait_are_weighed_in_one_batch() -> None:
    """However many texts may be written at a time: what they begin with is shared by all."""
    from surefoot.serve.jobs import Weighing

    engine = Engine(rows=2, queue=64)
    model = tiny.causal()
    jobs = [Weighing(model, [5, 6, 7, 8 + k], lambda _: None, last=1) for k in range(20)]
    engine.submit(jobs)
    assert engine._take() == jobs


def _counting(original: Any, rows: list[int]) -> Any:
    def weighed(job: Any, logits: Any, *others: Any) -> Any:
        rows.append(len(logits))
        return original(job, logits, *others)

    return weighed


def test_an_error_inside_our_server_reaches_the_user_as_one_sentence_with_its_number(
    served: tuple[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    patience = Patience(5, first=0.001)
    model = surefoot.load(served[0], model="tiny", format="plain", endpoint=EndpointSettings(patience=patience))

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("Is 0 odd?")

    monkeypatch.setattr("surefoot.models.local.LocalModel.forced", broken)
    with pytest.raises(NotAvailable, match=r"status 500: .*\(error ([0-9a-f]{8}); its log says more\).*same 3 times"):
        model.choose(PROMPTS, OPTIONS)
    assert "ZeroDivisionError at test_endpoint_own_server.py" in caplog.text
    assert "odd" not in caplog.text
