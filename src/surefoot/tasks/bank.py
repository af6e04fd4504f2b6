"""Instruction banks: wordings and frames as JSON Lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from surefoot.errors import BadInput, nearest
from surefoot.tasks.jsonl import Line, as_text, as_texts, read_jsonl, refuse_unknown
from surefoot.text.instruction import KLASSES, Instruction
from surefoot.text.options import LAYOUTS, Block

HERE = Path(__file__).parent
SUITES = HERE / "suites"
DEFAULTS = HERE / "default_wordings"
WORDING_KEYS = frozenset(field.name for field in fields(Instruction)) - {"frame_template"}


class Frame(NamedTuple):
    """What a wording stands in: a template over `{{ instruction }}`, `{{ input }}`, `{{ options }}`, and a cue."""

    id: str
    template: str
    cue: str = ""
    note: str = ""


def read_frames(folders: Iterable[Path]) -> dict[str, Frame]:
    """The frames of `frames.jsonl` in these folders, where there is one; the nearer folder (the earlier one) wins."""
    frames: dict[str, Frame] = {}
    for folder in folders:
        path = folder / "frames.jsonl"
        for line in read_jsonl(path) if path.is_file() else ():
            frame = _frame(line)
            frames.setdefault(frame.id, frame)
    return frames


def read_wordings(path: Path) -> tuple[Instruction, ...]:
    """The wordings of a JSON Lines file.

    Frames are looked up in `frames.jsonl` beside the file, in the folder above it, then among the bundled ones.
    Raises `BadInput` that names file and line for an unknown key, class, layout or frame, and for an empty file.
    """
    frames = read_frames((path.parent, path.parent.parent, SUITES))
    wordings = tuple(_wording(line, frames) for line in read_jsonl(path))
    if not wordings:
        raise BadInput(f"{path} has no wordings; write at least one line.")
    return wordings


def default_wordings(kind: str) -> tuple[Instruction, ...]:
    """The generic wordings that ship with Surefoot for a kind of task."""
    return read_wordings(DEFAULTS / f"{kind}.jsonl")


def of_klasses(wordings: Sequence[Instruction], klasses: Iterable[str] | None) -> tuple[Instruction, ...]:
    """The wordings of these classes. Raises `BadInput` for an unknown class and for a choice that leaves none."""
    if klasses is None:
        return tuple(wordings)
    wanted = [klasses] if isinstance(klasses, str) else list(klasses)
    for klass in wanted:
        if klass not in KLASSES:
            raise BadInput(f'"{klass}" is not a class of wordings.{nearest(klass, KLASSES)}')
    chosen = tuple(wording for wording in wordings if wording.klass in wanted)
    if not chosen:
        there = ", ".join(sorted({wording.klass for wording in wordings}))
        raise BadInput(f'No wording is of the class "{", ".join(wanted)}"; the task has {there}.')
    return chosen


def _frame(line: Line) -> Frame:
    refuse_unknown(line.record, Frame._fields, line.where)
    missing = [key for key in ("id", "template") if not line.record.get(key)]
    if missing:
        raise BadInput(f'{line.where}: a frame needs "{missing[0]}".')
    return Frame(**{key: as_text(value, key, line.where) for key, value in line.record.items()})


def _wording(line: Line, frames: Mapping[str, Frame]) -> Instruction:
    where, record = line
    refuse_unknown(record, WORDING_KEYS, where)
    for key in ("id", "text"):
        if key not in record:
            raise BadInput(f'{where}: a wording needs "{key}".')
    texts = {k: as_text(v, k, where) for k, v in record.items() if k not in ("labels", "blocks")}
    if texts.get("layout", "none") not in LAYOUTS:
        raise BadInput(f'{where}: "{texts["layout"]}" is not an option layout.{nearest(texts["layout"], LAYOUTS)}')
    try:
        wording = Instruction(**texts, **_options(record, where))  # type: ignore[arg-type]
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from None
    return _in_frame(wording, "cue" in record, frames, where)


def _options(record: Mapping[str, Any], where: str) -> dict[str, Any]:
    given: dict[str, Any] = {}
    labels = record.get("labels")
    if isinstance(labels, dict):
        given["labels"] = {option: as_text(word, "labels", where) for option, word in labels.items()}
    elif labels is not None:
        given["labels"] = as_text(labels, "labels", where)
    if "blocks" in record:
        given["blocks"] = {name: _block(value, where) for name, value in dict(record["blocks"]).items()}
    return given


def _block(value: Any, where: str) -> Block:
    texts = as_texts(value, "blocks", where)
    if len(texts) != 3:
        raise BadInput(f"{where}: a block is three texts (first, middle, last option), not {len(texts)}.")
    return Block(*texts)


def _in_frame(wording: Instruction, own_cue: bool, frames: Mapping[str, Frame], where: str) -> Instruction:
    if not wording.frame:
        return wording
    if wording.frame not in frames:
        raise BadInput(f'{where}: there is no frame "{wording.frame}".{nearest(wording.frame, frames)}')
    frame = frames[wording.frame]
    return replace(wording, frame_template=frame.template, cue=wording.cue if own_cue else frame.cue)
