"""From records (of a JSON Lines file, of a dataset) to examples, by a mapping of columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from surefoot.errors import BadInput, nearest
from surefoot.tasks.jsonl import Line, as_text, as_texts, refuse_unknown
from surefoot.tasks.task import Example, Kind
from surefoot.text.prompt import Role

SPECIAL = ("id", "options", "gold", "answers")
RESERVED = frozenset({"input", "instruction"})
CONTEXT = frozenset({"context", "passage", "paragraph", "document", "article"})
Columns = Mapping[str, str | Sequence[str]]


def own_example(line: Line) -> Example:
    """An example from a record in Surefoot's own form, `{"id", "fields", "options", "gold"}` or with `answers`."""
    where, record = line
    refuse_unknown(record, ("id", "fields", "options", "gold", "answers"), where)
    for key in ("id", "fields"):
        if key not in record:
            raise BadInput(f'{where}: an item needs "{key}".')
    if not isinstance(record["fields"], dict):
        raise BadInput(f'{where}: "fields" is not an object; write {{"name": "text"}}.')
    fields = {name: as_text(value, name, where) for name, value in record["fields"].items()}
    return _example(as_text(record["id"], "id", where), fields, record, where)


def mapped_example(line: Line, number: int, columns: Columns) -> Example:
    """An example from a flat record. `columns` says which column holds what: `id`, `options` (a column with a list, or
    a list of columns), `gold` (index, letter or the option's text), `answers`, and a field for each other key.

    Raises `BadInput` that names the nearest column where one is missing.
    """
    where, record = line
    special = {key: columns.get(key, key if key in record else None) for key in SPECIAL}
    names = {field: column for field, column in columns.items() if field not in SPECIAL} or {
        column: column for column in record if column not in special.values() and isinstance(record[column], str | int)
    }
    fields = {field: as_text(_cell(record, str(column), where), field, where) for field, column in names.items()}
    values: dict[str, Any] = {}
    for key, column in special.items():
        if isinstance(column, str):
            values[key] = _cell(record, column, where)
        elif column is not None:
            values[key] = [_cell(record, each, where) for each in column]
    id = as_text(values.get("id", number), "id", where)
    return _example(id, fields, values, where)


def kind_of(examples: Sequence[Example]) -> Kind:
    """The kind of task: `generation` without options; with the same options everywhere `binary` or `multi_class`;
    else `multiple_choice`.
    """
    if not any(example.options for example in examples):
        return "generation"
    sets = {frozenset(example.options) for example in examples}
    if len(sets) == 1 and len(examples) > 1:
        return "binary" if len(next(iter(sets))) == 2 else "multi_class"
    return "multiple_choice"


def input_template(fields: Iterable[str]) -> str:
    """A plain template of these fields: one field alone, several with their names as headings, contexts first."""
    names = sorted(fields, key=lambda name: name not in CONTEXT)
    if len(names) == 1:
        return f"{{{{ {names[0]} }}}}"
    return "\n".join(f"{name.replace('_', ' ').capitalize()}: {{{{ {name} }}}}" for name in names)


def roles_of(fields: Iterable[str]) -> dict[str, Role]:
    """Fields named like a passage have the role `context`."""
    return {name: "context" for name in fields if name in CONTEXT}


def gold_index(gold: Any, options: Sequence[str], where: str) -> int:
    """The place of the right option, given as its index from 0, its exact text, its letter or its index in quotes.

    Text goes before letters, so that options that are letters themselves are meant literally.
    """
    if isinstance(gold, str):
        if gold in options:
            return list(options).index(gold)
        mark = gold.strip().strip("().")
        for letters in (ascii_uppercase, ascii_lowercase):
            if len(mark) == 1 and mark in letters[: len(options)]:
                return letters.index(mark)
        if not mark.isdecimal():
            raise BadInput(f'{where}: the gold answer "{gold}" is no option, letter or index.{nearest(gold, options)}')
        gold = int(mark)
    if isinstance(gold, bool) or not isinstance(gold, int):
        raise BadInput(f"{where}: the gold answer {gold!r} is no option, letter or index.")
    if not 0 <= gold < len(options):
        raise BadInput(f"{where}: the gold index {gold} is out of range; indices go from 0 to {len(options) - 1}.")
    return gold


def _example(id: str, fields: Mapping[str, str], values: Mapping[str, Any], where: str) -> Example:
    reserved = sorted(RESERVED & set(fields))
    if reserved:
        raise BadInput(
            f'{where}: a field cannot be called "{reserved[0]}", which has a meaning in templates; rename it.'
        )
    if not fields:
        raise BadInput(f"{where}: the item has no fields; give it at least one text.")
    options = as_texts(values["options"], "options", where) if values.get("options") is not None else ()
    if options:
        if values.get("gold") is None:
            raise BadInput(f'{where}: the item has options and no "gold" answer.')
        return Example(id, fields, options, gold_index(values["gold"], options, where))
    answers = values.get("answers", values.get("gold"))
    answers = as_texts([answers] if isinstance(answers, str | int | float) else answers or [], "answers", where)
    if not answers:
        raise BadInput(f'{where}: the item has neither "options" nor "answers".')
    return Example(id, fields, answers=answers)


def _cell(record: Mapping[str, Any], column: str, where: str) -> Any:
    if column not in record:
        raise BadInput(f'{where}: there is no column "{column}".{nearest(column, record)}')
    return record[column]
