"""Several probes in one house: readings built again from their records, runs with columns of their own, views."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import surefoot
import tiny
from command import TASK as COMMAND_TASK
from command import Place, sentence_of
from surefoot.errors import BadInput
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.phrasing.calibrations import world
from surefoot.probes.phrasing.summarise import permutations
from surefoot.probes.phrasing.summary import summarise
from surefoot.probes.stored import probe_of, read_reading
from surefoot.report.headline import reach
from surefoot.runs import ModelSettings, Run, RunSettings, TaskSettings, export, query_rows, read_record, read_rows
from surefoot.runs.rows import ROW_SCHEMA, schema_from_json, schema_to_json
from surefoot.runs.source import Rows
from surefoot.stats.bootstrap import (
    column_draws,
    item_weights,
    resampled_column_means,
    resampled_means,
    weight_chunks,
)
from surefoot.stats.holm import holm
from surefoot.tasks.loading import load_tasks, rebased

OWN = pa.schema(
    [
        *(ROW_SCHEMA.field(name) for name in ("model", "task", "wording", "item", "recheck")),
        pa.field("turns", pa.list_(pa.int16())),
    ]
)
SETTINGS = RunSettings("turns", ModelSettings("m", "r", "fp32"), (TaskSettings("t", "h", 40, 4),), schema=OWN)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, monkeypatch, capsys)


def own_row(n: int) -> dict[str, Any]:
    return {"model": "m", "task": "t", "wording": "w", "item": str(n), "recheck": False, "turns": [n, n + 1]}


# --- runs with columns of their own


def test_a_run_keeps_the_columns_of_its_probe(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with Run.open(path, SETTINGS) as run:
        for n in range(12):
            run.append([own_row(2 * n), own_row(2 * n + 1)])
        with pytest.raises(BadInput, match='no column "outcome"'):
            run.append([{**own_row(99), "outcome": "right"}])
        run.finish()
    assert read_rows(path).drop_columns(["run"]).to_pylist() == [own_row(n) for n in range(24)]
    with Run.open(path, SETTINGS) as run:
        assert len(run.done()) == 24
        assert not run.damaged
    assert export(path, tmp_path / "x.csv") == 24
    assert (tmp_path / "x.csv").read_text().splitlines()[1] == f'"m","t","w","0",false,"[0, 1]","{path}"'


def test_runs_of_two_probes_are_one_table_with_nulls_where_one_has_nothing(tmp_path: Path) -> None:
    with Run.open(tmp_path / "own", SETTINGS) as run:
        run.append([own_row(0)])
    surefoot.probe("phrasing", tiny.causal(), "demo/facts", limit=1, out=str(tmp_path / "other"), recheck=0)
    both = read_rows([tmp_path / "own", tmp_path / "other"])
    assert both["turns"].to_pylist()[:2] == [[0, 1], None]
    assert both["outcome"][0].as_py() is None
    counted = query_rows([tmp_path / "own", tmp_path / "other"], "SELECT count(turns) n, count(outcome) m FROM rows")
    assert (counted["n"][0].as_py(), counted["m"][0].as_py()) == (1, both.num_rows - 1)


def test_a_schema_survives_its_json() -> None:
    for schema in (ROW_SCHEMA, OWN):
        assert schema_from_json(json.loads(json.dumps(schema_to_json(schema)))).equals(schema)
    with pytest.raises(BadInput, match='type "colour"'):
        schema_from_json([{"name": "x", "type": "colour", "nullable": True}])


def test_rows_in_memory_and_in_a_folder_are_selected_alike(tmp_path: Path) -> None:
    import pyarrow.compute as pc

    reading = surefoot.probe("phrasing", tiny.causal(), "demo/facts", limit=3, out=str(tmp_path / "run"))
    memory, folder = Rows(reading.rows), Rows(str(tmp_path / "run"))
    where = (pc.field("outcome") == "right") & ~pc.field("recheck")
    for limit in (None, 2):
        assert memory.select(("item", "score"), where, limit).equals(folder.select(("item", "score"), where, limit))
    assert memory.count == folder.count == reading.rows.num_rows
    assert memory.names("klass") == folder.names("klass")


# --- readings by whichever probe


def test_the_record_builds_the_probe_again(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"recheck": 0.5, "layer": 0, "distance": "centroid"}
    surefoot.probe("representation", tiny.causal(), "demo/facts", limit=2, out=str(tmp_path / "r"), **settings)
    found: Any = probe_of(read_record(tmp_path / "r"))
    assert {name: getattr(found, name) for name in settings} == settings
    old = {k: v for k, v in read_record(tmp_path / "r").items() if k != "settings"} | {"probe": "phrasing"}
    assert probe_of(old).filling.recheck == 0.5
    with pytest.raises(BadInput, match='"phrasin" is not a probe'):
        probe_of({**old, "probe": "phrasin"})


def test_only_a_phrasing_reading_has_a_mean_and_a_spread() -> None:
    reading = surefoot.probe("representation", tiny.causal(), "demo/facts", limit=2)
    for name in ("mean", "spread"):
        with pytest.raises(BadInput, match=f'representation probe has no "{name}"'):
            getattr(reading, name)


def test_every_command_serves_the_second_probe(place: Place) -> None:
    words = ("probe", "representation", "--model", "model", *COMMAND_TASK, "--out", "rep")
    ended = place.surefoot(*words, "--set", "layer=-1", "--set", "points=50")
    assert ended.code == 0, ended.err
    assert "Distance to the nearest reference wording" in ended.out
    assert "representation probe" in (place.path / "rep" / "report.html").read_text()
    first = json.loads(place.surefoot("report", "rep", "--json").out)
    assert (first["layer"], first["points"], first["complete"]) == (-1, 50, True)
    assert "representation, model" in place.surefoot("runs", ".").out
    assert 'no setting "layr". Did you mean "layer"?' in sentence_of(
        place.surefoot("probe", "representation", "--set", "layr=1")
    )
    assert "--set takes name=value" in sentence_of(place.surefoot("probe", "--set", "layer"))


def test_a_report_is_made_from_any_working_folder(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.probe().code == 0
    expected = json.loads(place.surefoot("report", "run", "--json").out)
    (place.path / "elsewhere").mkdir()
    monkeypatch.chdir(place.path / "elsewhere")
    assert json.loads(place.surefoot("report", "../run", "--json").out) == expected
    record = (place.path / "run" / "run.json").read_text()
    assert str(place.path) not in json.loads(record)["working_folder"]


def test_a_folder_that_moved_with_its_tasks_is_still_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place.probe(out="runs/a").code == 0
    moved = place.path.with_name(f"{place.path.name}-moved")
    place.path.rename(moved)
    monkeypatch.chdir(moved.parent)
    assert read_reading(f"{moved.name}/runs/a").summary.complete
    moved.rename(place.path)
    monkeypatch.chdir(place.path)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("demo", "demo"),
        ("demo/facts", "demo/facts"),
        ("items.jsonl", "/base/items.jsonl"),
        ("/abs/items.jsonl", "/abs/items.jsonl"),
        ("bigbench:bb", "bigbench:/base/bb"),
        ("released:dir#MMLU/anatomy?family=T0", "released:/base/dir#MMLU/anatomy?family=T0"),
        ("hub:org/name?split=test", "hub:org/name?split=test"),
    ],
)
def test_a_spec_is_read_from_the_folder_in_which_it_was_given(spec: str, expected: str) -> None:
    assert rebased(spec, Path("/base")) == expected


def test_a_folder_without_runs_that_was_named_is_refused(place: Place) -> None:
    assert 'no folder "nosuch"' in sentence_of(place.surefoot("runs", "nosuch"))
    assert place.surefoot("runs").code == 0


def test_show_prints_the_same_as_json(place: Place) -> None:
    words = ("show", "--model", "model", *COMMAND_TASK)
    told, text = json.loads(place.surefoot(*words, "--json").out), place.surefoot(*words).out
    assert [prompt["klass"] for prompt in told["prompts"]] == ["right", "negated"]
    assert all(" ".join(map(str, prompt["token_ids"])) in text for prompt in told["prompts"])
    assert f"{told['preflight']['cells']} cells" in text
    assert [p["wording"] for p in json.loads(place.surefoot(*words, "--json", "--wording", "b").out)["prompts"]] == [
        "b"
    ]


# --- many tasks


@pytest.mark.parametrize("tasks", [1, 10, 50, 400])
def test_the_least_p_value_passes_holm_whatever_the_number_of_tasks(tasks: int) -> None:
    least = 1 / (1 + permutations(tasks))
    assert max(holm([least] * tasks)) <= 0.01 + 1e-12
    assert permutations(1) == 999


def test_holm_counts_no_fewer_tasks_than_bonferroni() -> None:
    (task,) = surefoot.probe("phrasing", ScriptedModel(lambda _, options: options[0]), world()).summary.tasks
    assert task.spread is not None
    found = [replace(task, spread=replace(task.spread, p_value=p)) for p in (0.012, 0.013, 0.02, 0.5)]
    counted = reach(found)
    assert counted is not None
    assert counted.beyond_noise == 3 > sum(4 * p < 0.05 for p in (0.012, 0.013, 0.02, 0.5))


# --- memory


def test_weights_in_chunks_are_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surefoot.stats.bootstrap.CHUNK", 50)
    whole = item_weights(7, 40, np.random.default_rng(3))
    parts = list(weight_chunks(7, 40, np.random.default_rng(3)))
    assert len(parts) == 6
    assert np.array_equal(np.concatenate(parts), whole)
    matrix = np.random.default_rng(0).normal(size=(7, 3))
    matrix[2, 1] = np.nan
    assert resampled_column_means(matrix, 40, np.random.default_rng(3)) == pytest.approx(column_draws(matrix, whole))
    assert resampled_means(matrix[:, 0], 40, np.random.default_rng(3)) == pytest.approx(whole @ matrix[:, 0] / 7)


def test_the_summary_of_a_long_run_takes_hardly_more_memory_than_that_of_a_short_one(tmp_path: Path) -> None:
    (facts,) = load_tasks("demo/facts")
    held = []
    for n in (200, 2000):
        examples = tuple(replace(facts.examples[i % 80], id=str(i)) for i in range(n))
        task = replace(facts, examples=examples, wordings=facts.wordings[:3])
        out = str(tmp_path / str(n))
        surefoot.probe("phrasing", ScriptedModel(lambda _, options: options[0]), task, out=out)
        tracemalloc.start()
        summarise(Rows(out), [task], "scripted", True, resamples=1000)
        held.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert held[1] - held[0] < 1800 * 1000  # a kilobyte an item, of which the summary's own flips are half


@pytest.mark.parametrize("shots", [0, 2])
def test_the_hash_of_a_task_is_that_of_its_json_written_at_once(shots: int) -> None:
    for task in (*load_tasks("demo", shots=shots), world()):
        content = json.dumps(asdict(task), sort_keys=True, ensure_ascii=False, default=dict)
        assert task.hash == hashlib.sha256(content.encode()).hexdigest()[:16]
