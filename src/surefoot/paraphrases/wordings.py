"""Which wordings are for training and which for testing, and the proof that no text is on both sides.

Two wordings are the same where their texts are equal after normalisation (no case, punctuation or articles), whatever
frame they stand in. Training may so never see a tested sentence, not even in another frame; frames themselves are
shared, and the proof names those that are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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


def proof(training: Sequence[Instruction], testing: Sequence[Instruction]) -> dict[str, Any]:
    """The record that training and testing share no text: ids with digests of the normalised texts, both sides.

    Anyone can check it without the wordings: no digest of `training` is among those of `testing`. `shared_frames`
    names the frames in which both sides stand. Raises `BadInput` that lists the wordings with a text on both sides.
    """
    taught, asked = _digests(training), _digests(testing)
    by_digest = {digest: id for id, digest in asked}
    both = [f"{id} = {by_digest[digest]}" for id, digest in taught if digest in by_digest]
    if both:
        raise BadInput(
            f"{len(both)} wordings of the training have the text of a tested one ({', '.join(both)}); "
            "take them out of the training or out of the test."
        )
    frames = {wording.frame for wording in training} & {wording.frame for wording in testing} - {""}
    return {
        "rule": "sha256 of the text without case, punctuation and articles",
        "training": [_pair(id, digest) for id, digest in taught],
        "testing": [_pair(id, digest) for id, digest in asked],
        "overlap": [],
        "shared_frames": sorted(frames),
    }


def _held_out_texts(task: str, right: Sequence[Instruction], seed: int, share: float) -> set[str]:
    if not 0 < share < 1:
        raise BadInput(f"The share of wordings to hold out is {share}; use a number between 0 and 1.")
    texts = sorted({text_key(wording.text) for wording in right}, key=lambda text: _digest(f"{seed}/{task}/{text}"))
    if len(texts) < 2:
        raise BadInput(
            f'The task "{task}" has {len(texts)} right text to split into training and test; give it at least two.'
        )
    return set(texts[: min(len(texts) - 1, max(1, round(share * len(texts))))])


def _digests(wordings: Sequence[Instruction]) -> list[tuple[str, str]]:
    return [(wording.id, _digest(text_key(wording.text))) for wording in wordings]


def _pair(id: str, digest: str) -> Mapping[str, str]:
    return {"id": id, "sha256": digest}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
