"""The proof that the wordings for training and those for testing share no text (the split: `surefoot.tasks.split`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.errors import BadInput
from surefoot.tasks.split import text_digest, text_key
from surefoot.text.instruction import Instruction


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


def _digests(wordings: Sequence[Instruction]) -> list[tuple[str, str]]:
    return [(wording.id, text_digest(text_key(wording.text))) for wording in wordings]


def _pair(id: str, digest: str) -> Mapping[str, str]:
    return {"id": id, "sha256": digest}
