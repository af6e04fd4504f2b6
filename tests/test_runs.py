"""Runs: what was stored is there, once and unchanged, whatever happened to the process or to the files."""

from __future__ import annotations

import csv
import errno
import io
import itertools
import json
import math
import os
import subprocess
import sys
import threading
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surefoot.errors import BadInput, OutOfSpace, RunInUse, SurefootError
from surefoot.runs import (
    Cell,
    Cells,
    ModelSettings,
    Run,
    RunSettings,
    TaskSettings,
    default_folder,
    export,
    list_runs,
    query_rows,
    read_record,
    read_rows,
    read_summary,
)
from surefoot.runs import read as read_module
from surefoot.runs import record as record_module
from surefoot.runs import run as run_module
from surefoot.runs import shards as shards_module
from surefoot.runs.folder import Folder
from surefoot.runs.lock import Lease, _space
from surefoot.runs.rows import ROW_SCHEMA
from surefoot.runs.shards import Shard, shards_of

MODEL = ModelSettings("smollm2", "weights-1", "fp32", "cpu", "chat", "template-1")
SETTINGS = RunSettings("phrasing", MODEL, (TaskSettings("colours", "hash-1", 60, 20),), scorer="sum", limit=20)
WORKER = Path(__file__).with_name("run_worker.py")


def row(item: int, wording: str = "w1", **changes: Any) -> dict[str, Any]:
    cell = Cell("smollm2", "colours", wording, f"i{item}", False)
    return {**cell._asdict(), "klass": "right", "frame": "", "outcome": "right", "truncated": False, **changes}


def cell(item: int, wording: str = "w1") -> Cell:
    return Cell("smollm2", "colours", wording, f"i{item}", False)


def items(path: str | Path) -> list[str]:
    return read_rows(path).column("item").to_pylist()


def fill(path: str | Path, shards: int, size: int = 2, **changes: Any) -> None:
    with Run.open(path, SETTINGS) as run:
        for n in range(shards):
            run.append([row(n * size + k, **changes) for k in range(size)])


