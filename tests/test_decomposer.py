"""Decomposers: what they are asked, how their steps are read and scored, and that training teaches them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import pytest

import surefoot as sf
from surefoot.errors import BadInput
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.implicit_reasoning.decomposer import (
    Decomposer,
    decomposition_prompt,
    scores,
    step_sari,
    train_decomposer,
    written_steps,
)
from surefoot.probes.implicit_reasoning.scratch import ScratchShape, scratch_model
from surefoot.questions.question import Question
from surefoot.tasks.implicit import implicit_task
from surefoot.text.prompt import Prompt
from surefoot.training.adapters import AdapterSettings
from surefoot.training.fit import FitSettings
from surefoot.worlds.corpora import QuestionWorld

ASKED = QuestionWorld(3, 400, ("implicit",), 24).questions
FEW = ASKED[:3]


def gold(prompt: Prompt, _: Sequence[str]) -> str:
    question = next(q for q in ASKED if q.text in prompt.text)
    return "\n".join(f"{n}. {step.text}" for n, step in enumerate(question.steps, 1))


@cache
def trained() -> Decomposer:
    base = scratch_model(FEW, ScratchShape(width=48))
    return train_decomposer(
        base,
        FEW,
        part=AdapterSettings("weights"),
        descent=FitSettings(steps=90, batch=3, learning_rate=1e-2, save_every=90),
    )


def test_gold_steps_score_one_and_worse_ones_less() -> None:
    found = scores(ASKED, Decomposer(ScriptedModel(gold)).steps(ASKED))
    assert (found.exact, found.executable) == (1, 1)
    assert found.sari == sum(step_sari(q, [s.text for s in q.steps]) for q in ASKED) / len(ASKED)
    half = {q.id: [s.text for s in q.steps] for q in ASKED[::2]}
    worse = scores(ASKED, half)
    assert (worse.exact, worse.executable) == (0.5, 0.5)
    assert worse.sari < found.sari
    one = {q.id: ("Is #1 so?", "Is #9 so?") for q in ASKED}
    assert scores(ASKED, one).executable == 0
    with pytest.raises(BadInput, match="No questions"):
        scores([], {})


def test_lines_are_steps_without_numbers_and_bullets() -> None:
    assert written_steps(" 1. Where was Ana?\n\n- Is #1 wet?\n2) 3 of them?\n") == (
        "Where was Ana?",
        "Is #1 wet?",
        "3 of them?",
    )
    assert written_steps("\n \n") == ()


def test_training_teaches_the_steps_and_leaves_the_model_as_it_was() -> None:
    base = scratch_model(FEW, ScratchShape(width=48))
    before = base.score([(decomposition_prompt(FEW[0].text), FEW[0].steps[0].text)])
    assert scores(FEW, Decomposer(base).steps(FEW)).exact == 0
    found = scores(FEW, trained().steps(FEW))
    assert (found.exact, found.executable) == (1, 1)
    assert base.score([(decomposition_prompt(FEW[0].text), FEW[0].steps[0].text)]) == before


def test_the_probe_scores_what_a_trained_decomposer_writes() -> None:
    task = implicit_task(FEW, conditions=["question"])
    found = sf.probe("implicit-reasoning", trained().model, task, decompose=True, recheck=0).summary
    assert found.sari == pytest.approx(scores(FEW, trained().steps(FEW)).sari)


def test_a_name_has_the_same_tokens_in_the_question_and_in_its_steps() -> None:
    words = scratch_model(ASKED).encoder.tokenizer
    (name,) = {q.steps[0].text.removeprefix("Where was ").removesuffix(" born?") for q in ASKED[:1]}
    asked, step = (words(f"{before} {name}{behind}")["input_ids"] for before, behind in (("of", "?"), ("was", " born")))
    own = words(f" {name}", add_special_tokens=False)["input_ids"]
    for ids in (asked, step):
        assert any(ids[k : k + len(own)] == own for k in range(len(ids)))
    assert words.decode(words("Is #2 before 1372?", add_special_tokens=False)["input_ids"]) == "Is #2 before 1372?"


def test_a_scratch_model_is_a_function_of_its_seed() -> None:
    one, same, other = (scratch_model(FEW, ScratchShape(width=16), seed) for seed in (0, 0, 1))
    ask = [(decomposition_prompt(FEW[0].text), "Where?")]
    assert one.score(ask) == same.score(ask) != other.score(ask)


def test_what_cannot_be_trained_is_refused() -> None:
    with pytest.raises(BadInput, match="has no weights here"):
        train_decomposer(ScriptedModel({}), FEW)
    base = scratch_model(FEW, ScratchShape(width=16))
    with pytest.raises(BadInput, match='"bare" has no steps'):
        train_decomposer(base, [*FEW, Question("bare", "?")])
    with pytest.raises(BadInput, match="There are no questions"):
        train_decomposer(base, [])
