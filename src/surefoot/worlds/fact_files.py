"""Lists of facts as JSON Lines: the bundled facts of the real world, and a user's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surefoot.errors import BadInput
from surefoot.tasks.jsonl import as_text, as_texts, read_jsonl, refuse_unknown
from surefoot.worlds.facts import Fact

NOTE = "A note on this lies in the archive. {sentence} The note is signed and dated."  # where a fact has no paragraph
REAL_FACTS = Path(__file__).parent / "conflict" / "facts.jsonl"


def real_facts() -> tuple[Fact, ...]:
    """The bundled facts of the real world, written for this project: capitals, colours, years, authors, symbols ..."""
    return read_facts(REAL_FACTS)


def read_facts(path: Path) -> tuple[Fact, ...]:
    """Facts from a JSON Lines file: `id`, `kind`, `question`, `answer`, `alternatives` and `sentence` in every line,
    with `{value}` in the sentence; `paragraph` (else the sentence
    between two neutral ones) and `aliases` (name -> other names) where wanted.

    Raises `BadInput` with file and line for a key that is missing or unknown, an answer among its alternatives, and a
    passage without a slot.
    """
    facts = tuple(_fact(line.record, line.where) for line in read_jsonl(path))
    if not facts:
        raise BadInput(f"{path} has no facts; write at least one line.")
    return facts


NEEDED = ("id", "kind", "question", "answer", "alternatives", "sentence")


def _fact(record: Mapping[str, Any], where: str) -> Fact:
    refuse_unknown(record, (*NEEDED, "paragraph", "aliases"), where)
    missing = next((key for key in NEEDED if not record.get(key)), None)
    if missing:
        raise BadInput(f'{where}: a fact needs "{missing}".')
    texts = {key: as_text(record[key], key, where) for key in NEEDED if key != "alternatives"}
    alternatives = as_texts(record["alternatives"], "alternatives", where)
    if texts["answer"] in alternatives:
        raise BadInput(f'{where}: the answer "{texts["answer"]}" is among its alternatives; take it out.')
    told = as_text(record.get("paragraph", NOTE.replace("{sentence}", texts["sentence"])), "paragraph", where)
    for name, passage in (("sentence", texts["sentence"]), ("paragraph", told)):
        if "{value}" not in passage:
            raise BadInput(f'{where}: the {name} has no "{{value}}", where the answer and its alternatives go.')
    aliases = {name: as_texts(others, "aliases", where) for name, others in dict(record.get("aliases", {})).items()}
    return Fact(
        id=texts["id"],
        kind=texts["kind"],
        question=texts["question"],
        answer=texts["answer"],
        alternatives=alternatives,
        stated=texts["sentence"],
        told=told,
        aliases=aliases,
    )
