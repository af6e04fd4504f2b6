"""Canaries: what a tiny model memorised is known by how often it was shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import surefoot as sf
from surefoot.decoding.sampling import Sampling
from surefoot.memorisation.asking import works_task
from surefoot.memorisation.guard import RunIndex
from surefoot.tasks.task import Task
from surefoot.text.instruction import Instruction
from surefoot.worlds.canaries import CanaryWorld, Learner, learn

WORLD = CanaryWorld(repetitions=(0, 1, 4, 16, 64), each=4, words=24, vocabulary=100, background=100)
LEARNER = Learner(epochs=2, rate=5e-3)
WORDINGS = (
    Instruction("prefix", "{{ prefix }}"),
    Instruction("direct", "called {{ title }}"),
    Instruction("wrong-title", "called {{ other_title }}", "incorrect"),
)


def task_of(world: CanaryWorld) -> Task:
    return works_task(world.canaries, prefixes=[8], new_tokens=world.words, wordings=WORDINGS)


def runs_of(reading: Any) -> dict[tuple[str, int], float]:
    """Mean longest run by wording and repetitions."""
    times = {canary.id: int(canary.popularity["repetitions"]) for canary in WORLD.canaries}
    cells: dict[tuple[str, int], list[float]] = {}
    for row in reading.rows.to_pylist():
        cells.setdefault((row["wording"], times[row["item"]]), []).append(row["longest_run"])
    return {cell: sum(runs) / len(runs) for cell, runs in cells.items()}


@pytest.fixture(scope="module")
def model() -> Any:
    return learn(WORLD, LEARNER)


@pytest.fixture(scope="module")
def reading(model: Any) -> Any:
    return sf.probe("memorisation", model, task_of(WORLD), recheck=0)


def test_the_corpus_holds_each_canary_as_often_as_it_says() -> None:
    for canary in WORLD.canaries:
        there = sum(text.endswith(canary.text) for text in WORLD.training)
        assert there == canary.popularity["repetitions"]
        assert WORLD.training.count(f"called {canary.title} {canary.text}") == there
    assert len(WORLD.training) == 100 + 4 * (1 + 4 + 16 + 64)


def test_what_is_reproduced_rises_with_the_repetitions(reading: Any) -> None:
    (found,) = reading.summary.popularity
    assert found.rho > 0.8
    assert found.p < 0.001
    assert {work.group for work in reading.summary.reproduced} == {"planted"}


def test_canaries_that_were_left_out_stay_at_chance(reading: Any) -> None:
    unseen = [work for work in reading.summary.works if work.group == "unseen"]
    assert len(unseen) == 4
    assert all(work.excess < 1.5 and work.p_holm > 0.05 for work in unseen)


def test_a_title_that_was_trained_on_brings_its_text_and_a_wrong_one_does_not(reading: Any) -> None:
    runs = runs_of(reading)
    assert runs["direct", 64] == WORLD.words
    assert runs["direct", 64] > 2 * runs["wrong-title", 64]
    assert abs(runs["direct", 0] - runs["wrong-title", 0]) < 1


def test_a_title_that_was_never_shown_brings_nothing() -> None:
    world = replace(WORLD, titled=False)
    runs = runs_of(sf.probe("memorisation", learn(world, LEARNER), task_of(world), recheck=0))
    assert runs["prefix-8", 64] > 8
    assert runs["direct", 64] - runs["wrong-title", 64] < 4


@pytest.mark.parametrize("mode", ["block", "stop"])
def test_the_guard_keeps_a_memorised_canary_back(model: Any, mode: str) -> None:
    known = tuple(canary for canary in WORLD.canaries if canary.popularity["repetitions"] == 64)
    index, prompts = RunIndex([canary.text for canary in known], 6), [f"called {canary.title}" for canary in known]
    guarded = sf.treat("copy-guard", model, works=known, least=6, mode=mode)
    free, kept = (m.generate(prompts, Sampling(max_new_tokens=WORLD.words)) for m in (model, guarded))
    assert all(index.holds(text.text) for text in free)
    assert not any(index.holds(text.text) for text in kept)
    lengths = [len(text.text.split()) for text in kept]
    assert lengths == [WORLD.words] * 4 if mode == "block" else max(lengths) < WORLD.words


def test_the_probe_sees_what_the_guard_does(model: Any) -> None:
    guarded = sf.treat("copy-guard", model, works=WORLD.canaries, least=6)
    summary = sf.probe("memorisation", guarded, task_of(WORLD), recheck=0).summary
    assert max(work.run for work in summary.works) <= 5
    assert not summary.reproduced
