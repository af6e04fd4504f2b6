"""The row: one answer of one model to one item under one wording. Everything reported is derived from rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from surefoot.errors import BadInput

ROW_SCHEMA = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),  # the model's name, treatments included
        pa.field("task", pa.string(), nullable=False),
        pa.field("wording", pa.string(), nullable=False),  # Instruction.id
        pa.field("klass", pa.string(), nullable=False),  # Instruction.klass
        pa.field("frame", pa.string(), nullable=False),  # Instruction.frame, "" where the wording has none
        pa.field("item", pa.string(), nullable=False),  # Example.id
        pa.field("recheck", pa.bool_(), nullable=False),  # True: the noise floor's second computation of this cell
        pa.field("outcome", pa.string(), nullable=False),  # right | wrong | unparsed
        pa.field("score", pa.float64()),  # 1.0 / 0.0 for choices, the task's metric for generation; null if unparsed
        pa.field("gold", pa.string()),  # the right label, or the first accepted answer
        pa.field("predicted", pa.string()),  # the chosen label, or the parsed answer; null if unparsed
        pa.field("gold_index", pa.int16()),  # place of the gold option as shown
        pa.field("predicted_index", pa.int16()),  # place of the chosen option as shown
        pa.field("option_scores", pa.list_(pa.float64())),  # natural-log probabilities, in the order shown
        pa.field("text", pa.string()),  # what the model wrote, for generated answers
        pa.field("finish_reason", pa.string()),  # stop | length, for generated answers
        pa.field("truncated", pa.bool_(), nullable=False),  # the prompt did not fit and was cut
        pa.field("prompt_tokens", pa.int32()),
    ]
)
"""Columns of a shard where a probe keeps answers alone; a probe may have a schema of its own that holds `CELL`.

A cell is named by (model, task, wording, item, recheck); no cell occurs twice."""

CELL = ("model", "task", "wording", "item", "recheck")


def schema_to_json(schema: pa.Schema) -> list[dict[str, Any]]:
    """The columns as plain JSON, for a run's record."""
    return [{"name": field.name, "type": _type_name(field.type), "nullable": field.nullable} for field in schema]


def schema_from_json(columns: Sequence[Mapping[str, Any]]) -> pa.Schema:
    """The schema that `schema_to_json` wrote down. A type that is none of Arrow's plain ones is `BadInput`."""
    return pa.schema([pa.field(c["name"], _type_of(c["type"]), nullable=c["nullable"]) for c in columns])


def _type_name(type: pa.DataType) -> str:
    return f"list of {_type_name(type.value_type)}" if pa.types.is_list(type) else str(type)


def _type_of(name: str) -> pa.DataType:
    if name.startswith("list of "):
        return pa.list_(_type_of(name.removeprefix("list of ")))
    try:
        return pa.type_for_alias(name)
    except ValueError:
        raise BadInput(f'A column of the run has the type "{name}", which this version cannot read.') from None
