"""The source `file:PATH`, and how paraphrases are written so that it reads them again.

Each line of a paraphrase file is one paraphrase: `of` (the id of the wording that it paraphrases) and `text`, and where
wanted `task` (the name of the task, where a file serves several), `frame` (a frame's id, or empty for none), `id`,
`author` and `note`. Layout and labels are the reference's. A line without `frame` serves every wording that has the
text of `of`, each in its own frame.

A file without `of` is a bank of wordings (docs/your-own-wordings.md): its right ones are dealt out to the training
wordings that ask for the same answers, in order. `file:demo` is bundled: paraphrases of the suite demo that were
written for this project, four for each text.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from surefoot.errors import BadInput, nearest
from surefoot.paraphrases.labels import same_answers
from surefoot.paraphrases.proposals import Material, Proposal, frames_of
from surefoot.paraphrases.result import Paraphrased
from surefoot.paraphrases.rules import in_frame
from surefoot.tasks.bank import SUITES, Frame, read_frames, read_wordings
from surefoot.tasks.jsonl import Line, as_text, read_jsonl, refuse_unknown
from surefoot.tasks.split import text_key
from surefoot.text.instruction import Instruction

KEYS = ("task", "of", "id", "text", "frame", "author", "note")


class Entry(NamedTuple):
    """A line that belongs to a task: the reference's id, the line's place in the file, the paraphrase."""

    of: str
    where: str
    wording: Instruction


@dataclass(frozen=True)
class File:
    """The source. A file that repeats a tested wording is refused as a whole."""

    path: Path

    @property
    def name(self) -> str:
        return f"file:{self.path}"

    def rounds(self, material: Material, per_wording: int) -> int:
        """The most lines that a reference has."""
        entries = self._entries(material)
        self._refuse_tested(entries, material)
        counts = [sum(entry.of == wording.id for entry in entries) for wording in material.split.training]
        return max(counts)

    def propose(
        self, references: Sequence[Instruction], material: Material, attempt: int, seed: int
    ) -> list[Proposal | None]:
        """The next line of each reference."""
        entries = self._entries(material)
        lines = {r.id: [entry.wording for entry in entries if entry.of == r.id] for r in references}
        return [
            Proposal(lines[r.id][attempt], lines[r.id][attempt].text) if attempt < len(lines[r.id]) else None
            for r in references
        ]

    def _entries(self, material: Material) -> list[Entry]:
        return self._paraphrases(material) if self._is_paraphrases else self._bank(material)

    def _paraphrases(self, material: Material) -> list[Entry]:
        task = material.task
        wordings = {wording.id: wording for wording in task.wordings}
        own = [line for line in self._lines if line.record.get("task", task.name) == task.name]
        fits = [line for line in own if line.record["of"] in wordings]
        strange = [line for line in own if "task" in line.record and line.record["of"] not in wordings]
        if strange or not fits:
            where, of = (strange[0].where, strange[0].record["of"]) if strange else (str(self.path), "")
            what = f'there is no wording "{of}" in it.{nearest(of, wordings)}' if of else "no line is for it."
            raise BadInput(f'{where}: paraphrases for the task "{task.name}": {what}')
        frames = {**read_frames([self.path.parent, SUITES]), **frames_of(task.wordings)}
        return [
            _entry(line, wording, frames)
            for line in fits
            for wording in _served(line, wordings[line.record["of"]], task.wordings)
        ]

    def _bank(self, material: Material) -> list[Entry]:
        right = [wording for wording in read_wordings(self.path) if wording.is_right]
        dealt: Counter[str] = Counter()
        entries = []
        for wording in right:
            fits = [r for r in material.split.training if same_answers(r, wording)] or material.split.training
            reference = min(fits, key=lambda r: dealt[r.id])
            dealt[reference.id] += 1
            named = replace(wording, id=f"{reference.id}~{wording.id}")
            entries.append(Entry(reference.id, f'"{wording.id}"', named))
        return entries

    def _refuse_tested(self, entries: Sequence[Entry], material: Material) -> None:
        tested = {text_key(wording.text): wording.id for wording in material.tested}
        both = [(e.where, tested[key]) for e in entries if (key := text_key(e.wording.text)) in tested]
        if both:
            listed = ", ".join(f'{where} = "{id}"' for where, id in both)
            raise BadInput(
                f'{self.path} repeats {len(both)} wordings that are tested on "{material.task.name}": {listed}; '
                "take these lines out."
            )

    @property
    def _is_paraphrases(self) -> bool:
        return any("of" in line.record for line in self._lines)

    @cached_property
    def _lines(self) -> tuple[Line, ...]:
        lines = read_jsonl(self.path)
        if not lines:
            raise BadInput(f'"{self.path}" holds no paraphrases; write at least one line with "of" and "text".')
        for line in lines if any("of" in line.record for line in lines) else ():
            refuse_unknown(line.record, KEYS, line.where)
            for key in ("of", "text"):
                if not as_text(line.record.get(key, ""), key, line.where).strip():
                    raise BadInput(f'{line.where}: a paraphrase needs "{key}".')
        return lines


def write_paraphrases(results: Iterable[Paraphrased], path: str | Path) -> int:
    """Writes all kept paraphrases as JSON Lines that `file:PATH` reads; gives their number."""
    lines = [
        _record(result.task, group.reference, paraphrase)
        for result in results
        for group in result.groups
        for paraphrase in group.paraphrases
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    Path(path).write_text(text, encoding="utf-8")
    return len(lines)


def _served(line: Line, of: Instruction, wordings: Sequence[Instruction]) -> Sequence[Instruction]:
    """The wordings that a line paraphrases: the one it names, or where it names no frame all with the same text."""
    return [of] if "frame" in line.record else [wording for wording in wordings if wording.text == of.text]


def _record(task: str, reference: Instruction, paraphrase: Instruction) -> dict[str, str]:
    values = (task, reference.id, paraphrase.id, paraphrase.text, paraphrase.frame, paraphrase.author, paraphrase.note)
    return dict(zip(KEYS, values, strict=True))


def _entry(line: Line, reference: Instruction, frames: Mapping[str, Frame]) -> Entry:
    given = {key: as_text(value, key, line.where) for key, value in line.record.items()}
    wording = replace(reference, text=given["text"], author=given.get("author", ""), note=given.get("note", ""))
    frame = given.get("frame", reference.frame)
    if frame != reference.frame:
        if frame not in frames:
            raise BadInput(f'{line.where}: there is no frame "{frame}".{nearest(frame, frames)}')
        wording = in_frame(wording, frames[frame])
    return Entry(reference.id, line.where, replace(wording, id=given.get("id", reference.id)))
