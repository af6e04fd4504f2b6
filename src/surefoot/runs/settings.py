"""What determines the rows of a run, and the hash of it: one folder never holds two different runs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

_NAMED_DIFFERENCES = 3


@dataclass(frozen=True)
class ModelSettings:
    """A model as a run knows it: `revision` is the hash of its weights, `format_hash` that of the chat template."""

    name: str
    revision: str
    dtype: str
    device: str = "cpu"
    format: str = ""
    format_hash: str = ""


@dataclass(frozen=True)
class TaskSettings:
    """A task as a run knows it: its content's hash, and how many items and wordings it has."""

    name: str
    hash: str
    items: int
    wordings: int


@dataclass(frozen=True)
class RunSettings:
    """What a run computes.

    `suite` is what was asked for with `--task`, and `arguments` all of the call as passed; both are kept for the
    reader, as is the model's device, and change nothing in the rows. `options` is for what else determines them, by
    name: the truncation rule, the share that is computed twice. `settings` are all the probe's own, from which it is
    built again to read the rows. Values must be plain JSON. `schema` are the columns of the rows, `ROW_SCHEMA` if None.
    """

    probe: str
    model: ModelSettings
    tasks: tuple[TaskSettings, ...]
    scorer: str = ""
    seed: int = 0
    limit: int | None = None
    shots: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    suite: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    schema: pa.Schema | None = None

    def __post_init__(self) -> None:
        names = [task.name for task in self.tasks]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise BadInput(
                f'The task "{twice}" is given twice; rows are told apart by the task\'s name, so rename one.'
            )
        for name in ("options", "arguments", "settings"):
            try:
                json.dumps(getattr(self, name), allow_nan=False)
            except (TypeError, ValueError) as error:
                raise BadInput(f"The run's {name} must be plain JSON: {error}.") from None

    @cached_property
    def determinants(self) -> dict[str, Any]:
        """Everything that determines the rows, as plain JSON; kept in `run.json` beside its hash."""
        model = asdict(self.model)
        del model["device"]
        content = {
            "probe": self.probe,
            "model": model,
            "tasks": {task.name: task.hash for task in self.tasks},
            "scorer": self.scorer,
            "seed": self.seed,
            "limit": self.limit,
            "shots": self.shots,
            "options": dict(self.options),
        }
        return dict(json.loads(json.dumps(content)))

    @cached_property
    def identity(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the determinants."""
        return identity_of(self.determinants)


def identity_of(determinants: Mapping[str, Any]) -> str:
    """The identity that these determinants have. The order of their keys does not matter."""
    return hashlib.sha256(json.dumps(determinants, sort_keys=True).encode()).hexdigest()[:16]


def default_folder(settings: RunSettings, parent: str = "runs") -> str:
    """`runs/<probe>-<model>-<task>-<identity>`: the same command finds its own folder again."""
    if settings.suite or len(settings.tasks) == 1:
        task = settings.suite or settings.tasks[0].name
    else:
        task = f"{len(settings.tasks)}-tasks"
    words = (settings.probe, settings.model.name, task)
    return f"{parent}/{'-'.join(_tame(word) for word in words)}-{settings.identity[:8]}"


def refuse_other(path: str, stored: Mapping[str, Any], settings: RunSettings) -> None:
    """Raise `BadInput` if the folder's run has other determinants than `settings`, naming what differs."""
    if identity_of(stored) == settings.identity:
        return
    told = list(_differences(stored, settings.determinants))
    more = f" and {len(told) - _NAMED_DIFFERENCES} more" if len(told) > _NAMED_DIFFERENCES else ""
    raise BadInput(
        f'"{path}" holds another run: {", ".join(told[:_NAMED_DIFFERENCES])}{more}; rows of two runs are never mixed, '
        f"so give this one its own folder: --out {path}-{settings.identity[:8]}"
    )


def _differences(old: Any, new: Any, name: str = "") -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key, ...), new.get(key, ...), f"{name}.{key}" if name else str(key))
    elif old != new:
        yield f"{name} was {_show(old)} and is now {_show(new)}"


def _show(value: Any) -> str:
    return "absent" if value is ... else json.dumps(value, ensure_ascii=False)


def _tame(word: str) -> str:
    return re.sub(r"[^A-Za-z0-9._+]+", "_", word).strip("_.")[-40:] or "x"
