"""The alignment experiment: its measures and verdicts on made-up truth, and the whole of it once, very small."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.models.scripted import ScriptedModel
from surefoot.reproductions import reproduce
from surefoot.reproductions.alignment import alignment, seed_outcome
from surefoot.reproductions.alignment_measures import GuardReading, Measures, guard_reading, measures
from surefoot.reproductions.alignment_plan import REGIMES, Plan, Recipe, plan_of
from surefoot.reproductions.alignment_result import AlignmentReport, AlignmentResult, SeedOutcome
from surefoot.reproductions.alignment_table import deviations, state_table
from surefoot.stats.nested import nested_bootstrap
from surefoot.worlds.operations import OPERATIONS, OPPOSITE
from surefoot.worlds.tiny import Shape
from surefoot.worlds.tuning import Tuning
from surefoot.worlds.world import World

# The bootstrap over seeds and tasks


def test_the_nested_bootstrap_has_the_closed_form_standard_error_when_only_seeds_differ() -> None:
    by_seed = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 3.0, 5.0, 9.0])
    interval = nested_bootstrap(np.repeat(by_seed[:, None], 6, axis=1), resamples=20000)
    error = by_seed.std() / math.sqrt(len(by_seed))
    assert interval.value == by_seed.mean()
    assert (interval.high - interval.low) / (2 * 1.96) == pytest.approx(error, rel=0.05)


def test_the_nested_bootstrap_adds_the_variance_within_seeds() -> None:
    within = np.tile([0.0, 1.0, 2.0, 3.0], (5, 1))
    interval = nested_bootstrap(within, resamples=20000)
    error = within[0].std() / math.sqrt(4 * 5)
    assert (interval.high - interval.low) / (2 * 1.96) == pytest.approx(error, rel=0.05)
    assert nested_bootstrap(np.full((3, 2), 0.5)).low == nested_bootstrap(np.full((3, 2), 0.5)).high == 0.5


@pytest.mark.parametrize("bad", [np.zeros((0, 3)), np.array([[1.0, np.nan]]), np.zeros(4)])
def test_the_nested_bootstrap_refuses_what_is_no_full_matrix(bad: Any) -> None:
    with pytest.raises(BadInput, match="seeds x tasks"):
        nested_bootstrap(bad)


# Measures on models of known behaviour

WORLD = World(2, items=10)


def scripted(obeys: bool, shift: float = 0.0) -> LanguageModel:
    """A model that reads its instruction (or always takes the first digit), with states moved by `shift` off the seen.

    An observed wording's state is a corner of its task, 10 away from all others; a held-out one's lies beside it.
    """
    corners = np.eye(len(OPERATIONS)) * 10 / math.sqrt(2)
    places: dict[str, Any] = {}
    said: dict[str, str] = {}
    for number, task in enumerate(WORLD.tasks()):
        for wording in task.wordings:
            for item in task.examples:
                text = task.query(item, wording).prompt.text
                row = tuple(map(int, item.id))
                asked = OPPOSITE[task.name] if wording.klass == "negated" else task.name
                if wording.klass in ("observed", "unobserved", "negated"):
                    said[text] = str(OPERATIONS[asked](row))
                    away = shift if wording.klass == "unobserved" else 0.0
                    places[text] = np.append(corners[number], away)
                said.setdefault(text, str(row[0]))
                if not obeys:
                    said[text] = str(row[0])

    class Placed(ScriptedModel):
        def hidden_states(self, prompts: Sequence[Any], layer: int = -2, position: int = -1) -> Any:
            return np.stack([places[prompt.text] for prompt in prompts])

    return Placed(lambda prompt, _: said[prompt.text])


def test_measures_of_a_model_that_obeys_are_the_planted_ones() -> None:
    import surefoot as sf

    model, tasks = scripted(obeys=True, shift=3.0), WORLD.tasks()
    reading = sf.probe("phrasing", model, tasks)
    for found in measures(model, tasks, reading).values():
        assert (found.observed, found.unobserved, found.worst, found.negated, found.obeyed) == (1, 1, 1, 0, 1)
        assert (found.observed_sd, found.unobserved_sd) == (0, 0)
        assert found.distance == pytest.approx(3.0)
        assert found.apart == pytest.approx(10.0)
    assert not guard_reading(reading).seen


def test_a_model_that_ignores_its_instruction_has_one_quarter_and_the_guard_warns() -> None:
    import surefoot as sf

    model, tasks = scripted(obeys=False), WORLD.tasks()
    reading = sf.probe("phrasing", model, tasks)
    found = measures(model, tasks, reading)
    assert [m.observed for m in found.values()] == [1, 0, 0, 0]
    assert np.mean([m.obeyed for m in found.values()]) == pytest.approx(1 / 4)
    assert guard_reading(reading).seen


@pytest.mark.parametrize("shift", [0.5, 1.0, 4.0])
def test_the_distance_is_the_planted_shift(shift: float) -> None:
    import surefoot as sf

    model, tasks = scripted(obeys=True, shift=shift), WORLD.tasks()
    found = measures(model, tasks, sf.probe("phrasing", model, tasks))
    assert [m.distance for m in found.values()] == pytest.approx([shift] * 4)


# Verdicts on made-up outcomes


def outcome(seed: int, **changes: dict[str, float]) -> SeedOutcome:
    """Two tasks a world; the states' measures are as the claims want them, but for `changes` (state -> measures)."""
    wished: dict[str, dict[str, float]] = {
        "untouched": {
            "observed": 0.95,
            "observed_sd": 0.02,
            "unobserved": 0.6,
            "unobserved_sd": 0.3,
            "distance": 5,
            "worst": 0.1,
        },
        "PT": {"unobserved": 0.7, "unobserved_sd": 0.25, "distance": 4},
        "PT+KL": {"unobserved": 0.8, "unobserved_sd": 0.15, "distance": 3, "negated": 0.1, "worst": 0.5},
        "KL": {"observed": 0.15},
        "FT": {"observed": 0.5, "unobserved": 0.5, "unobserved_sd": 0.2, "distance": 4},
        "FT+KL": {"observed": 0.9, "unobserved": 0.8, "unobserved_sd": 0.1, "distance": 2},
    }
    blank = dict.fromkeys(Measures._fields, 0.0)
    tasks = {
        state: {f"task-{k}": Measures(**{**blank, **m, **changes.get(state, {})}) for k in range(2)}
        for state, m in wished.items()
    }
    guards = {state: GuardReading(False, state != "KL", "made up") for state in wished}
    return SeedOutcome(seed, tasks, guards)


