"""The command line: what is printed, exit codes, stops and kills in mid-run, and what it costs to start."""

from __future__ import annotations

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from command import ITEMS, TASK, WORDINGS, Place, sentence_of
from surefoot.runs import read_rows

CELLS = ITEMS * len(WORDINGS)
SLOW = """
import os, signal, time
from surefoot.probes import filling
asked = filling.ask
def ask(*arguments, **named):
    rows = asked(*arguments, **named)
    ask.calls += 1
    if ask.calls == 3:
        STOP
    return rows
ask.calls = 0
filling.ask = ask
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, monkeypatch, capsys)


def cells(folder: Path) -> list[tuple[str, str, bool]]:
    return [(r["wording"], r["item"], r["recheck"]) for r in read_rows(folder).to_pylist()]


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys, time; start = time.perf_counter(); sys.argv = ['surefoot', '--help']\n"
        "from surefoot.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print(f'{1000 * (time.perf_counter() - start):.0f} ms', file=sys.stderr)\n"
        "heavy = {'torch', 'numpy', 'pyarrow', 'rich', 'transformers', 'duckdb', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    print("surefoot --help took", done.stderr.strip())
    for command in ("list", "show", "probe", "report", "runs", "compare", "calibrate", "reproduce", "--debug"):
        assert command in done.stdout


@pytest.mark.parametrize("command", ["list", "show", "probe", "report", "compare", "runs", "calibrate", "reproduce"])
def test_every_command_explains_itself_and_refuses_unknown_options(place: Place, command: str) -> None:
    assert "Usage: surefoot" in place.surefoot(command, "--help").out
    refused = place.surefoot(command, "--no-such-option")
    assert refused.code == 2
    assert "--no-such-option" in refused.err


def test_every_json_parses(place: Place) -> None:
    assert place.probe("--json").code == 0
    assert place.probe(out="other").code == 0
    for words in (("list",), ("report", "run"), ("runs", "."), ("compare", "run", "other"), ("calibrate",)):
        ended = place.surefoot(*words, "--json")
        assert ended.code == 0, ended
        assert json.loads(ended.out), words
    listed = json.loads(place.surefoot("runs", ".", "--json").out)
    assert [(run["is_finished"], run["rows"]) for run in listed] == [(True, CELLS + 1)] * 2


def test_a_probe_prints_its_report_last_and_the_whole_command_of_a_sample(place: Place) -> None:
    ended = place.probe("--limit", "2", "--treat", "system-prompt:text=Be brief, please.")
    assert ended.code == 0, ended.err
    lines = ended.out.strip().splitlines()
    assert lines[-1] == f"Report: {(place.path / 'run' / 'report.html').resolve()}"
    whole = next(line for line in lines if "the whole: " in line).partition("the whole: ")[2]
    words = shlex.split(whole)
    assert words[0] == "surefoot"
    assert not {"--limit", "--out", "2", "run"} & set(words)
    again = place.surefoot(*words[1:])
    assert again.code == 0, again.err
    (folder,) = (place.path / "runs").iterdir()
    assert len(cells(folder)) == CELLS + 1
    assert {row["model"] for row in read_rows(folder).to_pylist()} == {"model + system-prompt"}


def test_a_second_time_the_finished_command_computes_nothing(place: Place) -> None:
    first = place.probe()
    stored = cells(place.path / "run")
    again = place.probe()
    assert f"{CELLS + 1} of {CELLS + 1} rows are there already" in again.err
    assert cells(place.path / "run") == stored
    assert again.out == first.out


def test_rows_of_a_run_with_a_similar_name_are_not_counted(place: Place) -> None:
    place.probe(out="a-run")
    assert "are there already" not in place.probe(out="run").err


def test_show_prints_text_ids_and_an_estimate(place: Place) -> None:
    ended = place.surefoot("show", "--model", "model", "--task", "items.jsonl", *shown_options())
    assert ended.code == 0, ended.err
    assert "(right)" in ended.out
    assert "(negated)" in ended.out
    assert "Is 0 odd?" in ended.out
    ids = [line.removeprefix("-- ids: ").split() for line in ended.out.splitlines() if line.startswith("-- ids: ")]
    assert len(ids) == 2
    assert all(row.count("0") == 1 and row[0] == "0" for row in ids)  # one <s>, in front
    assert f"{CELLS} cells, about " in ended.out
    assert "tokens/s" in ended.out


def shown_options() -> list[str]:
    from command import TASK

    return list(TASK[2:])


def test_show_of_one_wording_and_of_an_unknown_one(place: Place) -> None:
    words = ("show", "--model", "model", "--task", "items.jsonl", *shown_options())
    assert place.surefoot(*words, "--wording", "b").out.count("-- ids: ") == 1
    assert 'no wording "bb"' in sentence_of(place.surefoot(*words, "--wording", "bb"))


def test_a_report_of_an_unfinished_and_of_a_finished_run(place: Place) -> None:
    stopped = place.start("--recheck", "0", code=SLOW.replace("STOP", "os.kill(os.getpid(), signal.SIGKILL)"))
    stopped.communicate()
    assert stopped.returncode == -signal.SIGKILL
    unfinished = place.surefoot("report", "run")
    assert unfinished.code == 0, unfinished.err
    assert len(cells(place.path / "run")) == 2 * ITEMS
    assert place.probe("--recheck", "0").code == 0
    finished = place.surefoot("report", "run", "--out", "there.html")
    assert finished.code == 0
    assert finished.out.splitlines()[-1] == f"Report: {place.path / 'there.html'}"
    assert (place.path / "there.html").read_text().startswith("<!")


def test_a_report_of_a_treated_run(place: Place) -> None:
    place.probe("--treat", "system-prompt:text=a=b, c")
    ended = place.surefoot("report", "run", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["model"] == "model + system-prompt"
    record = json.loads((place.path / "run" / "run.json").read_text())
    assert ["system-prompt", {"text": "a=b, c"}] in record["determinants"]["options"].values()


def test_exported_rows_are_the_rows(place: Place) -> None:
    place.probe()
    assert place.surefoot("report", "run", "--export", "x.csv").code == 0
    with (place.path / "x.csv").open(newline="") as file:
        found = [(row["wording"], row["item"], row["recheck"] == "true") for row in csv.DictReader(file)]
    assert found == cells(place.path / "run")
    assert "x.xls" in sentence_of(place.surefoot("report", "run", "--export", "x.xls"))


def test_compare_prints_the_paired_change(place: Place) -> None:
    place.probe(out="before")
    place.probe("--treat", "system-prompt:text=Say no.", out="after")
    ended = place.surefoot("compare", "before", "after")
    assert ended.code == 0, ended.err
    assert "after:  model + system-prompt" in ended.out


def test_calibrate_ends_well_and_says_so(place: Place) -> None:
    ended = place.surefoot("calibrate", "phrasing")
    assert ended.code == 0
    assert "none off." in ended.out


def test_an_interrupt_stops_with_a_sentence_and_the_same_command_goes_on(place: Place) -> None:
    process = place.start(code=SLOW.replace("STOP", "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"))
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "surefoot: Stopped." in err
    assert "the same command goes on" in err
    assert "Traceback" not in err
    stored = cells(place.path / "run")
    assert len(stored) == 2 * ITEMS
    ended = place.probe()
    assert f"{2 * ITEMS} of {CELLS + 1} rows are there already" in ended.err
    finished = cells(place.path / "run")
    assert finished[: len(stored)] == stored
    assert len(finished) == len(set(finished)) == CELLS + 1


@pytest.mark.parametrize(
    ("treatment", "said"), [("cud", 'Did you mean "cad"'), ("cad:alpha=much", "alpha"), ("rag:k=0,index=idx", "k is 0")]
)
@pytest.mark.parametrize("words", [("write", "Why?"), ("probe", "phrasing", *TASK), ("serve",)])
def test_a_treatment_that_cannot_be_is_named_before_the_model_is_loaded(
    words: tuple[str, ...], treatment: str, said: str, place: Place
) -> None:
    place.patch.setattr("surefoot.models.load.load", lambda *_, **__: pytest.fail("the model was loaded"))
    assert said in sentence_of(place.surefoot(*words, "--model", "model", "--treat", treatment))


@pytest.mark.parametrize(
    ("words", "goes_on"),
    [
        (("ask", "Why?", "--model", "model"), False),
        (("write", "Why?", "--model", "model"), False),
        (("write", "Why?", "--model", "model", "--out", "texts.jsonl"), True),
        (("probe", "phrasing", "--model", "model", *TASK), True),
    ],
)
def test_only_what_is_stored_is_said_to_be_stored(words: tuple[str, ...], goes_on: bool, place: Place) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    place.patch.setattr("surefoot.models.load.load", stopped)
    ended = place.surefoot(*words)
    assert (ended.code, "surefoot: Stopped." in ended.err) == (130, True)
    assert ("the same command goes on" in ended.err) is goes_on


def test_an_interrupt_while_rows_are_stored_leaves_whole_shards(place: Place) -> None:
    tear = """
