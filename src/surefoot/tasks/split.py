"""Which wordings of a task are for training and which are held out for the test.

Two wordings are the same where their texts are equal after normalisation (no case, punctuation or articles), whatever
frame they stand in. Training may so never see a tested sentence, not even in another frame; frames themselves are
shared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from surefoot.errors import BadInput
from surefoot.metrics.normalise import normalise
from surefoot.tasks.task import Task
from surefoot.text.instruction import Instruction
from surefoot.text.template import parse_template

HELD_OUT_SHARE = 0.4


class Split(NamedTuple):
    """The right wordings of a task on two sides; no normalised text is on both."""

    training: tuple[Instruction, ...]
    held_out: tuple[Instruction, ...]


def text_key(text: str) -> str:
    """The normalised text; a slot stands as a word that no text has. Text that is no template counts as it is."""
    try:
        segments = parse_template(text)
    except BadInput:
        return normalise(text)
    return normalise("".join(s.text if s.field is None else f" slot{s.field}slot " for s in segments))


def split_wordings(task: Task, seed: int = 0, *, share: float = HELD_OUT_SHARE) -> Split:
    """The right wordings of a task, for training and held out.

    Where the task has both observed and unobserved wordings, the observed ones are for training and all other right
    ones are held out. Otherwise the distinct texts are ranked by a digest of (seed, task, text) and the first
    `share` of them (at least one, at most all but one) is held out, in every frame in which it stands.
    A wording whose text is also held out or a control is never for training.

    Raises `BadInput` for a task with fewer than two right texts, or with none left for training.
    """
    right = [wording for wording in task.wordings if wording.is_right]
    klasses = {wording.klass for wording in right}
    if {"observed", "unobserved"} <= klasses:
        held = {text_key(wording.text) for wording in right if wording.klass != "observed"}
    else:
        held = _held_out_texts(task.name, right, seed, share)
    tested = held | {text_key(wording.text) for wording in task.wordings if not wording.is_right}
    split = Split(
        tuple(wording for wording in right if text_key(wording.text) not in tested),
        tuple(wording for wording in right if text_key(wording.text) in held),
    )
    if not split.training:
        raise BadInput(
            f'The task "{task.name}" keeps no wording for training: each is also tested; add right wordings.'
        )
    return split


def tested_wordings(task: Task, split: Split) -> tuple[Instruction, ...]:
    """All wordings of the task that are not for training: the held out ones and the controls."""
    training = {wording.id for wording in split.training}
    return tuple(wording for wording in task.wordings if wording.id not in training)


def held_out(task: Task, seed: int = 0) -> Task:
    """The task under its tested wordings alone: those that no training of the same seed reads, and the controls."""
    return replace(task, wordings=tested_wordings(task, split_wordings(task, seed)))


def _held_out_texts(task: str, right: Sequence[Instruction], seed: int, share: float) -> set[str]:
    if not 0 < share < 1:
        raise BadInput(f"The share of wordings to hold out is {share}; use a number between 0 and 1.")
    texts = sorted({text_key(wording.text) for wording in right}, key=lambda text: text_digest(f"{seed}/{task}/{text}"))
    if len(texts) < 2:
        raise BadInput(
            f'The task "{task}" has {len(texts)} right text to split into training and test; give it at least two.'
        )
    return set(texts[: min(len(texts) - 1, max(1, round(share * len(texts))))])


def text_digest(text: str) -> str:
    """The sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()