def result(outcomes: Sequence[SeedOutcome], regime: str = "sure") -> AlignmentResult:
    states = ("untouched", "PT", "PT+KL", "KL") if regime == "sure" else REGIMES[regime].states
    return AlignmentResult(tuple(outcomes), replace(REGIMES[regime], states=states), 0.1)


def test_every_claim_is_shown_when_every_difference_is_there() -> None:
    made = result([outcome(seed) for seed in range(4)])
    assert [claim.verdict for claim in made.claims] == ["shown"] * len(made.claims)
    assert made.ok
    assert all(claim.worlds == claim.of == 4 for claim in made.claims)
    assert [claim.interval is None for claim in made.claims].count(True) == 2


def test_a_difference_that_goes_the_other_way_or_both_ways_is_said_to() -> None:
    worse = [outcome(seed, **{"PT+KL": {"unobserved": 0.65}}) for seed in range(4)]
    verdicts = {claim.text: claim.verdict for claim in result(worse).claims}
    assert verdicts["PT+KL has a higher held-out mean than PT"] == "reversed"
    assert verdicts["PT+KL raises the held-out mean of the untouched model"] == "shown"
    assert not result(worse).ok
    mixed = [outcome(seed, **{"PT+KL": {"unobserved": 0.65 if seed % 2 else 0.75}}) for seed in range(4)]
    assert {c.text: c.verdict for c in result(mixed).claims}["PT+KL has a higher held-out mean than PT"] == "not shown"


def test_with_noisy_answers_fine_tuning_is_judged_too_and_pt_is_said_to_lose() -> None:
    good = [outcome(seed, PT={"unobserved": 0.5}) for seed in range(4)]
    claims = {claim.text: claim for claim in result(good, "noisy").claims}
    lost = claims["PT on noisy answers lowers the held-out mean"]
    gained = claims["FT+KL has a higher held-out mean than FT"]
    assert (lost.verdict, gained.verdict) == ("shown", "shown")
    assert lost.interval is not None
    assert gained.interval is not None
    assert [lost.interval.value, gained.interval.value] == pytest.approx([0.1, 0.3])
    assert not any("FT" in claim.text or "noisy" in claim.text for claim in result(good).claims)
    mild = [outcome(seed) for seed in range(4)]  # there PT gains
    assert {c.text: c.verdict for c in result(mild, "noisy").claims}[lost.text] == "reversed"


