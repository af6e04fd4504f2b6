"""The row: one answer of one model to one item under one wording. Everything reported is derived from rows."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

Outcome = Literal["right", "wrong", "unparsed"]

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
"""Columns of every Parquet shard. A cell is named by (model, task, wording, item, recheck); no cell occurs twice."""

CELL = ("model", "task", "wording", "item", "recheck")
