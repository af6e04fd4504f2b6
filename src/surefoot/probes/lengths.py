"""Prompts that do not fit into the model's context are counted and refused before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.models.local import LocalModel
from surefoot.probes.asking import Answering, Cell, needs
from surefoot.probes.filling import every_cell
from surefoot.tasks.task import Task
from surefoot.treatments.wrapped import innermost

CHUNK = 256


def refuse_long_prompts(model: LanguageModel, tasks: Sequence[Task], answering: Answering) -> None:
    """Raise `BadInput` with the number of prompts that are too long, unless the model cuts them (`truncate="left"`).

    A token is at least one byte, so only texts with more bytes than the context has tokens are tokenised at all.
    """
    local = innermost(model)
    if not isinstance(local, LocalModel) or local.context is None or local.truncate != "error" or answering == "paper":
        return
    lengths = [length for chunk in _suspects(model, tasks, answering, local.context) for length in chunk]
    long = [length for length in lengths if length > local.context]
    if long:
        raise BadInput(
            f'{len(long)} prompts do not fit into the {local.context} tokens of "{model.name}" (the longest needs '
            f"{max(long)} with its answer); shorten the items or cut them on the left with --truncate left."
        )


def _suspects(model: LanguageModel, tasks: Sequence[Task], answering: Answering, context: int) -> Iterator[list[int]]:
    """Tokens of prompt and longest answer, for the prompts that could be too long, chunk by chunk."""
    chunk: list[Cell] = []
    for cell in every_cell(tasks):
        query = cell.query
        room = sum(len(part.text.encode()) for part in query.prompt) + _room(cell, answering)
        overhead = 512  # a chat template's own words
        if room + overhead > context:
            chunk.append(cell)
        if len(chunk) == CHUNK:
            yield _lengths(model, chunk, answering)
            chunk = []
    yield _lengths(model, chunk, answering)


def _lengths(model: LanguageModel, cells: Sequence[Cell], answering: Answering) -> list[int]:
    return [len(model.show_tokens(cell.query.prompt)) + _room_in_tokens(model, cell, answering) for cell in cells]


def _room(cell: Cell, answering: Answering) -> int:
    if needs(cell.task, answering) == "generate":
        return cell.task.max_new_tokens
    return max((len(label.encode()) for label in cell.query.labels), default=0) + 1


def _room_in_tokens(model: LanguageModel, cell: Cell, answering: Answering) -> int:
    if needs(cell.task, answering) == "generate":
        return cell.task.max_new_tokens
    local = innermost(model)
    assert isinstance(local, LocalModel)
    return max((len(ids) for ids in local.encoder.labels(cell.query.labels)), default=0)