def test_the_report_holds_both_regimes_and_is_well_only_where_both_are() -> None:
    fine, noisy = [outcome(seed) for seed in range(4)], [outcome(seed, PT={"unobserved": 0.5}) for seed in range(4)]
    results = result(fine), result(noisy, "noisy")
    assert AlignmentReport(results).ok
    assert not AlignmentReport((result(fine), result(fine, "noisy"))).ok
    text = str(AlignmentReport(results))
    for sentence in {text for one in results for text in deviations(one.plan)}:
        assert text.count(sentence) == 1
    assert "Sure answers: 4 worlds" in text
    assert "Noisy answers (30 % in training are another digit): 4 worlds" in text
    regimes = AlignmentReport(results).to_dict()["regimes"]
    assert [regime["plan"]["world"]["noise"] for regime in regimes] == [0, 0.3]


def test_regimes_differ_in_noise_and_what_it_calls_for_and_not_in_the_world() -> None:
    sure, noisy = plan_of("sure"), plan_of("noisy")
    assert replace(noisy.world, noise=0.0) == sure.world
    assert (sure.held_out, noisy.held_out) == ("unobserved", "unobserved")
    large = plan_of("noisy", "planned")
    assert 1e6 < large.shape.parameters < 5e6
    assert replace(large, shape=noisy.shape) == noisy
    assert "1.1 million" in deviations(large)[0]


def test_the_table_shows_means_over_worlds_and_tasks() -> None:
    made = result([outcome(0), outcome(1, PT={"unobserved": 0.5, "unobserved_sd": 0.05})])
    line = next(line for line in state_table(made).splitlines() if line.startswith("PT "))
    assert line.split()[3:5] == ["60.0", "15.0"]
    assert "2/2" in state_table(made).splitlines()[-1]


# The whole of it, very small


def test_the_whole_experiment_runs_on_one_small_world_and_repeats_itself() -> None:
    plan = Plan(
        states=("untouched", "PT+KL"),
        world=World(items=6),
        shape=Shape(width=32, layers=2, heads=2),
        tuning=Tuning(steps=30, batch=32),
        recipe=Recipe(tokens=2, steps=3, batch=2, items=8),
    )
    said: list[str] = []
    first, again = alignment(1, plan, jobs=1, say=said.append), alignment(1, plan, jobs=1)
    assert first.outcomes == again.outcomes
    assert said[-1] == "seed 1: PT+KL measured"
    found = first.outcomes[0].measures
    assert found["untouched"] != found["PT+KL"]
    assert set(found["PT+KL"]) == set(OPERATIONS)
    text, record = str(first), first.to_dict()
    assert "What differs from the paper" in text
    assert record["plan"]["recipe"]["tokens"] == 2
    assert len(record["claims"]) == len(first.claims)


def test_worlds_for_choosing_settings_have_seeds_below_zero_and_noise_reaches_the_treatment() -> None:
    plan = Plan(
        states=("untouched", "FT+KL"),
        world=World(items=4),
        shape=Shape(width=32, layers=2, heads=2),
        tuning=Tuning(steps=10, batch=16),
        recipe=Recipe(steps=3, batch=2, items=4, teacher="base"),
        held_out="development",
    )
    clear = seed_outcome(-1, plan).measures
    noisy = seed_outcome(-1, replace(plan, world=replace(plan.world, noise=0.5))).measures
    assert clear["untouched"] != noisy["untouched"]
    assert clear["FT+KL"] != noisy["FT+KL"]


def test_what_cannot_be_run_is_refused_with_a_sentence() -> None:
    with pytest.raises(BadInput, match="seeds is 0"):
        alignment(0)
    with pytest.raises(BadInput, match='"PTT" is not a state'):
        Plan(states=("PTT",))
    with pytest.raises(BadInput, match='"smal" is not a size'):
        reproduce("R0", part="alignment", size="smal")
    with pytest.raises(BadInput, match='"nosy" is not a regime'):
        plan_of("nosy")
    with pytest.raises(BadInput, match='no part "alignmnt"'):
        reproduce("R0", part="alignmnt")
    with pytest.raises(BadInput, match="reads no data"):
        reproduce("R0", "somewhere", part="alignment")
    with pytest.raises(BadInput, match="seeds is 3"):
        reproduce("R0", seeds=3)
    with pytest.raises(BadInput, match='"R9" is not a reproduction'):
        reproduce("R9", part="alignment")