@pytest.fixture(params=["local", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh folder on disk, and one behind a URL."""
    if request.param == "local":
        yield str(tmp_path / "run")
        return
    root = f"/{uuid.uuid4().hex}"
    yield f"memory:/{root}/run"
    fsspec.filesystem("memory").rm(root, recursive=True)


# --- Cells


CELLS = st.tuples(
    st.sampled_from("mn"), st.sampled_from("st"), st.sampled_from("uvw"), st.sampled_from("abcdef"), st.booleans()
)


@given(st.lists(CELLS), st.lists(CELLS))
def test_cells_are_the_set_that_python_makes_of_the_same_tuples(given_cells: list[Any], asked: list[Any]) -> None:
    cells = Cells()
    assert [cells.add(one) for one in given_cells] == [
        one not in given_cells[:place] for place, one in enumerate(given_cells)
    ]
    assert set(cells) == set(given_cells)
    assert len(cells) == len(set(given_cells))
    assert [one in cells for one in asked] == [one in set(given_cells) for one in asked]
    assert set(asked) - cells == set(asked) - set(given_cells)


def test_cells_take_a_few_bytes_each() -> None:
    names = [f"item-{n}" for n in range(1000)]
    wordings = [f"wording-{n}" for n in range(100)]
    tracemalloc.start()
    try:
        cells = Cells(("m", "t", wording, item, False) for wording in wordings for item in names)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(cells) == 100_000
    assert held < 4 * len(cells)


# --- what determines a run


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (replace(SETTINGS, probe="order"), "probe"),
        (replace(SETTINGS, model=replace(MODEL, name="other")), "model.name"),
        (replace(SETTINGS, model=replace(MODEL, revision="weights-2")), "model.revision"),
        (replace(SETTINGS, model=replace(MODEL, dtype="bf16")), "model.dtype"),
        (replace(SETTINGS, model=replace(MODEL, format_hash="template-2")), "model.format_hash"),
        (replace(SETTINGS, tasks=(TaskSettings("colours", "hash-2", 60, 20),)), "tasks.colours"),
        (replace(SETTINGS, tasks=(*SETTINGS.tasks, TaskSettings("x", "h", 1, 1))), "tasks.x"),
        (replace(SETTINGS, scorer="mean"), "scorer"),
        (replace(SETTINGS, seed=1), "seed"),
        (replace(SETTINGS, limit=None), "limit"),
        (replace(SETTINGS, shots=2), "shots"),
        (replace(SETTINGS, options={"truncate": "left"}), "options.truncate"),
    ],
)
def test_a_folder_refuses_another_run_and_names_what_differs(tmp_path: Path, other: RunSettings, named: str) -> None:
    fill(tmp_path / "run", 1)
    before = read_record(tmp_path / "run")
    with pytest.raises(BadInput, match=rf"{named} was .* and is now .*--out .*-{other.identity[:8]}$"):
        Run.open(tmp_path / "run", other)
    assert read_record(tmp_path / "run") == before
    assert items(tmp_path / "run") == ["i0", "i1"]
    assert default_folder(other) != default_folder(SETTINGS)


def test_what_changes_no_row_changes_no_identity() -> None:
    two = (*SETTINGS.tasks, TaskSettings("x", "h", 1, 1))
    assert replace(SETTINGS, model=replace(MODEL, device="cuda")).identity == SETTINGS.identity
    assert replace(SETTINGS, arguments={"out": "x"}, suite="demo").identity == SETTINGS.identity
    assert replace(SETTINGS, tasks=two).identity == replace(SETTINGS, tasks=two[::-1]).identity


def test_the_default_folder_is_named_after_the_run_and_stays_below_its_parent() -> None:
    model = replace(MODEL, name="hf:org/../../name")
    folder = default_folder(replace(SETTINGS, model=model, suite="demo"))
    assert folder.startswith("runs/phrasing-hf_org_.._.._name-demo-")
    assert folder.count("/") == 1
    assert default_folder(SETTINGS) == f"runs/phrasing-smollm2-colours-{SETTINGS.identity[:8]}"


def test_a_task_given_twice_and_settings_that_are_not_json_are_refused() -> None:
    with pytest.raises(BadInput, match='"colours" is given twice'):
        replace(SETTINGS, tasks=SETTINGS.tasks * 2)
    with pytest.raises(BadInput, match="plain JSON"):
        replace(SETTINGS, options={"share": math.nan})


# --- rows go in and come out


def test_rows_come_back_as_they_were_stored_in_their_order(place: str) -> None:
    full = row(
        0,
        frame="Q/A",
        score=0.5,
        gold='a "quoted"\nline',
        predicted="",
        gold_index=1,
        predicted_index=0,
        option_scores=[-math.inf, -0.25],
        text="naïve \u2028 \U0001f600\r\n",
        finish_reason="stop",
        truncated=True,
        prompt_tokens=7,
    )
    bare = row(1, outcome="unparsed")
    with Run.open(place, SETTINGS) as run:
        run.append([full, bare])
        run.append([row(2, recheck=True), row(2)])
        assert set(run.done()) == {cell(0), cell(1), cell(2), cell(2)._replace(recheck=True)}
    table = read_rows(place)
    assert table.column_names == [*ROW_SCHEMA.names, "run"]
    found = table.to_pylist()
    assert found[0] == {**full, "run": place}
    assert found[1] == {**dict.fromkeys(ROW_SCHEMA.names), **bare, "run": place}
    assert [(one["item"], one["recheck"]) for one in found[2:]] == [("i2", True), ("i2", False)]


def test_a_run_goes_on_where_it_was_left(place: str) -> None:
    fill(place, 2)
    with Run.open(place, SETTINGS) as run:
        assert set(run.done()) == {cell(n) for n in range(4)}
        run.append([row(4)])
    assert items(place) == ["i0", "i1", "i2", "i3", "i4"]
    assert len(read_record(place)["resumed"]) == 1


def test_a_run_that_has_no_rows_yet_reads_as_an_empty_table(place: str) -> None:
    Run.open(place, SETTINGS).close()
    table = read_rows(place)
    assert table.num_rows == 0
    assert table.column_names == [*ROW_SCHEMA.names, "run"]


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        ({"outcomes": "right"}, 'no column "outcomes".*Did you mean "outcome"'),
        ({"outcome": "maybe"}, '"maybe" is not an outcome'),
        ({"klass": None}, 'lacks "klass"'),
        ({"prompt_tokens": "many"}, 'column "prompt_tokens" takes values of type int32'),
        ({"gold_index": 2**20}, 'column "gold_index" takes values of type int16'),
        ({"text": "\ud800"}, 'column "text"'),
        ({"item": "i0"}, "is there already"),
        ({"item": "i1"}, "is there already"),
    ],
)
def test_a_row_that_does_not_fit_is_refused_with_its_whole_shard(tmp_path: Path, bad: Any, sentence: str) -> None:
    with Run.open(tmp_path / "run", SETTINGS) as run:
        run.append([row(0)])
        with pytest.raises(BadInput, match=sentence):
            run.append([row(1), row(2, **bad) if "item" not in bad else {**row(2), **bad}])
        assert set(run.done()) == {cell(0)}
        run.append([row(1), row(2)])
    assert items(tmp_path / "run") == ["i0", "i1", "i2"]


def test_many_runs_are_one_table_that_says_whose_row_it_is(tmp_path: Path, place: str) -> None:
    fill(place, 2)
    fill(tmp_path / "other [1]*?", 1)
    found = query_rows(
        [place, tmp_path / "other [1]*?"],
        "SELECT run, count(*) AS n FROM rows WHERE NOT recheck GROUP BY run ORDER BY n",
    )
    assert found.to_pylist() == [{"run": str(tmp_path / "other [1]*?"), "n": 2}, {"run": place, "n": 4}]
    with pytest.raises(BadInput, match="given twice"):
        read_rows([place, place])


def test_a_query_sees_the_rows_and_no_variable_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "run", 1)
    monkeypatch.setattr(read_module, "secret", pa.table({"x": [1]}), raising=False)
    with pytest.raises(duckdb.Error, match="secret"):
        query_rows(tmp_path / "run", "SELECT * FROM secret")


# --- the record


def test_the_record_says_what_was_run_with_what_and_when(tmp_path: Path) -> None:
    settings = replace(SETTINGS, arguments={"limit": 20, "out": "x"}, suite="demo")
    with Run.open(tmp_path / "run", settings) as run:
        assert not run.is_finished
        run.append([row(0)])
        run.finish({"mean": 0.5})
        assert run.is_finished
    record = read_record(tmp_path / "run")
    assert record["model"] == {
        "name": "smollm2",
        "revision": "weights-1",
        "dtype": "fp32",
        "device": "cpu",
        "format": "chat",
        "format_hash": "template-1",
    }
    assert record["tasks"] == {"colours": {"hash": "hash-1", "items": 60, "wordings": 20}}
    assert record["arguments"] == {"limit": 20, "out": "x"}
    assert record["argv"] == sys.argv
    assert record["packages"]["pyarrow"] == pa.__version__
    assert record["host"]["cpus"] == os.cpu_count()
    assert record["started"] <= record["finished"]
    assert json.loads((tmp_path / "run/DONE").read_text()) == {"finished": record["finished"], "rows": 1}
    assert read_summary(tmp_path / "run") == {"mean": 0.5}


def test_the_marker_is_written_after_everything_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    move = Folder.move
    monkeypatch.setattr(Folder, "move", lambda self, name, to: (written.append(to), move(self, name, to))[1])
    with Run.open(tmp_path / "run", SETTINGS) as run:
        for n in range(20):
            run.append([row(n)])
        run.finish({"mean": 0.5})
    assert written[0] == "run.json"
    assert written[-4:] == ["rows/000001-000020.parquet", "summary.json", "run.json", "DONE"]


def test_more_rows_take_the_marker_and_the_summary_of_a_finished_run_back(place: str) -> None:
    with Run.open(place, SETTINGS) as run:
        run.append([row(0)])
        run.finish({"mean": 0.5})
        run.append([row(1)])
        assert not run.is_finished
        assert read_summary(place) is None
        assert read_record(place)["finished"] is None
        run.finish()
        assert run.is_finished


def test_the_commit_is_that_of_a_checkout_that_tracks_the_package_and_no_other(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        return subprocess.run(
            ["git", "-C", str(tmp_path), *who, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    package = tmp_path / "lib" / "surefoot"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    assert record_module.git_commit(package) is None
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "a project that holds an environment")
    assert record_module.git_commit(package) is None
    git("add", ".")
    git("commit", "-q", "-m", "a checkout")
    assert record_module.git_commit(package) == {"commit": git("rev-parse", "HEAD"), "modified": False}
    (package / "__init__.py").write_text("changed = True")
    assert record_module.git_commit(package) == {"commit": git("rev-parse", "HEAD"), "modified": True}


def test_a_list_of_runs_tells_what_each_is_and_which_cannot_be_read(tmp_path: Path) -> None:
    fill(tmp_path / "a", 3)
    with Run.open(tmp_path / "b", replace(SETTINGS, probe="order")) as run:
        run.finish()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/run.json").write_text("{")
    (tmp_path / "no-run").mkdir()
    (tmp_path / "file").write_text("")
    found = {Path(info.path).name: info for info in list_runs(tmp_path)}
    assert sorted(found) == ["a", "b", "broken"]
    assert (found["a"].probe, found["a"].model, found["a"].tasks) == ("phrasing", "smollm2", ("colours",))
    assert (found["a"].rows, found["a"].is_finished, found["a"].identity) == (6, False, SETTINGS.identity)
    assert (found["b"].rows, found["b"].is_finished, found["b"].probe) == (0, True, "order")
    assert "cannot be read" in found["broken"].problem
    assert list_runs(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"schema_version": 1}', "cannot be read"),
        ('{"schema_version": 99}', "newer Surefoot"),
    ],
)
def test_a_record_that_cannot_be_read_stops_before_anything_is_touched(
    tmp_path: Path, content: str, sentence: str
) -> None:
    fill(tmp_path / "run", 1)
    (tmp_path / "run/run.json").write_text(content)
    with pytest.raises(BadInput, match=sentence):
        Run.open(tmp_path / "run", SETTINGS)
    assert (tmp_path / "run/rows/000001.parquet").exists()
    assert (tmp_path / "run/run.json").read_text() == content


def test_a_folder_that_is_no_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(BadInput, match=r'holds "thesis.tex"'):
        Run.open(tmp_path, SETTINGS)
    with pytest.raises(BadInput, match="is a file"):
        Run.open(tmp_path / "thesis.tex", SETTINGS)
    with pytest.raises(BadInput, match="cannot be made a folder"):
        Run.open(tmp_path / "thesis.tex" / "run", SETTINGS)
    with pytest.raises(BadInput, match=r"nowhere.*is not a run folder"):
        read_rows(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="Protocol not known"):
        Run.open("nosuch://x", SETTINGS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.tex"]


def test_documents_of_a_run_are_stored_beside_its_own_files_only(tmp_path: Path) -> None:
    with Run.open(tmp_path / "run", SETTINGS) as run:
        run.write_json("prompts.json", {"w1": "Say it."})
        for name in ("run.json", "prompts.txt", "../x.json"):
            with pytest.raises(BadInput, match="cannot name a document"):
                run.write_json(name, {})
    assert json.loads((tmp_path / "run/prompts.json").read_text()) == {"w1": "Say it."}


# --- one writer


def test_a_second_writer_is_refused_with_the_number_of_the_first(place: str) -> None:
    with Run.open(place, SETTINGS) as run:
        with pytest.raises(RunInUse, match=rf"in use by process {os.getpid()};"):
            Run.open(place, SETTINGS)
        run.append([row(0)])
    Run.open(place, SETTINGS).close()


def test_the_lock_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[2]); import run_worker; from surefoot.runs import Run\n"
        "Run.open(sys.argv[1], run_worker.SETTINGS); print('open', flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run"), str(WORKER.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(RunInUse, match=rf"in use by process {holder.pid};"):
            Run.open(tmp_path / "run", SETTINGS)
        holder.kill()
    with pytest.raises(BadInput, match="holds another run"):  # the lock is free: now the settings are looked at
        Run.open(tmp_path / "run", SETTINGS)


def test_a_refused_run_gives_the_lock_back(place: str) -> None:
    fill(place, 1)
    with pytest.raises(BadInput, match="holds another run"):
        Run.open(place, replace(SETTINGS, seed=9))
    Run.open(place, SETTINGS).close()


def lease_of(folder: Folder, **changes: Any) -> None:
    lease = json.loads(folder.read("lock"))
    folder.write("lock", json.dumps({**lease, **changes}).encode())


def test_a_lease_that_is_renewed_holds_and_one_that_is_not_runs_out() -> None:
    folder, now = Folder(f"memory://{uuid.uuid4().hex}"), [1000.0]
    first = Lease(folder, term=300, clock=lambda: now[0])
    lease_of(folder, space="another machine")
    now[0] += 290
    first.renew()
    lease_of(folder, space="another machine")
    now[0] += 290
    with pytest.raises(RunInUse):
        Lease(folder, term=300, clock=lambda: now[0])
    now[0] += 11
    second = Lease(folder, term=300, clock=lambda: now[0])
    with pytest.raises(RunInUse):
        first.check()
    first.release()
    second.check()  # what the loser gives back is not the winner's lease
    second.release()


def test_the_lease_of_a_dead_process_is_taken_over_at_once() -> None:
    folder = Folder(f"memory://{uuid.uuid4().hex}")
    Lease(folder)
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    lease_of(folder, space="another machine", pid=dead.pid)
    with pytest.raises(RunInUse, match=f"process {dead.pid}"):
        Lease(folder)  # a number of another machine says nothing about this one
    lease_of(folder, space=_space())
    Lease(folder).release()


def test_a_writer_that_lost_its_lease_writes_nothing_more() -> None:
    place = f"memory://{uuid.uuid4().hex}/run"
    with Run.open(place, SETTINGS) as run:
        run.append([row(0)])
        lease_of(Folder(place), token="another", pid=77)
        for write in (lambda: run.append([row(1)]), run.finish, lambda: run.write_json("x.json", 1)):
            with pytest.raises(RunInUse, match="process 77"):
                write()
    assert items(place) == ["i0"]
    assert json.loads(Folder(place).read("lock"))["token"] == "another"


# --- killed


def worker(*arguments: str) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(WORKER), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("seed", [1, 1000])
def test_a_run_killed_at_random_moments_loses_nothing_and_does_nothing_twice(tmp_path: Path, seed: int) -> None:
    told = worker("random", str(tmp_path / "run"), str(seed), "25")
    assert told["kills"] == 25
    assert told["acknowledged"] <= told["planned"]  # a kill between storing and telling is not told
    assert read_rows(tmp_path / "run").num_rows == told["planned"]


def test_a_run_killed_before_any_single_step_on_the_disk_goes_on_whole(tmp_path: Path) -> None:
    assert worker("steps", str(tmp_path))["kills"] > 30


def test_an_interrupt_around_the_storing_of_a_shard_neither_loses_nor_doubles_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = shards_module.write_shard
    for number, stored in enumerate((False, True)):

        def interrupted(*arguments: Any, stored: bool = stored) -> None:
            if stored:
                write(*arguments)
            raise KeyboardInterrupt

        with Run.open(tmp_path / str(number), SETTINGS) as run:
            run.append([row(0)])
            monkeypatch.setattr(shards_module, "write_shard", interrupted)
            with pytest.raises(KeyboardInterrupt):
                run.append([row(1)])
            monkeypatch.setattr(shards_module, "write_shard", write)
            assert (cell(1) in run.done()) is stored
            run.append([row(n) for n in (1, 2) if cell(n) not in run.done()])
        assert items(tmp_path / str(number)) == ["i0", "i1", "i2"]


def test_files_that_a_killed_process_left_half_written_are_removed(tmp_path: Path) -> None:
    fill(tmp_path / "run", 1)
    for name in ("run.json.tmp", "rows/000002.parquet.tmp"):
        (tmp_path / "run" / name).write_bytes(b"half")
    assert items(tmp_path / "run") == ["i0", "i1"]
    Run.open(tmp_path / "run", SETTINGS).close()
    assert not list((tmp_path / "run").rglob("*.tmp"))


# --- merging


def test_merging_changes_no_row_and_no_order(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "MERGED_ROWS", 10)
    fill(place, 12, size=3, text="x\ny")
    before = read_rows(place)
    with Run.open(place, SETTINGS) as run:
        done = set(run.done())
        run.finish()
        assert set(run.done()) == done
        run.append([row(100)])
    assert Folder(place).names("rows") == [
        "000001-000003.parquet",
        "000004-000006.parquet",
        "000007-000009.parquet",
        "000010-000012.parquet",
        "000013.parquet",
    ]
    assert read_rows(place).slice(0, 36).equals(before)
    assert items(place)[36:] == ["i100"]


@given(st.sets(st.tuples(st.integers(1, 6), st.integers(1, 6)).map(lambda pair: Shard(min(pair), max(pair)))))
def test_superseded_shards_are_those_that_another_one_covers(found: set[Shard]) -> None:
    covered = {
        one
        for one in found
        if any(set(range(one[0], one[1] + 1)) < set(range(other[0], other[1] + 1)) for other in found)
    }
    names = [shard.name.removeprefix("rows/") for shard in found]
    live, superseded = shards_of([*names, "notes.txt", "000001.parquet.tmp", "x000001.parquet"])
    assert set(superseded) == covered
    assert set(live) == found - covered


def test_a_listing_that_straddles_a_merging_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    merged = ["000001-000002.parquet"]
    listings = iter([["000002.parquet"], merged, merged])  # the first read past the merged shard, and then 1 was gone
    monkeypatch.setattr(Folder, "names", lambda *_: next(listings))
    assert shards_module.live_shards(Folder("memory://x")) == (Shard(1, 2),)


def test_a_reader_beside_the_writer_never_sees_a_row_twice_or_one_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards_module, "MERGED_ROWS", 12)
    path, seen, stop = tmp_path / "run", [], threading.Event()
    fill(path, 1, size=1)

    def read() -> None:
        while not stop.is_set():
            seen.append(items(path))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for n in range(1, 41):
            with Run.open(path, SETTINGS) as run:
                run.append([row(n)])
                if n % 10 == 0:
                    run.finish()
    finally:
        stop.set()
        reader.join()
    assert len(seen) > 3
    for earlier, later in itertools.pairwise(seen):
        assert later[: len(earlier)] == earlier
        assert len(set(later)) == len(later)
    assert items(path) == [f"i{n}" for n in range(41)]


# --- damage


def damaged_names(path: Path) -> list[str]:
    return sorted(found.name for found in (path / "damaged").glob("*"))


def other_columns(data: bytes) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(data)).drop_columns(["score"]), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda data: data[:3],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda _: b"garbage" * 100,
        lambda data: data[:40] + b"\0\0\0\0" + data[44:],
        other_columns,
    ],
    ids=["empty", "three-bytes", "half", "last-byte", "garbage", "zeros-inside", "other-columns"],
)
def test_a_damaged_shard_is_named_set_aside_and_its_cells_are_to_do(
    tmp_path: Path, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "run"
    fill(path, 3)
    with Run.open(path, SETTINGS) as run:
        run.finish({"mean": 1})
    shard = path / "rows/000002.parquet"
    broken = damage(shard.read_bytes())
    shard.write_bytes(broken)
    with Run.open(path, SETTINGS) as run:
        assert set(run.done()) == {cell(n) for n in (0, 1, 4, 5)}
        assert len(run.damaged) == 1
        assert '"rows/000002.parquet"' in run.damaged[0]
        assert caplog.messages == run.damaged
        assert not run.is_finished
        run.append([row(2), row(3)])
        run.finish()
    assert (path / "damaged/000002.parquet").read_bytes() == broken
    assert sorted(items(path)) == [f"i{n}" for n in range(6)]


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_no_changed_byte_of_a_shard_passes_for_a_row(position: int, flip: int) -> None:
    folder = Folder(f"memory://{uuid.uuid4().hex}")
    table = shards_module.table_of([row(n, text="some text", option_scores=[-0.5, -1.5]) for n in range(3)])
    shard = Shard(1, 1)
    shards_module.write_shard(folder, shard, table)
    data = bytearray(folder.read(shard.name))
    data[position % len(data)] ^= flip
    folder.write(shard.name, bytes(data))
    try:
        found = shards_module.read_shard(folder, shard)
    except shards_module.DamagedShard:
        return
    finally:
        folder.fs.rm(folder.root, recursive=True)
    assert found.equals(table)


def test_reading_a_damaged_shard_names_it_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "run"
    fill(path, 2)
    shard = path / "rows/000002.parquet"
    data = shard.read_bytes()
    for broken in (data[:50], data[:40] + b"\0\0\0\0" + data[44:]):
        shard.write_bytes(broken)
        with pytest.raises(BadInput, match=r'"rows/000002.parquet".*is damaged.*command that made the run again'):
            read_rows(path)
        with pytest.raises(BadInput, match=r'"rows/000002.parquet".*is damaged'):
            export(path, tmp_path / "out.csv")
    assert not list(tmp_path.glob("out.csv*"))
    shard.write_bytes(data[:50])
    assert '"rows/000002.parquet"' in list_runs(tmp_path)[0].problem


def test_a_shard_copied_under_another_number_does_not_double_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "run"
    fill(path, 2)
    (path / "rows/000007.parquet").write_bytes((path / "rows/000001.parquet").read_bytes())
    with Run.open(path, SETTINGS) as run:
        assert "rows a second time" in run.damaged[0]
        run.append([row(9)])
    assert items(path) == ["i0", "i1", "i2", "i3", "i9"]
    assert damaged_names(path) == ["000007.parquet"]


def test_a_merged_shard_that_is_damaged_gives_way_to_its_sources_while_they_are_there(tmp_path: Path) -> None:
    path = tmp_path / "run"
    fill(path, 3)
    (path / "rows/000001-000003.parquet").write_bytes(b"PAR1 cut short")
    with Run.open(path, SETTINGS) as run:
        assert set(run.done()) == {cell(n) for n in range(6)}
    assert items(path) == [f"i{n}" for n in range(6)]
    assert damaged_names(path) == ["000001-000003.parquet"]


def test_damage_found_while_merging_stops_the_finish(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with Run.open(path, SETTINGS) as run:
        for n in range(12):
            run.append([row(n)])
        (path / "rows/000005.parquet").write_bytes(b"")
        with pytest.raises(SurefootError, match=r'"rows/000005.parquet".*same command again'):
            run.finish()
        assert not run.is_finished
        assert cell(4) not in run.done()
        run.append([row(4)])
        run.finish()
    assert sorted(items(path)) == sorted(f"i{n}" for n in range(12))


def test_a_shard_that_cannot_be_fetched_is_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "run", 1)

    read = Folder.read

    def unsteady(self: Folder, name: str) -> bytes:
        if name.endswith("parquet"):
            raise ConnectionError("the network is down")
        return read(self, name)

    monkeypatch.setattr(Folder, "read", unsteady)
    with pytest.raises(ConnectionError):
        Run.open(tmp_path / "run", SETTINGS)
    monkeypatch.undo()
    assert items(tmp_path / "run") == ["i0", "i1"]
    assert damaged_names(tmp_path / "run") == []


# --- no space


def no_space(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_gives_a_sentence_and_leaves_no_half_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run"
    with Run.open(path, SETTINGS) as run:
        run.append([row(0)])
        before = sorted(path.rglob("*"))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", no_space)  # where a file system that allocates late finds out
            with pytest.raises(OutOfSpace, match=r"is full; everything finished before is stored"):
                run.append([row(1)])
            with pytest.raises(OutOfSpace):
                run.finish({})
            with pytest.raises(OutOfSpace):
                export(path, path / "x.jsonl")
        assert sorted(path.rglob("*")) == before
        assert set(run.done()) == {cell(0)}
        run.append([row(1)])
    assert items(path) == ["i0", "i1"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB, where this user may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=False, capture_output=True, text=True
        )
    except OSError as error:
        pytest.skip(f"no disk of 256 KiB can be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"no disk of 256 KiB can be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def append_without_end(run: Run) -> None:
    for n in range(1000):
        run.append([row(n, text=os.urandom(4000).hex())])


def test_a_run_goes_on_after_a_really_full_disk_has_room_again(tiny_disk: Path) -> None:
    path = tiny_disk / "run"
    with Run.open(path, SETTINGS) as run:
        with pytest.raises(OutOfSpace):
            append_without_end(run)
        stored = len(run.done())
        assert 5 < stored < 100
    assert items(path) == [f"i{n}" for n in range(stored)]
    assert not list(path.rglob("*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=4m", str(tiny_disk)], check=True)
    with Run.open(path, SETTINGS) as run:
        assert run.damaged == []
        run.append([row(stored)])
        run.finish()
    assert items(path) == [f"i{n}" for n in range(stored + 1)]


# --- memory


def test_appending_takes_no_more_memory_after_a_hundred_shards_than_after_ten(tmp_path: Path) -> None:
    peaks = []
    with Run.open(tmp_path / "run", SETTINGS) as run:
        tracemalloc.start()
        try:
            for n in range(100):
                tracemalloc.reset_peak()
                run.append([row(n * 20 + k, text="word " * 400) for k in range(20)])
                peaks.append(tracemalloc.get_traced_memory()[1] + pa.total_allocated_bytes())
        finally:
            tracemalloc.stop()
    # 90 shards more: 1800 cells and the sizes of 90 shards, not 1800 texts of 2000 characters
    assert max(peaks[-10:]) - max(peaks[5:15]) < 600_000


# --- export


ODD = ['a "quoted", text', "two\nlines\r\nthree", "", None, "ends in \\", "=1+1", "\u2028", "null"]


@pytest.fixture
def odd_run(tmp_path: Path) -> Path:
    with Run.open(tmp_path / "run", SETTINGS) as run:
        run.append([row(n, text=text, option_scores=[-math.inf, 0.1, -1e-300]) for n, text in enumerate(ODD)])
        run.append([row(100, recheck=True, score=1 / 3)])
    return tmp_path / "run"


def test_exported_parquet_is_the_table_of_the_run(odd_run: Path, tmp_path: Path) -> None:
    assert export(odd_run, tmp_path / "deep/er/out.parquet") == len(ODD) + 1
    assert pq.read_table(tmp_path / "deep/er/out.parquet").equals(read_rows(odd_run))


def test_exported_csv_keeps_every_text_line_break_and_null(odd_run: Path, tmp_path: Path) -> None:
    export(odd_run, tmp_path / "out", "csv")
    with open(tmp_path / "out", newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [one["text"] for one in found[:-1]] == [text or "" for text in ODD]
    assert json.loads(found[0]["option_scores"]) == ["-Infinity", 0.1, -1e-300]
    assert float(found[-1]["score"]) == 1 / 3
    import pyarrow.csv as pa_csv

    exact = pa_csv.read_csv(
        tmp_path / "out",
        parse_options=pa_csv.ParseOptions(newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            null_values=[""],
            column_types={"text": "string"},
        ),
    )
    assert exact.column("text").to_pylist()[:-1] == ODD


def test_exported_jsonl_is_strict_json_with_a_row_a_line(odd_run: Path, tmp_path: Path) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    export(odd_run, tmp_path / "out.jsonl")
    with open(tmp_path / "out.jsonl", encoding="utf-8", newline="\n") as file:
        found = [json.loads(line, parse_constant=refuse) for line in file]
    expected = read_rows(odd_run).to_pylist()
    assert [one["text"] for one in found] == [one["text"] for one in expected]
    assert found[0]["option_scores"] == ["-Infinity", 0.1, -1e-300]
    assert {k: v for k, v in found[-1].items() if k != "option_scores"} == {
        k: v for k, v in expected[-1].items() if k != "option_scores"
    }


def test_an_export_goes_to_a_url_and_from_one() -> None:
    root = f"memory://{uuid.uuid4().hex}"
    fill(f"{root}/run", 3)
    assert export(f"{root}/run", f"{root}/out.jsonl") == 6
    lines = fsspec.filesystem("memory").cat_file(f"{root}/out.jsonl").decode().splitlines()
    assert [json.loads(line)["item"] for line in lines] == [f"i{n}" for n in range(6)]


def test_an_unknown_format_or_a_run_that_is_none_leaves_the_old_export(odd_run: Path, tmp_path: Path) -> None:
    (tmp_path / "out.xlsx").write_text("old")
    with pytest.raises(BadInput, match="is not an export format"):
        export(odd_run, tmp_path / "out.xlsx")
    with pytest.raises(BadInput, match=r'"csvv" is not an export format.*Did you mean "csv"'):
        export(odd_run, tmp_path / "out.xlsx", "csvv")
    with pytest.raises(BadInput, match="not a run folder"):
        export(tmp_path / "none", tmp_path / "out.xlsx", "csv")
    assert (tmp_path / "out.xlsx").read_text() == "old"


# --- imports


def test_naming_the_package_loads_no_heavy_library() -> None:
    code = (
        "import sys, surefoot.runs, surefoot.runs.settings\n"
        "print(sorted({'torch', 'pyarrow', 'duckdb', 'fsspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert run_module.Run is Run
