"""The source `rules`: seeded rewriting without a model.

A paraphrase changes its reference in one to four ways, drawn by chance: phrases of the same meaning, the shape of one
sentence, the frame, the final stop. Labels that the text names, fields and quotations are taken out before and put
back after, so no rule can touch them. What is drawn depends on the seed, the task, the wording's id and the number of
the attempt alone.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from surefoot.paraphrases.labels import named_labels
from surefoot.paraphrases.masking import instructing_line, mask
from surefoot.paraphrases.proposals import Material, Proposal
from surefoot.paraphrases.rewriting import STRUCTURE, Rule, punctuation, synonyms
from surefoot.tasks.bank import Frame
from surefoot.text.instruction import Instruction
from surefoot.text.template import fields_of

SYNONYMS, SHAPE, FRAME, PUNCTUATION = 0.7, 0.7, 0.4, 0.2
"""How often each kind of change is tried."""


@dataclass(frozen=True)
class Rules:
    """The source. `attempts` bounds how often each paraphrase is tried for."""

    attempts: int = 8
    name = "rules"

    def rounds(self, material: Material, per_wording: int) -> int:
        """`attempts` for each paraphrase wanted."""
        return self.attempts * per_wording

    def propose(
        self, references: Sequence[Instruction], material: Material, attempt: int, seed: int
    ) -> list[Proposal | None]:
        """One rewriting of each reference."""
        return [self._one(reference, material, attempt, seed) for reference in references]

    def _one(self, reference: Instruction, material: Material, attempt: int, seed: int) -> Proposal | None:
        key = f"{seed}/{material.task.name}/{reference.id}/{attempt}"
        rng = random.Random(hashlib.sha256(key.encode()).hexdigest())
        labels = named_labels(reference.text, material.labels(reference))
        text, rules = rewrite(reference.text, labels, rng)
        frames = frames_for(reference, material)
        paraphrase = replace(reference, text=text)
        if frames and (rng.random() < FRAME or not rules):
            paraphrase = in_frame(paraphrase, rng.choice(frames))
            rules = (*rules, "frame")
        if not rules:
            return None
        return Proposal(replace(paraphrase, author="rules", note=", ".join(rules)), text)


def rewrite(text: str, labels: Sequence[str], rng: random.Random) -> tuple[str, tuple[str, ...]]:
    """The text with its instructing line rewritten, and the names of the rules that did it (none: as it was)."""
    masked = mask(text, labels)
    line = instructing_line(masked.text)
    if line is None:
        return text, ()
    words = _maybe(SYNONYMS, synonyms, line.text, rng)
    name, shape = _shape(words, rng)
    final = _maybe(PUNCTUATION, punctuation, shape, rng)
    done = (("synonyms", words != line.text), (name, shape != words), ("punctuation", final != shape))
    return masked.restore(line.replaced(final)), tuple(rule for rule, changed in done if changed)


def _maybe(share: float, rule: Rule, line: str, rng: random.Random) -> str:
    changed = rule(line, rng) if rng.random() < share else None
    return line if changed is None else changed


def _shape(line: str, rng: random.Random) -> tuple[str, str]:
    """One of the rules of shape that fit, and what it makes of the line."""
    shapes = {name: rule(line, rng) for name, rule in STRUCTURE.items()}
    known = [(name, shape) for name, shape in shapes.items() if shape is not None]
    return rng.choice(known) if known and rng.random() < SHAPE else ("", line)


def frames_for(reference: Instruction, material: Material) -> list[Frame]:
    """The other frames in which the wording can stand: the same slots, and options first only where there are some."""
    if not reference.frame_template:
        return []
    slots = set(fields_of(reference.frame_template))
    optionless = reference.layout == "none" and "options" not in reference.blocks
    return [
        frame
        for frame in material.frames.values()
        if frame.id != reference.frame
        and set(named := fields_of(frame.template)) == slots
        and not (optionless and named[0] == "options")
    ]


def in_frame(wording: Instruction, frame: Frame) -> Instruction:
    """The wording in another frame, with that frame's cue."""
    return replace(wording, frame=frame.id, frame_template=frame.template, cue=frame.cue)
