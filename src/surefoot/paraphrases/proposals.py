"""What a source of paraphrases is asked with, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from surefoot.paraphrases.labels import label_words
from surefoot.tasks.bank import SUITES, Frame, read_frames
from surefoot.tasks.split import Split, tested_wordings
from surefoot.tasks.task import Task
from surefoot.text.instruction import Instruction


@dataclass(frozen=True)
class Material:
    """A task, its split, the wordings that are tested, and the frames that a paraphrase may stand in."""

    task: Task
    split: Split
    tested: tuple[Instruction, ...]
    frames: Mapping[str, Frame]
    _labels: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, task: Task, split: Split) -> Material:
        """The frames are the bundled ones and the task's own, without those in which only tested wordings stand."""
        tested = tested_wordings(task, split)
        frames = {**read_frames([SUITES]), **frames_of(tested), **frames_of(split.training)}
        only_tested = {wording.frame for wording in tested} - {wording.frame for wording in split.training}
        return cls(task, split, tested, {id: frame for id, frame in frames.items() if id not in only_tested})

    def labels(self, wording: Instruction) -> tuple[str, ...]:
        """The labels that all items of the task have under this wording (`label_words`)."""
        key = f"{wording.layout}/{wording.labels}"
        if key not in self._labels:
            self._labels[key] = label_words(self.task, wording)
        return self._labels[key]


class Proposal(NamedTuple):
    """A paraphrase that a source offers. `wording` is None where `text` could not be made into one."""

    wording: Instruction | None
    text: str


class Source(Protocol):
    """Where paraphrases come from."""

    @property
    def name(self) -> str: ...

    def rounds(self, material: Material, per_wording: int) -> int:
        """How often each reference is asked for, at most. Raises `BadInput` for a task that the source cannot serve."""
        ...

    def propose(
        self, references: Sequence[Instruction], material: Material, attempt: int, seed: int
    ) -> list[Proposal | None]:
        """One proposal for each reference; None where there is none at this attempt.

        A proposal depends on its reference, the attempt and the seed, never on the other references.
        """
        ...


def frames_of(wordings: Sequence[Instruction]) -> dict[str, Frame]:
    """The frames in which these wordings stand, by id."""
    return {w.frame: Frame(w.frame, w.frame_template, w.cue) for w in wordings if w.frame and w.frame_template}
