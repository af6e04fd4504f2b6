"""Texts behind prompts, kept in a JSON Lines file from which the same call goes on, even within a text.

The file begins with a line that says which model wrote what; a record a prompt follows. Where a prompt has several, the
last one holds.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import Generation, LanguageModel
from surefoot.models.trace import Trace
from surefoot.models.writing import GenerationInterrupted
from surefoot.tasks.jsonl import as_text, read_jsonl, refuse_unknown
from surefoot.text.prompt import ROLES, Part, Prompt

BATCH = 32  # prompts between two stores
NOTHING = Generation("", (), (), "interrupted")
Told = Callable[[int, int], None]
"""Called with the number of finished texts and that of all."""


@dataclass(frozen=True)
class Asked:
    """A prompt and the name under which its text is kept."""

    id: str
    prompt: Prompt


def read_prompts(path: Path) -> list[Asked]:
    """Prompts of a JSON Lines file: `prompt`, or parts by role (`context`, `input`, ...) in order; `id` where given."""
    asked = []
    for number, (where, record) in enumerate(read_jsonl(path)):
        refuse_unknown(record, ("id", "prompt", *ROLES), where)
        parts = [
            Part("input" if name == "prompt" else name, as_text(value, name, where))  # type: ignore[arg-type]
            for name, value in record.items()
            if name != "id"
        ]
        if not any(part.text.strip() for part in parts):
            raise BadInput(f'{where}: no prompt; give "prompt", or parts such as "context" and "input".')
        asked.append(Asked(as_text(record.get("id", number), "id", where), Prompt(tuple(parts))))
    twice = [id for id, count in Counter(one.id for one in asked).items() if count > 1]
    if twice:
        raise BadInput(f'{path} has the id "{min(twice)}" more than once; give each prompt its own.')
    if not asked:
        raise BadInput(f"{path} has no prompts.")
    return asked


def write_texts(
    model: LanguageModel,
    asked: Sequence[Asked],
    sampling: Sampling,
    out: Path | None = None,
    told: Told | None = None,
) -> list[Generation]:
    """A text for each prompt. With `out`, finished ones are read from the file and begun ones are gone on with.

    A larger `max_new_tokens` than before goes on with texts that were cut by the smaller one. What an endpoint was paid
    for is kept in a folder beside `out`.
    """
    head = {"model": model.name, "texts": _identity(model, asked, sampling)}
    kept = _read(out, head, asked) if out is not None else {}
    if out is not None and not out.exists():
        _append(out, [head])
    if out is not None:
        model.keep_answers(f"{out}.answers")
    waiting = [one for one in asked if _is_open(kept.get(one.id), sampling)]
    for start in range(0, len(waiting), BATCH):
        if told:
            told(len(asked) - len(waiting) + start, len(asked))
        part = waiting[start : start + BATCH]
        begun = [kept.get(one.id, NOTHING) for one in part]
        try:
            texts = model.generate(
                [one.prompt for one in part], sampling, begun if any(t.token_ids for t in begun) else None
            )
        except GenerationInterrupted as interrupt:
            if out is not None:
                _append(out, [_record(one, text) for one, text in zip(part, interrupt.written, strict=True)])
            raise
        kept.update({one.id: text for one, text in zip(part, texts, strict=True)})
        if out is not None:
            _append(out, [_record(one, text) for one, text in zip(part, texts, strict=True)])
    return [kept[one.id] for one in asked]


def _is_open(text: Generation | None, sampling: Sampling) -> bool:
    if text is None or text.finish_reason == "interrupted":  # where a text is read from another, of whatever length
        return True
    return text.finish_reason != "stop" and len(text.token_ids) < sampling.max_new_tokens


def _identity(model: LanguageModel, asked: Sequence[Asked], sampling: Sampling) -> str:
    """What determines the texts, but for where they are cut."""
    told = (
        asdict(model.card),
        asdict(replace(sampling, max_new_tokens=1)),
        [(a.id, model.render(a.prompt)) for a in asked],
    )
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _record(asked: Asked, text: Generation) -> dict[str, Any]:
    return {"id": asked.id, **asdict(text)}


def _append(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _read(path: Path, head: Mapping[str, str], asked: Sequence[Asked]) -> dict[str, Generation]:
    """The texts of an earlier call; a last line that was cut short by a kill is taken off."""
    if not path.exists():
        return {}
    raw = path.read_bytes()
    whole = raw[: raw.rfind(b"\n") + 1]
    if whole != raw:
        path.write_bytes(whole)
    lines = read_jsonl(path)
    if not lines:
        path.unlink()
        return {}
    if lines[0].record != head:
        raise BadInput(
            f"{path} holds texts of another call (another model, treatment, setting or prompt); choose another file."
        )
    known = {one.id for one in asked}
    return {record["id"]: _text(record) for _, record in lines[1:] if record.get("id") in known}


def _text(record: Mapping[str, Any]) -> Generation:
    known = [field.name for field in fields(Generation)]
    values: dict[str, Any] = {name: record[name] for name in known if name in record}
    values.update({name: tuple(value) for name, value in values.items() if isinstance(value, list)})
    if values.get("trace") is not None:
        values["trace"] = Trace.from_dict(values["trace"])
    return Generation(**values)
