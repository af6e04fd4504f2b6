"""What a treated model did before it gave a text: what it drafted, asked for, read and kept, in that order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

EventKind = Literal["search", "draft", "decide", "write", "read", "stop"]
EVENTS: tuple[str, ...] = get_args(EventKind)


@dataclass(frozen=True)
class Shown:
    """A document as the model had it before it."""

    id: str
    title: str
    text: str


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    `search`: `queries` were asked and `documents` found, best first. `draft`: `text` was written tentatively.
    `decide`: `note` says what was decided about it, and why. `write`: `text` was kept; `documents` are those that stood
    in the prompt. `read`: a last pass over `documents` gave the answer `text`. `stop`: `note` says what ended it.
    `tokens` are the texts of the tokens of a draft or of what was written, `probabilities` theirs, at temperature 1
    before truncation.
    """

    kind: EventKind
    text: str = ""
    tokens: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    queries: tuple[str, ...] = ()
    documents: tuple[Shown, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Trace:
    """All events of one prompt; `calls` of the model, `searches` of the index, and tokens that the model wrote."""

    events: tuple[Event, ...] = ()
    calls: int = 0
    searches: int = 0
    tokens: int = 0

    @property
    def documents(self) -> tuple[str, ...]:
        """Ids of all documents that stood before the model, in the order in which they first did."""
        return tuple(dict.fromkeys(d.id for e in self.events if e.kind in ("write", "read") for d in e.documents))

    def to_dict(self) -> dict[str, Any]:
        """The trace as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Trace:
        """What `to_dict` made."""
        return cls(
            tuple(_event(event) for event in record["events"]), record["calls"], record["searches"], record["tokens"]
        )


def _event(record: Mapping[str, Any]) -> Event:
    members: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in record.items()}
    return Event(**{**members, "documents": tuple(Shown(**shown) for shown in record["documents"])})
