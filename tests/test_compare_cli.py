"""`surefoot compare`: what it prints and writes, and what it refuses with one sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import surefoot
from command import Ended, sentence_of
from surefoot.cli import main
from test_compare import EXAMPLES, TASK, N, script


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs, one of them of half the items."""
    folder = tmp_path_factory.mktemp("runs")
    half = replace(TASK, examples=EXAMPLES[: N // 2])
    for name, right, task in (("a", 10, TASK), ("b", 30, TASK), ("half", 15, half)):
        surefoot.probe("phrasing", script(lambda _, n, right=right: n < right, name), task, out=str(folder / name))
    return folder


@pytest.fixture
def folder(runs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(runs)
    return runs


def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> Ended:
    monkeypatch.setattr("sys.argv", ["surefoot", "compare", *words])
    capsys.readouterr()
    try:
        main()
        code: object = 0
    except SystemExit as end:
        code = end.code
    return Ended(int(code or 0), *capsys.readouterr())  # type: ignore[call-overload]


def test_the_tables_the_json_and_the_report_hold_the_same_comparison(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = run(capsys, monkeypatch, "a", "b", "--out", "x.html")
    assert shown.code == 0, shown.err
    assert shown.out.splitlines()[-1] == f"Report: {(folder / 'x.html').resolve()}"
    assert "Mean: better, 25.0 to 75.0, +50.0 points" in shown.out
    found = json.loads(run(capsys, monkeypatch, "a", "b", "--json", "--detect", "5", "--out", "x.json").out)
    assert found == json.loads((folder / "x.json").read_text())
    assert found["detect"] == 0.05
    assert found["runs"] == [{"label": "a", "path": "a"}, {"label": "b", "path": "b"}]
    again = json.dumps(surefoot.compare("a", "b", detect=5.0).to_dict())
    assert found == json.loads(again)
    assert "75.0 %" in (folder / "x.html").read_text()


@pytest.mark.usefixtures("folder")
def test_several_runs_are_each_compared_with_the_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = sentence_of(run(capsys, monkeypatch, "a", "b", "half"))
    assert f'{N // 2} items of "t" only in "a"' in refused
    assert "--common" in refused
    ended = run(capsys, monkeypatch, "a", "b", "half", "--common", "--json")
    assert ended.code == 0, ended.err
    pairs = json.loads(ended.out)["pairs"]
    assert [(pair["before"], pair["after"], pair["overall"]["items"]) for pair in pairs] == [
        ("a", "b", N),
        ("a", "half", N // 2),
    ]
    assert pairs[1]["left_out"] == [3 * N // 2, 0]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("a",), "takes two runs or more, and got 1"),
        (("a", "./a"), "Run 1 and run 2 are one and the same"),
        (("a", "nowhere"), '"nowhere" is not a run folder'),
        (("a", "b", "--detect", "0"), "detect is 0"),
        (("a", "b", "--out", "."), "is a folder; name a file in it"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_cannot_be_compared_is_refused_with_one_sentence(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    part: str,
) -> None:
    assert part in sentence_of(run(capsys, monkeypatch, *words))
