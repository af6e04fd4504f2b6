"""The representation probe: distances against brute force, planted states, lines, pictures, changes, and bad input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import surefoot
import tiny
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.asking import Cell
from surefoot.probes.filling import every_cell
from surefoot.probes.reading import Reading
from surefoot.probes.representation.calibrations import Planted, item_state, off, planted, step, world
from surefoot.probes.representation.change import distance_change
from surefoot.probes.representation.distance import item_scale, nearest_by_centroid, nearest_by_item
from surefoot.probes.representation.map import embed, state_map
from surefoot.probes.representation.probe import Representation
from surefoot.probes.representation.summarise import roles
from surefoot.probes.stored import read_reading
from surefoot.runs.source import Rows
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction

WORLD = replace(world(), examples=world().examples[:24])
EXAMPLES = tuple(Example(str(n), {"input": f"Is {n} odd?"}, ("yes", "no"), (n + 1) % 2) for n in range(6))
WORDINGS = (
    Instruction("a", "Yes or no?\n{{ input }}\n"),
    Instruction("b", "{{ input }}\nSay yes or no:"),
    Instruction("c", "{{ input }}\nAnswer yes or no.\n"),
    Instruction("n", "Say the wrong one of yes and no.\n{{ input }}\n", "negated"),
)
TASK = Task("odd", "binary", EXAMPLES, WORDINGS, fixed_options=True)


def measured(model: ScriptedModel, task: Task = WORLD, **settings: Any) -> Reading:
    return Representation(**{"recheck": 0, "points": 0, **settings}).measure(model, [task])


def always(_: Cell) -> bool:
    return True


def noisy(seed: int, shift: float, size: float = 1.0) -> Callable[[Cell], np.ndarray]:
    """States with noise of their own for each cell, unobserved wordings moved by `shift`."""
    rng = np.random.default_rng(seed)
    kept: dict[tuple[str, str], np.ndarray] = {}

    def state(cell: Cell) -> np.ndarray:
        key = (cell.wording.id, cell.example.id)
        if key not in kept:
            noise = 0.3 * rng.normal(size=8)
            kept[key] = size * (off(cell, shift * (step(cell) > 0)) + noise)
        return kept[key]

    return state


# --- distances


@pytest.mark.parametrize("seed", range(3))
def test_the_nearest_state_is_that_of_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    states = rng.normal(size=(5, 7, 3)).astype(np.float32)
    states[1, 4] = states[2, 2] = np.nan
    reference = [1, 2, 4]
    found = nearest_by_item(states, reference)
    for i in range(5):
        for w in range(7):
            to = {o: np.sqrt(((states[i, w].astype(float) - states[i, o]) ** 2).sum()) for o in reference if o != w}
            usable = {o: d for o, d in to.items() if not np.isnan(d)}
            if usable:
                assert found.distance[i, w] == pytest.approx(min(usable.values()))
                assert found.place[i, w] == min(usable, key=usable.__getitem__)
            else:
                assert np.isnan(found.distance[i, w])
                assert found.place[i, w] == -1


def test_centroids_are_means_over_the_items_that_all_wordings_have() -> None:
    states = np.random.default_rng(0).normal(size=(9, 4, 3)).astype(np.float32)
    states[3, 1] = np.nan
    means = np.delete(states, 3, axis=0).astype(float).mean(axis=0)
    found = nearest_by_centroid(states, [0, 1])
    expected = [np.linalg.norm(means[0] - means[1])] * 2
    expected += [min(np.linalg.norm(means[w] - means[o]) for o in (0, 1)) for w in (2, 3)]
    assert found.distance[0] == pytest.approx(expected)


def test_the_scale_is_the_mean_over_all_pairs_of_items() -> None:
    states = np.random.default_rng(0).normal(size=(6, 3, 4)).astype(np.float32)
    pairs = [
        np.linalg.norm(states[i, j].astype(float) - states[k, j]) for j in (0, 2) for i, k in combinations(range(6), 2)
    ]
    assert item_scale(states, [0, 2]) == pytest.approx(np.mean(pairs))
    assert np.isnan(item_scale(states[:1], [0, 2]))


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0, 7.0])
def test_a_shift_of_all_unobserved_wordings_is_read_exactly(shift: float) -> None:
    summary = measured(planted(WORLD, always, lambda cell: off(cell, shift * (step(cell) > 0)))).summary
    assert summary.target.distance.value == pytest.approx(shift, abs=1e-6)
    assert {w.distance.value for w in summary.tasks[0].wordings if not step_of(w.id)} == {0.0}
    assert summary.tasks[0].reference == "observed"
    assert summary.target.scaled.value == pytest.approx(shift / (25 / 3), abs=1e-6)  # |i - k| of 24 items


def step_of(wording: str) -> bool:
    return wording in {f"right-{k}" for k in range(4, 12)}


def test_with_noise_the_distance_grows_with_the_shift_and_the_interval_holds_its_value() -> None:
    targets = [measured(planted(WORLD, always, noisy(0, shift))).summary.target for shift in (0, 1, 2, 4, 8)]
    values = [target.distance.value for target in targets]
    assert values == sorted(values)
    assert all(t.distance.low < t.distance.value < t.distance.high for t in targets)


def test_opposite_moves_cancel_between_mean_states_and_not_item_by_item() -> None:
    def state(cell: Cell) -> np.ndarray:
        return off(cell, (step(cell) > 0) * (1 if int(cell.example.id) % 2 else -1))

    model = planted(WORLD, always, state)
    assert measured(model).summary.target.distance.value == pytest.approx(1)
    centroid = measured(model, distance="centroid").summary.target.distance
    assert centroid.value == pytest.approx(0, abs=1e-6)
    assert np.isnan(centroid.low)


def test_scaled_distances_do_not_change_when_all_states_grow() -> None:
    small, large = (measured(planted(WORLD, always, noisy(3, 2, size))).summary for size in (1.0, 50.0))
    assert large.target.distance.value == pytest.approx(50 * small.target.distance.value, rel=1e-5)
    assert large.target.scaled.value == pytest.approx(small.target.scaled.value, rel=1e-5)
    assert large.tasks[0].wordings[5].scaled.low == pytest.approx(small.tasks[0].wordings[5].scaled.low, rel=1e-5)


# --- roles


def test_observed_wordings_are_the_reference_where_there_are_any() -> None:
    role = roles(WORLD, "auto", "auto")
    assert (role.name, role.reference.tolist(), role.target.tolist()) == ("observed", [0, 1, 2, 3], list(range(4, 12)))


def test_without_observed_wordings_each_right_one_is_held_against_the_others() -> None:
    role = roles(TASK, "auto", "auto")
    assert role.reference.tolist() == role.target.tolist() == [0, 1, 2]
    summary = measured(Planted(lambda *_: "yes", lambda p: np.asarray([len(p.text), 0.0])), TASK).summary
    a, b, c, _ = (np.mean([len(TASK.query(e, w).prompt.text) for e in EXAMPLES]) for w in WORDINGS)
    found = {w.id: w.distance.value for w in summary.tasks[0].wordings}
    assert found["a"] == pytest.approx(min(abs(a - b), abs(a - c)))
    assert found["b"] == pytest.approx(min(abs(a - b), abs(b - c)))


def test_any_class_can_be_held_against_any_other() -> None:
    role = roles(WORLD, "negated", "nonsense")
    assert {WORLD.wordings[j].klass for j in role.reference} == {"negated"}
    assert {WORLD.wordings[j].klass for j in role.target} == {"nonsense"}


def test_what_a_wording_loses_leaves_the_wording_itself_out_of_the_reference() -> None:
    model = planted(WORLD, lambda cell: cell.wording.id != "right-0", item_state)
    lost = {w.id: w.lost for w in measured(model).summary.tasks[0].wordings}
    assert lost["right-0"] == 1
    assert lost["right-1"] == pytest.approx(-1 / 3)
    assert lost["right-7"] == pytest.approx(-1 / 4)


# --- rows


@pytest.mark.parametrize("make", [tiny.causal, lambda: tiny.causal(chat=True), tiny.t5])
@pytest.mark.parametrize("layer", [-2, 0])
def test_the_rows_hold_the_states_of_the_prompts_alone(make: Callable[[], Any], layer: int) -> None:
    model = make()
    rows = surefoot.probe("representation", model, TASK, recheck=0, layer=layer).rows.to_pylist()
    cells = {(cell.wording.id, cell.example.id): cell.query.prompt for cell in every_cell([TASK])}
    for row in rows[::5]:
        alone = model.hidden_states([cells[row["wording"], row["item"]]], layer=layer)[0]
        assert np.linalg.norm(row["state"] - alone) <= 1e-4 * np.linalg.norm(alone)


def test_answers_are_those_of_the_phrasing_probe() -> None:
    states, answers = (surefoot.probe(name, tiny.causal(), TASK).rows for name in ("representation", "phrasing"))
    assert states.drop_columns(["state"]).equals(answers)


def test_a_stored_run_reads_as_it_was_given_and_exports_its_coordinates(tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    model = tiny.causal()
    reading = surefoot.probe("representation", model, "demo/facts", limit=4, out=out, recheck=0.05, layer=-1, seed=3)
    again = read_reading(out)
    assert again.to_dict() == reading.to_dict()
    assert again.summary.layer == -1
    assert reading.summary.state_noise.rechecked > 0
    assert reading.summary.state_noise.largest < 1e-3 < reading.summary.target.distance.value
    from surefoot.runs import export

    export(out, tmp_path / "rows.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    placed = [row for row in rows if row["x"] is not None]
    assert len(placed) == sum(not row["recheck"] for row in rows)
    found = {
        (p.wording, p.item): (round(p.x, 4), round(p.y, 4))
        for p in state_map(Rows(out), model.name, ["facts"], 2000, 3)
    }
    assert {(row["wording"], row["item"]): (row["x"], row["y"]) for row in placed} == found
    export(out, tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text().splitlines()[0].endswith('"run","x","y"')


def test_another_layer_is_another_run(tmp_path: Path) -> None:
    surefoot.probe("representation", tiny.causal(), TASK, out=str(tmp_path / "run"))
    with pytest.raises(BadInput, match=r"options.layer was -2 and is now 0"):
        surefoot.probe("representation", tiny.causal(), TASK, out=str(tmp_path / "run"), layer=0)
    again = surefoot.probe("representation", tiny.causal(), TASK, out=str(tmp_path / "run"), distance="centroid")
    assert again.summary.measured == "centroid"
    assert again.record["settings"]["distance"] == "centroid"


# --- the plane


def test_clusters_stay_apart_and_the_same_seed_gives_the_same_plane() -> None:
    rng = np.random.default_rng(0)
    clusters = np.repeat(20 * rng.normal(size=(3, 10)), 20, axis=0) + rng.normal(size=(60, 10))
    plane = embed(clusters, 1)
    assert np.array_equal(plane, embed(clusters, 1))
    own = np.repeat(np.arange(3), 20)
    nearest = np.linalg.norm(plane[:, None] - plane[None], axis=2) + 1e9 * np.eye(60)
    assert (own[nearest.argmin(axis=1)] == own).all()


def test_states_that_are_all_alike_lie_in_one_point() -> None:
    assert not embed(np.full((7, 3), 4.2), 0).any()


def test_no_more_states_are_drawn_than_asked_for_and_the_same_items_under_every_wording() -> None:
    reading = measured(planted(WORLD, always, noisy(0, 1)))
    rows = Rows.of(reading.source)
    drawn = state_map(rows, "planted", [WORLD.name], 60, 0)
    assert len(drawn) == 60 // len(WORLD.wordings) * len(WORLD.wordings)
    items = {w.id: {p.item for p in drawn if p.wording == w.id} for w in WORLD.wordings}
    assert len({frozenset(found) for found in items.values()}) == 1
    assert drawn == state_map(rows, "planted", [WORLD.name], 60, 0)
    assert state_map(rows, "planted", [WORLD.name], 0, 0) == ()


# --- changes


def test_a_change_of_norm_changes_raw_distances_alone() -> None:
    before, after = (measured(planted(WORLD, always, noisy(1, 2, size))) for size in (1.0, 2.0))
    change = distance_change(before, after)
    assert change.distance.after == pytest.approx(2 * change.distance.before, rel=1e-5)
    assert change.distance.difference.low > 0
    assert change.scaled.difference.value == pytest.approx(0, abs=1e-5)


def test_a_planted_change_is_read_wording_by_wording() -> None:
    before, after = (measured(planted(WORLD, always, lambda cell, k=k: off(cell, k * step(cell)))) for k in (1.0, 0.25))
    (task,) = distance_change(before, after).tasks
    found = {w.id: w.distance.difference.value for w in task.wordings}
    assert [found[f"right-{k + 3}"] for k in range(1, 9)] == pytest.approx([-0.75 * k for k in range(1, 9)])
    assert found["right-0"] == 0
    assert task.distance.difference.value == pytest.approx(-0.75 * 4.5)
    assert "over tasks" in str(distance_change(before, after))
    assert json.dumps(distance_change(before, after).to_dict(), allow_nan=False)


def test_the_interval_of_a_change_comes_from_items_paired() -> None:
    """Items differ far more than before and after do: paired, the change is shown all the same."""

    def state(cell: Cell, factor: float) -> np.ndarray:
        return off(cell, factor * (step(cell) > 0) * (1 + int(cell.example.id)))

    before, after = (measured(planted(WORLD, always, lambda cell, f=f: state(cell, f))) for f in (1.0, 1.1))
    change = distance_change(before, after)
    paired = 0.1 * np.arange(1, 25)
    assert change.distance.difference.value == pytest.approx(paired.mean())
    half = 1.96 * paired.std() / np.sqrt(24)
    assert change.distance.difference.low == pytest.approx(paired.mean() - half, rel=0.1)
    assert change.distance.difference.low > 0


def test_changes_of_other_probes_layers_and_tasks_are_refused() -> None:
    reading = measured(planted(WORLD, always, item_state))
    with pytest.raises(BadInput, match="layers differ, -2 before and 1 after"):
        distance_change(reading, measured(planted(WORLD, always, item_state), layer=1))
    with pytest.raises(BadInput, match="phrasing probe has no states"):
        distance_change(reading, surefoot.probe("phrasing", planted(WORLD, always, item_state), WORLD))
    fewer = replace(WORLD, examples=WORLD.examples[:9])
    with pytest.raises(BadInput, match='"larger" is not the same'):
        distance_change(reading, measured(planted(fewer, always, item_state), fewer))


# --- what is said and shown


def test_degenerate_cases_are_said_in_a_sentence() -> None:
    deaf = measured(planted(WORLD, always, item_state)).summary
    assert "All distances are equal" in "".join(deaf.warnings())
    assert "not told apart" in "".join(deaf.warnings())
    assert "no line can be fitted" in deaf.sentence()
    flat = measured(planted(WORLD, always, lambda _: np.ones(3))).summary
    assert "cannot be scaled" in "".join(flat.warnings())
    one = replace(WORLD, examples=WORLD.examples[:1])
    assert np.isnan(measured(planted(one, always, lambda cell: off(cell, step(cell))), one).summary.target.scaled.value)


def test_a_line_that_hangs_on_one_wording_names_it() -> None:
    def state(cell: Cell) -> np.ndarray:
        return off(cell, 100.0 if cell.wording.id == "right-11" else 0.01 * step(cell))

    model = planted(
        WORLD, lambda cell: cell.wording.id != "right-11" and int(cell.example.id) % 3 > step(cell) % 2, state
    )
    said = "".join(measured(model).summary.warnings())
    assert 'hangs on one wording, "right-11" of larger' in said
    assert "hangs" not in "".join(measured(planted(WORLD, always, lambda c: off(c, step(c)))).summary.warnings())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"reference": "obsrved"}, 'Did you mean "observed"'),
        ({"target": "wrong"}, '"wrong" is not a class'),
        ({"distance": "items"}, 'Did you mean "item"'),
        ({"points": -1}, "points is -1"),
        ({"reference": "observed"}, 'no wording of the class "observed"'),
        ({"target": "nonsense"}, 'no wording of the class "nonsense" to measure'),
        ({"layer": 9}, "layers 0 to 2; 9 is none of them"),
    ],
)
def test_settings_that_cannot_be_measured_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        surefoot.probe("representation", tiny.causal(), TASK, **settings)


def test_one_wording_or_a_model_without_states_is_refused() -> None:
    single = replace(TASK, wordings=WORDINGS[:1])
    with pytest.raises(BadInput, match="has one wording to measure, and a distance takes two"):
        surefoot.probe("representation", tiny.causal(), single)
    with pytest.raises(NotAvailable, match='needs hidden_states, which "scripted" does not offer'):
        surefoot.probe("representation", ScriptedModel(lambda *_: "yes"), TASK)


def test_the_report_shows_every_target_wording_and_lets_no_name_act(tmp_path: Path) -> None:
    hostile = replace(WORLD, name="<script>alert(1)</script>")
    reading = measured(planted(hostile, always, noisy(0, 2)), hostile, points=200)
    html = reading.save(tmp_path / "r.html").read_text()
    assert "<script>alert" not in html
    assert html.count('<use class="k-unobserved"') == 8
    assert html.count('class="state" cx=') == 200 // 20 * 20
    assert not re.search(r"\bnan\b", html)
    for text in (str(reading), reading._repr_html_()):
        assert "Scaled distance by class" in text
    assert json.loads(reading.save(tmp_path / "r.json").read_text())["tasks"][0]["target"]["wordings"] == 8


def test_a_report_without_a_picture_says_what_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surefoot.probes.representation.map.find_spec", lambda _: None)
    reading = measured(planted(WORLD, always, noisy(0, 2)), points=100)
    assert "pip install surefoot[analysis]" in reading.save(tmp_path / "r.html").read_text()
