"""Which prompts do not fit into the model's context, found before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple, Protocol, runtime_checkable

from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.models.local import LocalModel
from surefoot.probes.asking import Answering, Cell, needs
from surefoot.probes.filling import every_cell
from surefoot.tasks.task import Query, Task
from surefoot.text.prompt import Prompt

SPECIAL = 16  # special tokens that a tokenizer may add to a text, at most
ENCODED = 64  # prompts tokenised together


FirstRead = Callable[[Sequence[Prompt]], list[Prompt]]


@runtime_checkable
class Layer(Protocol):
    """A treated model: another model below, and what that one reads first for prompts."""

    @property
    def base(self) -> LanguageModel: ...
    @property
    def first_read(self) -> FirstRead: ...
    @property
    def treatment(self) -> str: ...
    @property
    def reads_again(self) -> bool: ...


class Ground(NamedTuple):
    """The local model below all treatments, and what it reads first for prompts."""

    model: LocalModel
    first_read: FirstRead

    def queries(self, cells: Sequence[Cell]) -> list[Query]:
        queries = [cell.query for cell in cells]
        read = self.first_read([query.prompt for query in queries])
        return [replace(query, prompt=prompt) for query, prompt in zip(queries, read, strict=True)]


def layers(model: LanguageModel) -> Iterator[Layer]:
    """The treatments of a model, the outermost first."""
    while isinstance(model, Layer):
        yield model
        model = model.base


def beneath(model: LanguageModel) -> tuple[LanguageModel, FirstRead]:
    """The model below all treatments, and what it reads first for prompts."""
    treated = list(layers(model))

    def first_read(prompts: Sequence[Prompt]) -> list[Prompt]:
        read = list(prompts)
        for layer in treated:
            read = layer.first_read(read)
        return read

    return treated[-1].base if treated else model, first_read


def ground_of(model: LanguageModel) -> Ground | None:
    """The local model below all treatments; None where the model is of another kind."""
    below, first_read = beneath(model)
    return Ground(below, first_read) if isinstance(below, LocalModel) else None


class Overlong(NamedTuple):
    """How many of all prompts do not fit, the tokens of the longest one, and the item it comes from."""

    misfits: int
    of: int
    longest: int
    item: str


def overlong(ground: Ground, tasks: Sequence[Task], answering: Answering) -> Overlong:
    """Count the prompts that leave no room for their answer.

    A token is at least one byte, so only prompts with more bytes than the context has tokens are tokenised. The
    `paper` scorer cuts at a length of its own and is left out.
    """
    context = ground.model.context
    of = sum(len(task.examples) * len(task.wordings) for task in tasks)
    if context is None or answering == "paper":
        return Overlong(0, of, 0, "")
    count, longest, item = 0, 0, ""
    cells = every_cell(tasks)
    while batch := list(islice(cells, ENCODED)):
        for cell, length, room in _lengths(ground, _suspects(ground, batch, answering, context), answering):
            count += length + room > context
            if length > longest:
                longest, item = length, f"{cell.task.name}/{cell.example.id}"
    return Overlong(count, of, longest, item)


def refuse_overlong(model: LanguageModel, tasks: Sequence[Task], answering: Answering) -> None:
    """Raise `BadInput` if a prompt would have to be cut and the model was not told to."""
    ground = ground_of(model)
    if ground is None or ground.model.truncate != "error":
        return
    found = overlong(ground, tasks, answering)
    if found.misfits:
        raise BadInput(
            f"{found.misfits} of {found.of} prompts do not fit into the {ground.model.context} tokens of "
            f'"{model.name}" (the longest has {found.longest}, item "{found.item}"); shorten the items or cut them '
            "with --truncate left."
        )


def _suspects(
    ground: Ground, cells: Sequence[Cell], answering: Answering, context: int
) -> Iterator[tuple[Cell, Query]]:
    frame = len(ground.model.render("").encode()) + SPECIAL
    for cell, query in zip(cells, ground.queries(cells), strict=True):
        size = sum(len(part.text.encode()) for part in query.prompt)
        generates = needs(cell.task, answering) == "generate"
        room = cell.task.max_new_tokens if generates else 2 + max(len(label.encode()) for label in query.labels)
        if frame + size + room > context:
            yield cell, query


def _lengths(
    ground: Ground, suspects: Iterable[tuple[Cell, Query]], answering: Answering
) -> Iterator[tuple[Cell, int, int]]:
    """Each cell with the tokens of its prompt and of the longest answer."""
    pairs = list(suspects)
    if not pairs:
        return
    cells, queries = zip(*pairs, strict=True)
    ids = ground.model.encode([query.prompt for query in queries])
    labels = [() if needs(c.task, answering) == "generate" else q.labels for c, q in zip(cells, queries, strict=True)]
    forks = ground.model.encoder.continuations([query.prompt for query in queries], ids, labels)
    for cell, prompt, choices in zip(cells, ids, forks, strict=True):
        yield cell, len(prompt), max(map(len, choices), default=cell.task.max_new_tokens)
