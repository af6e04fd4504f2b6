"""A process that fills a run folder and is killed on the way. Started by `test_runs.py`.

`python run_worker.py random FOLDER SEED KILLS` kills its child after random times, `python run_worker.py steps FOLDER`
just before every single call that touches the disk; after each kill another process looks at what is left. Python and
its libraries are loaded once: the children are forked from a process that has never used them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from surefoot.errors import BadInput
from surefoot.runs import record
from surefoot.runs import run as run_module
from surefoot.runs.cells import Cell
from surefoot.runs.read import read_rows
from surefoot.runs.rows import CELL
from surefoot.runs.run import Run
from surefoot.runs.settings import ModelSettings, RunSettings, TaskSettings

SETTINGS = RunSettings("phrasing", ModelSettings("m", "r", "fp32"), (TaskSettings("t", "h", 40, 4),))
DISK = {"open", "os.rename", "os.remove", "os.mkdir", "os.listdir", "os.scandir", "os.truncate", "fcntl.flock"}


def plan(items: int) -> list[Cell]:
    return [
        Cell("m", "t", f"w{w}", f"i{i}", recheck)
        for w in range(4)
        for i in range(items)
        for recheck in ((False, True) if i % 5 == 0 else (False,))
    ]


def row(cell: Cell) -> dict[str, Any]:
    text = f"{cell.wording} of {cell.item}{' again' if cell.recheck else ''}"
    return {**cell._asdict(), "klass": "right", "frame": "", "outcome": "right", "truncated": False, "text": text}


def work(folder: Path, items: int, seed: int, told: int) -> None:
    """Do what is left, and tell through the pipe `told` of every row whose `append` came back."""
    run_module._FEW_SHARDS = 3
    record.git_commit = lambda: None  # asking git takes longer than the rest
    chance = random.Random(seed)
    with Run.open(folder, SETTINGS) as run:
        done = run.done()
        left = [cell for cell in plan(items) if cell not in done]
        while left:
            size = chance.randint(1, 9)
            run.append([row(cell) for cell in left[:size]])
            os.write(told, b"." * len(left[:size]))
            left = left[size:]
        run.finish({"rows": len(run.done())})


def check(folder: Path, items: int, acknowledged: int) -> None:
    """Whatever happened: every row that was acknowledged is there, each once, as it was written."""
    try:
        rows = read_rows(folder).to_pylist()
    except BadInput:
        assert acknowledged == 0
        assert not list(folder.glob("rows/*"))
        return
    cells = [Cell(*(found[name] for name in CELL)) for found in rows]
    assert len(set(cells)) == len(cells), "a row is there twice"
    assert set(cells) <= set(plan(items))
    assert len(cells) >= acknowledged, "a row is lost"
    for found, cell in zip(rows, cells, strict=True):
        assert found["text"] == row(cell)["text"]
    if (folder / "DONE").exists():
        assert set(cells) == set(plan(items))
        assert json.loads((folder / "summary.json").read_text()) == {"rows": len(cells)}


def forked(job: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        job()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def status_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def attempt(
    folder: Path, items: int, seed: int, before: int, stop: Callable[[int], object], prepare: Callable[[], object]
) -> tuple[int, int]:
    """One process that is stopped. The rows acknowledged so far, and how it ended."""
    heard, told = os.pipe()

    def job() -> None:
        prepare()
        work(folder, items, seed, told)

    pid = forked(job)
    os.close(told)
    stop(pid)
    status = status_of(pid)
    with os.fdopen(heard, "rb") as pipe:
        acknowledged = before + len(pipe.read())
    assert status in (0, -signal.SIGKILL), f"the worker ended with {status}"
    assert status_of(forked(lambda: check(folder, items, acknowledged))) == 0, "the check failed"
    return acknowledged, status


def nothing(*_: object) -> None:
    """Neither prepares nor stops."""


def kill_at_random(folder: Path, seed: int, kills: int, items: int = 150) -> dict[str, int]:
    chance = random.Random(seed)
    acknowledged, killed, status = 0, 0, -1
    while status != 0:
        pause = chance.uniform(0, 0.05) if killed < kills else 600.0

        def stop(pid: int, pause: float = pause) -> None:
            if pause < 600:
                time.sleep(pause)
                os.kill(pid, signal.SIGKILL)

        acknowledged, status = attempt(folder, items, seed + killed, acknowledged, stop, nothing)
        killed += status != 0
    return {"kills": killed, "acknowledged": acknowledged, "planned": len(plan(items))}


def kill_at_every_step(folder: Path, items: int = 6) -> dict[str, int]:
    step, status = 0, -1
    while status != 0:
        step += 1
        place = folder / str(step)
        acknowledged, status = attempt(place, items, 0, 0, nothing, partial(die_at, place, step))
        _, end = attempt(place, items, 1, acknowledged, nothing, nothing)
        assert end == 0, "the second process does not finish"
        assert (place / "DONE").exists()
        left = sorted(path.name for path in place.rglob("*.*"))
        assert len(left) == 3, f"not one shard, the record and the summary, but {left}"
    return {"kills": step - 1}


def die_at(folder: Path, step: int) -> None:
    """Kill this process just before its `step`-th call that touches the folder."""
    seen = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event in DISK and (event == "fcntl.flock" or str(folder) in str(arguments[0])):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if __name__ == "__main__":
    mode, where, *numbers = sys.argv[1:]
    result = kill_at_every_step(Path(where)) if mode == "steps" else kill_at_random(Path(where), *map(int, numbers))
    print(json.dumps(result))