from surefoot.runs import shards
stored = shards.write_shard
def write_shard(folder, shard, table):
    if shard.first == 2:
        import os, signal; os.kill(os.getpid(), signal.SIGINT)
    stored(folder, shard, table)
shards.write_shard = write_shard
"""
    process = place.start(code=tear)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert len(cells(place.path / "run")) % ITEMS == 0
    assert place.probe().code == 0
    finished = cells(place.path / "run")
    assert len(finished) == len(set(finished)) == CELLS + 1


def test_after_a_kill_the_same_command_finishes_with_every_row_once(place: Place) -> None:
    process = place.start(code=SLOW.replace("STOP", "os.kill(os.getpid(), signal.SIGKILL)"))
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert place.probe().code == 0
    finished = cells(place.path / "run")
    assert len(finished) == len(set(finished)) == CELLS + 1
    undisturbed = place.probe(out="undisturbed")
    assert undisturbed.code == 0
    assert sorted(finished) == sorted(cells(place.path / "undisturbed"))


def test_a_second_process_on_the_same_folder_is_refused(place: Place) -> None:
    process = place.start(code=SLOW.replace("STOP", "print('here', flush=True); time.sleep(120)"))
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
        assert "run" in sentence_of(place.probe())
    finally:
        process.kill()
        process.communicate()
    assert place.probe().code == 0


def test_debug_shows_the_traceback_and_keeps_the_exit_code(place: Place) -> None:
    ended = place.probe("--debug", "--limit", "0")
    assert ended.code == 2
    assert "Traceback" in ended.err
    assert "BadInput" in ended.err


@pytest.mark.model
def test_smollm2_runs_from_the_command_line(place: Place) -> None:
    ended = place.surefoot(
        *("probe", "--model", "smollm2", "--task", "demo/facts", "--limit", "1", "--classes", "right", "--json")
    )
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["model"] == "SmolLM2-135M-Instruct"


def test_a_closed_pipe_is_no_traceback() -> None:
    line = f"{sys.executable} -m surefoot.cli list | true"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert "Traceback" not in done.stderr
