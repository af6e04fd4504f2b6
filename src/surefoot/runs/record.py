"""`run.json`: what was run, with what, on what, when. Facts about the process and the machine are gathered here."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput
from surefoot.runs.folder import Folder
from surefoot.runs.rows import ROW_SCHEMA, schema_from_json, schema_to_json
from surefoot.runs.settings import RunSettings, refuse_other

if TYPE_CHECKING:
    import pyarrow as pa

SCHEMA_VERSION = 1
RECORD = "run.json"
SUMMARY = "summary.json"
DONE = "DONE"
PACKAGES = (
    *("surefoot", "torch", "transformers", "tokenizers", "safetensors", "gguf", "accelerate"),
    *("numpy", "scipy", "pyarrow", "duckdb", "jinja2", "rouge-score"),
)


def new_record(settings: RunSettings) -> dict[str, Any]:
    """The record of a run that begins now."""
    return {
        "schema_version": SCHEMA_VERSION,
        "identity": settings.identity,
        "determinants": settings.determinants,
        "probe": settings.probe,
        "settings": dict(settings.settings),
        "suite": settings.suite,
        "arguments": dict(settings.arguments),
        "model": asdict(settings.model),
        "tasks": {
            task.name: {"hash": task.hash, "items": task.items, "wordings": task.wordings} for task in settings.tasks
        },
        "seeds": {"seed": settings.seed},
        **({} if settings.schema is None else {"columns": schema_to_json(settings.schema)}),
        **session(),
        "finished": None,
        "resumed": [],
    }


def session() -> dict[str, Any]:
    """The facts of this process: start, command line, package versions, git commit, host."""
    return {
        "started": now(),
        "argv": list(sys.argv),
        "packages": package_versions(),
        "git": git_commit(),
        "host": host_facts(),
    }


def resumed(record: dict[str, Any]) -> dict[str, Any]:
    """The record with this process noted as one that went on with the run: what differs from the first one."""
    facts = session()
    new = {key: value for key, value in facts.items() if key == "started" or value != record.get(key)}
    return {**record, "finished": None, "resumed": [*record.get("resumed", []), new]}


def check_record(path: str, record: dict[str, Any], settings: RunSettings) -> None:
    """Raise `BadInput` if the record is of another run than `settings` describe."""
    if not isinstance(record.get("determinants"), dict):
        raise _unreadable(path)
    refuse_other(path, record["determinants"], settings)


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A run's `run.json`. Raises `BadInput` where there is none, it cannot be read, or it is of a newer Surefoot."""
    return load_record(Folder(path))


def load_record(folder: Folder) -> dict[str, Any]:
    """As `read_record`, for a folder that is open."""
    path = folder.path
    if not folder.exists(RECORD):
        raise BadInput(f'"{path}" is not a run folder (it has no {RECORD}); `surefoot runs` lists the runs there are.')
    try:
        record = json.loads(folder.read(RECORD))
    except ValueError:
        raise _unreadable(path) from None
    if not isinstance(record, dict) or not isinstance(record.get("schema_version"), int):
        raise _unreadable(path)
    if record["schema_version"] > SCHEMA_VERSION:
        raise BadInput(
            f'"{path}" was written by a newer Surefoot (schema {record["schema_version"]}, known here: '
            f"{SCHEMA_VERSION}); upgrade with `pip install --upgrade surefoot`."
        )
    return record


def schema_of(record: Mapping[str, Any]) -> pa.Schema:
    """The columns of the run's rows: the record's own, or `ROW_SCHEMA` where it names none."""
    return schema_from_json(record["columns"]) if "columns" in record else ROW_SCHEMA


def working_folder(folder: Folder) -> str | None:
    """This process's working folder as seen from a local run folder, so that relative paths can be found again."""
    return os.path.relpath(os.getcwd(), folder.root) if folder.is_local else None


def read_summary(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """The summary that was handed to `Run.finish`, or None."""
    folder = Folder(path)
    return dict(json.loads(folder.read(SUMMARY))) if folder.exists(SUMMARY) else None


def write_json(folder: Folder, name: str, value: Any) -> None:
    """Store a value as JSON, whole, without ever holding all of its text."""
    with folder.create(name) as file:
        for piece in json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(value):
            file.write(piece.encode())
        file.write(b"\n")


def now() -> str:
    """The time as ISO 8601, in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def package_versions() -> dict[str, str]:
    """The versions of the packages that numbers depend on, as installed; nothing is imported for it."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def host_facts() -> dict[str, Any]:
    """The machine as far as it bears on numbers and time; nothing that names it."""
    return {"cpus": os.cpu_count(), "machine": platform.machine(), "platform": platform.platform()}


def git_commit(package: Path | None = None) -> dict[str, Any] | None:
    """The commit of the checkout that this package runs from, and whether its files differ from it.

    None where it is installed without a checkout. A repository that merely contains the environment (a project with
    its `.venv` inside) is not taken for ours: the package's own file must be tracked in it.
    """
    folder = package or Path(__file__).resolve().parent.parent
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    commit, changes = _git(folder, "rev-parse", "HEAD"), _git(folder, "status", "--porcelain", "--", ".")
    return None if commit is None else {"commit": commit, "modified": bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _unreadable(path: str) -> BadInput:
    return BadInput(f'The file {RECORD} of "{path}" cannot be read; restore it, or begin a new run with another --out.')
