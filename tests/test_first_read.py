"""What is looked at before a run costs nothing: treatments tell what is read first without asking their model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import command
import surefoot as sf
import tiny
from fake_endpoint import serving
from surefoot.endpoints import EndpointSettings
from surefoot.probes.fitting import ground_of, overlong, refuse_overlong
from surefoot.probes.preflight import preflight
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.tasks.questions import question_task
from surefoot.text.prompt import Prompt
from surefoot.worlds.corpora import QuestionWorld

WORLD = QuestionWorld(seed=0, size=100, kinds=("bridge",), count=4)
INDEX = BM25.of(Corpus.of(list(WORLD.documents)))
TASK = question_task(WORLD.questions, new_tokens=8)
TASK = replace(TASK, wordings=TASK.wordings[:2])
SEARCHING = {
    "rag": {},
    "flare": {},
    "ircot": {},
    "ircot, read": {"reader": "direct"},
    "oner-qa": {"retrieval": "once", "reader": "direct"},
}


def treated(model: sf.LanguageModel, name: str) -> sf.LanguageModel:
    settings: dict[str, Any] = {"budget": 200, **SEARCHING[name]}
    return sf.treat("ircot" if name not in ("rag", "flare") else name, model, index=INDEX, **settings)


@pytest.mark.parametrize("name", SEARCHING)
def test_whether_prompts_fit_is_seen_without_a_pass_of_the_model(name: str) -> None:
    base = tiny.causal()
    model = treated(base, name)
    base.tokens.computed = 0
    refuse_overlong(model, [TASK], "sum")
    found = preflight(model, [TASK], "sum", measure=False)
    assert base.tokens.computed == 0
    assert found.asked > 0
    assert ("reads anew for each step" in str(found.findings)) == (name != "rag")


@pytest.mark.parametrize("name", SEARCHING)
def test_the_price_behind_an_endpoint_is_told_before_the_first_request(name: str, tmp_path: Path) -> None:
    folder = str(command.save_model(tmp_path / "tiny"))
    with serving() as fake:
        model = treated(sf.load(fake.url, format="plain", endpoint=EndpointSettings(tokenizer=folder)), name)
        before = len(fake.bodies)
        told = preflight(model, [TASK], "sum")
        assert len(fake.bodies) == before
    assert told.requests is not None
    assert told.requests >= len(TASK.wordings)
    assert ("reads anew for each step" in str(told.findings)) == (name != "rag")


@pytest.mark.parametrize("name", SEARCHING)
def test_what_is_told_to_be_read_first_is_what_the_model_reads_first(name: str) -> None:
    read: list[str] = []

    def answer(prompt: Prompt, *_: Any) -> str:
        read.append(prompt.text)
        return "Nothing is known. So the answer is: no."

    base = sf.ScriptedModel(answer)
    model = treated(base, name)
    prompts = [cell.prompt for cell in (TASK.query(e, TASK.wordings[0]) for e in TASK.examples)]
    first = [base.render(prompt) for prompt in model.first_read(prompts)]  # type: ignore[attr-defined]
    assert read == []
    for prompt, expected in zip(prompts, first, strict=True):
        read.clear()
        model.generate([prompt])
        assert read[0] == expected
        assert model.render(prompt) == expected


def test_a_loop_of_searches_is_counted_by_its_first_reading() -> None:
    base = tiny.causal()
    ground = ground_of(treated(base, "ircot"))
    assert ground is not None
    assert overlong(ground, [TASK], "sum").misfits == 0
    long = replace(TASK, max_new_tokens=250)
    assert overlong(ground, [long], "sum").misfits == len(long.examples) * len(long.wordings)
