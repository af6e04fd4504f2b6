"""What comes of paraphrasing a task: groups of wordings, and what was dropped on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from surefoot.paraphrases.wordings import proof
from surefoot.text.instruction import Instruction


class Group(NamedTuple):
    """A reference wording and its paraphrases: what is asked of the same item, with the same answers."""

    reference: Instruction
    paraphrases: tuple[Instruction, ...]


class Rejected(NamedTuple):
    """A proposal that was dropped: the reference's id, the text, the filter, the reason."""

    of: str
    text: str
    filter: str
    reason: str


@dataclass(frozen=True)
class Paraphrased:
    """The groups of a task. `dropped` counts by filter; `examples` are the first few of each filter's drops."""

    task: str
    source: str
    groups: tuple[Group, ...]
    tested: tuple[Instruction, ...]
    proposed: int
    dropped: Mapping[str, int]
    examples: tuple[Rejected, ...]

    @property
    def kept(self) -> int:
        """The number of paraphrases."""
        return sum(len(group.paraphrases) for group in self.groups)

    @property
    def training(self) -> tuple[Instruction, ...]:
        """All wordings that training may see: the references and their paraphrases."""
        return tuple(wording for group in self.groups for wording in (group.reference, *group.paraphrases))

    def record(self) -> dict[str, Any]:
        """For a run record: source, counts, and the proof that no tested text is among the training's."""
        counts = {"proposed": self.proposed, "kept": self.kept, "dropped": dict(self.dropped)}
        return {"task": self.task, "source": self.source, **counts, "proof": proof(self.training, self.tested)}
