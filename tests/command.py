"""The command line run inside the test's process, and a task and a model folder that are small enough for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import tiny

MAP = ("--map", "question=q", "--map", "options=choices", "--map", "gold=label")
TASK = ("--task", "items.jsonl", "--wordings", "wordings.jsonl", *MAP)
ITEMS = 6
WORDINGS = (
    {"id": "a", "text": "Yes or no?\n{{ question }}", "frame": "", "cue": "\n"},
    {"id": "b", "text": "{{ question }}\nSay yes or no:", "frame": "", "cue": "\n"},
    {"id": "c", "text": "{{ question }} True? yes or no.", "frame": "", "cue": "\n"},
    {"id": "n", "text": "Say the wrong one of yes and no.\n{{ question }}", "klass": "negated", "cue": "\n"},
)


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Place:
    """A working folder with `model/`, `items.jsonl` and `wordings.jsonl`, and the command `surefoot` in it."""

    def __init__(self, path: Path, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.path, self.patch, self.capsys = path, patch, capsys
        patch.chdir(path)
        save_model(path / "model")
        self.items(f"Is {n} odd?" for n in range(ITEMS))
        self.lines("wordings.jsonl", WORDINGS)

    def items(self, questions: object) -> None:
        options = ("yes", "no")
        records = [
            {"q": text, "choices": options, "label": options[n % 2]}
            for n, text in enumerate(questions)  # type: ignore[arg-type]
        ]
        self.lines("items.jsonl", records)

    def lines(self, name: str, records: object) -> Path:
        path = self.path / name
        path.write_text("".join(f"{json.dumps(record)}\n" for record in records))  # type: ignore[attr-defined]
        return path

    def surefoot(self, *words: str) -> Ended:
        from surefoot.cli import main

        self.patch.setattr(sys, "argv", ["surefoot", *words])
        self.capsys.readouterr()
        try:
            main()
            code: object = 0
        except SystemExit as end:
            code = end.code
        out, err = self.capsys.readouterr()
        return Ended(int(code or 0), out, err)  # type: ignore[call-overload]

    def probe(self, *words: str, out: str = "run") -> Ended:
        return self.surefoot("probe", "--model", "model", *TASK, "--out", out, *words)

    def start(self, *words: str, out: str = "run", code: str = "") -> subprocess.Popen[str]:
        """The probe as a process of its own; `code` runs in it first."""
        line = ["probe", "--model", "model", *TASK, "--out", out, *words]
        heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # a background job ignores it
        program = (
            f"import sys; sys.argv = ['surefoot', *{line!r}]\n{heed}\n{code}\nfrom surefoot.cli import main; main()"
        )
        return subprocess.Popen(
            [sys.executable, "-c", program],
            cwd=self.path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def save_model(folder: Path) -> Path:
    weights = tiny.llama_weights()
    weights.save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


def sentence_of(ended: Ended) -> str:
    """The one line that a refused command says, its exit code checked."""
    assert ended.code == 2, ended
    lines = [line for line in ended.err.splitlines() if line.startswith("surefoot: ")]
    assert len(lines) == 1, ended.err
    assert "Traceback" not in ended.err
    return lines[0].removeprefix("surefoot: ")
