"""The run record as a tree of names and values that a template can show."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

LONG = 200  # characters of a value that gets a box of its own
CHARACTERS = 20_000  # of one value


@dataclass(frozen=True)
class Entry:
    """One name of the record: a text, or the entries below it."""

    name: str
    text: str = ""
    below: tuple[Entry, ...] = ()
    left_out: int = 0  # characters of the text that are not shown

    @property
    def long(self) -> bool:
        """Whether the text gets a box of its own."""
        return len(self.text) > LONG or "\n" in self.text


def tree(record: Mapping[str, Any]) -> tuple[Entry, ...]:
    """The record's entries in their order; mappings nest, everything else is text."""
    return tuple(_entry(str(name), value) for name, value in record.items())


def command_of(record: Mapping[str, Any]) -> str:
    """The command that repeats the run, as one line for a shell, from the record's `argv`; empty where it has none.

    The place of the program on the machine that ran it is left out. A run that was not started by the `surefoot`
    program (a script, a notebook) has no command that would repeat it.
    """
    argv = record.get("argv")
    if not isinstance(argv, Sequence) or isinstance(argv, str) or not argv:
        return ""
    program, *arguments = (str(word) for word in argv)
    path = PurePath(program.replace("\\", "/"))
    if path.stem != "surefoot" and path.parts[-2:] != ("surefoot", "__main__.py"):
        return ""
    return shlex.join(["surefoot", *arguments])


def _entry(name: str, value: Any) -> Entry:
    if isinstance(value, Mapping):
        return Entry(name, below=tree(value)) if value else Entry(name, "none")
    if isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(v, Mapping) for v in value):
        return Entry(name, below=tree({str(i): v for i, v in enumerate(value)}))
    text = _text(value)
    return Entry(name, text[:CHARACTERS], left_out=max(0, len(text) - CHARACTERS))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence):
        return ", ".join(_text(v) for v in value) or "none"
    return json.dumps(value, ensure_ascii=False, default=str)
