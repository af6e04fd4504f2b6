"""The file that an index was made of: known by size and time at a glance, and by its digest when these differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from surefoot.errors import BadInput
from surefoot.retrieval.corpus import Checks
from surefoot.retrieval.corpus_files import stream


def seen(path: Path) -> dict[str, Any]:
    """Path, bytes and time of change (ns). Raises `BadInput` where there is no such file."""
    stream(path)  # names a file that is not there
    stat = path.stat()
    return {"path": str(path.absolute()), "bytes": stat.st_size, "changed_ns": stat.st_mtime_ns}


def refuse_changed(made: dict[str, Any], index: str) -> None:
    """Refuses an index whose corpus file says something else than it did; one that is gone is not asked for.

    The file is read only where its size or time of change is another.
    """
    path = Path(made["path"])
    if path.is_file() and not is_same(path, made):
        raise BadInput(f'"{path}" has changed since the index in "{index}" was made; make the index anew.')


def is_same(path: Path, made: dict[str, Any]) -> bool:
    """Whether the file says what it did; where only its time of change is known to differ, by its digest."""
    if all(seen(path)[key] == made[key] for key in ("bytes", "changed_ns")):
        return True
    return "digest" in made and digest_of(path) == made["digest"]


def digest_of(path: Path) -> str:
    """The digest of the corpus in a file, whose documents are not kept."""
    checks = Checks(f'"{path}"')
    for placed in stream(path):
        checks.add(placed)
    return checks.digest()
