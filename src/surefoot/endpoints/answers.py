"""Answers that were paid for, by the hash of the whole request: in memory, or in one SQLite file beside the run."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

FILE = "answers.sqlite"
_AT_ONCE = 500  # below the parameters that one statement may have


class Answers:
    """A store of JSON values, used by many threads. A process that is killed loses no answer that was stored.

    Each answer is committed when it comes. Flushing the disk is left to the system: only a power cut could damage the
    file, which is then set aside, and what it held is asked for again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._file = _opened(":memory:")

    def keep_in(self, folder: Path) -> None:
        """Go on in `folder/answers.sqlite`, with what is there and what is known already."""
        path = folder / FILE
        with self._lock:
            if self._path == path:
                return
            folder.mkdir(parents=True, exist_ok=True)
            known = self._file.execute("SELECT key, value FROM answers").fetchall() if self._path is None else []
            file = _sound(path)
            with file:
                file.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?)", known)
            self._file.close()
            self._file, self._path = file, path

    def known(self, keys: Sequence[bytes]) -> dict[bytes, Any]:
        """The answers that there are."""
        found: dict[bytes, Any] = {}
        with self._lock:
            for start in range(0, len(keys), _AT_ONCE):
                part = keys[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                rows = self._file.execute(f"SELECT key, value FROM answers WHERE key IN ({marks})", part)
                found |= {key: json.loads(value) for key, value in rows}
        return found

    def add(self, answers: Mapping[bytes, Any]) -> None:
        rows = [(key, json.dumps(value, ensure_ascii=False)) for key, value in answers.items()]
        with self._lock, self._file:
            self._file.executemany("INSERT OR REPLACE INTO answers VALUES (?, ?)", rows)


def _opened(place: str) -> sqlite3.Connection:
    file = sqlite3.connect(place, check_same_thread=False)
    file.execute("PRAGMA synchronous=OFF")
    file.execute("CREATE TABLE IF NOT EXISTS answers (key BLOB PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
    return file


def _sound(path: Path) -> sqlite3.Connection:
    """The file, or a new one where it is damaged."""
    try:
        file = _opened(str(path))
        file.execute("SELECT count(*) FROM answers").fetchone()
        return file
    except sqlite3.DatabaseError:
        aside = path.with_suffix(".damaged")
        path.replace(aside)
        logging.getLogger("surefoot.endpoints").warning(
            'The kept answers "%s" are damaged and set aside as "%s"; what they held is asked for again.', path, aside
        )
        return _opened(str(path))
