"""A task: examples, the wordings that ask for it, and the rule that scores an answer."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal

from surefoot.errors import BadInput, nearest
from surefoot.text.instruction import Instruction
from surefoot.text.options import label_space, option_roles, option_values, show_options
from surefoot.text.prompt import Part, Prompt, Role
from surefoot.text.template import fields_of, render

Kind = Literal["multiple_choice", "binary", "multi_class", "generation"]


@dataclass(frozen=True)
class Example:
    """One item. Choice tasks have `options` and the index `gold`; generation tasks have accepted `answers`."""

    id: str
    fields: Mapping[str, str]
    options: tuple[str, ...] = ()
    gold: int | None = None
    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Query:
    """What one wording makes of one item: the prompt, the answer strings (none for generation), the right one."""

    prompt: Prompt
    labels: tuple[str, ...]
    gold: int | None
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """A task with its items and its wordings.

    `input_template` says how an item's fields make up `{{ input }}`; `roles` gives fields another role than `input`
    (a passage is `context`). `fixed_options` keeps the order of the options (yes/no, a scale); otherwise it is
    shuffled by item id and seed, because many published files list the right answer first. `shots` are worked
    examples that stand before the item; they are never among `examples`.
    """

    name: str
    kind: Kind
    examples: tuple[Example, ...]
    wordings: tuple[Instruction, ...]
    input_template: str = "{{ input }}"
    roles: Mapping[str, Role] = field(default_factory=dict)
    metric: str = "accuracy"
    max_new_tokens: int = 16
    fixed_options: bool = False
    shots: tuple[Example, ...] = ()
    description: str = ""
    source: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        if not self.examples:
            raise BadInput(f'The task "{self.name}" has no items; give it at least one.')
        if not self.wordings:
            raise BadInput(f'The task "{self.name}" has no wordings; give it at least one.')

    @cached_property
    def chance(self) -> float | None:
        """Expected accuracy of a uniform guess over the shown options; None for generation."""
        if self.kind == "generation":
            return None
        return sum(1 / len(example.options) for example in self.examples) / len(self.examples)

    @cached_property
    def hash(self) -> str:
        """A digest of everything that can change a row: items, wordings, rules."""
        digest = hashlib.sha256()
        for piece in _json_pieces(self):
            digest.update(piece.encode())
        return digest.hexdigest()[:16]

    def wording(self, id: str) -> Instruction:
        """The wording of this id."""
        for wording in self.wordings:
            if wording.id == id:
                return wording
        raise BadInput(f'The task "{self.name}" has no wording "{id}".{nearest(id, (w.id for w in self.wordings))}')

    def query(self, example: Example, wording: Instruction) -> Query:
        """The item as this wording asks it."""
        labels = label_space(wording.labels, wording.layout, example.options) if example.options else ()
        demonstrations = tuple(part for shot in self.shots for part in self._demonstration(shot, wording))
        prompt = Prompt((*demonstrations, *self._ask(example, wording)))
        return Query(prompt, labels, example.gold, example.answers)

    def shuffled(self, seed: int = 0) -> Task:
        """The task with each item's options in an order that depends on the item's id and the seed alone."""
        if self.fixed_options or self.kind == "generation":
            return self
        examples, shots = (tuple(_shuffle(e, seed) for e in group) for group in (self.examples, self.shots))
        return replace(self, examples=examples, shots=shots)

    def sample(self, limit: int | None, seed: int = 0) -> Task:
        """The task reduced to `limit` items, the same ones for the same seed, in their original order."""
        if limit is None or limit >= len(self.examples):
            return self
        chosen = sorted(range(len(self.examples)), key=lambda i: _digest(self.examples[i].id, seed))[:limit]
        return replace(self, examples=tuple(self.examples[i] for i in sorted(chosen)))

    def with_shots(self, n: int, seed: int = 0) -> Task:
        """The task with `n` worked examples, taken out of its items."""
        if n <= 0:
            return self
        if n >= len(self.examples):
            raise BadInput(f'{n} shots leave no items of "{self.name}", which has {len(self.examples)}.')
        ranked = sorted(self.examples, key=lambda e: _digest(f"shot/{e.id}", seed))
        taken = {example.id for example in ranked[:n]}
        return replace(self, shots=tuple(ranked[:n]), examples=tuple(e for e in self.examples if e.id not in taken))

    def _ask(self, example: Example, wording: Instruction) -> tuple[Part, ...]:
        values: dict[str, Any] = {"options": show_options(wording.layout, example.options)}
        values |= option_values(example.options, wording.blocks)
        values |= example.fields
        values["input"] = render(self.input_template, dict(example.fields), self.roles, literal="input")
        roles = {**option_roles(wording.blocks), **self.roles}
        if wording.frame_template:
            values["instruction"] = render(wording.text, values, roles)
        cue = (Part("cue", wording.cue),) if wording.cue else ()
        return (*render(wording.template, values, roles), *cue)

    def _demonstration(self, shot: Example, wording: Instruction) -> tuple[Part, ...]:
        labels = label_space(wording.labels, wording.layout, shot.options) if shot.options else shot.answers
        answer = labels[shot.gold or 0]
        text = "".join(part.text for part in self._ask(shot, wording))
        space = "" if text[-1:].isspace() else " "
        return (Part("demonstration", f"{text}{space}{answer}\n\n"),)

    def field_names(self) -> frozenset[str]:
        """What a template of this task may name."""
        own = {name for example in self.examples for name in example.fields}
        widest = max(self.examples, key=lambda example: len(example.options)).options
        return frozenset(own | {"input", "options", "instruction"} | set(option_values(widest, {})))

    def used_fields(self, wording: Instruction) -> frozenset[str]:
        """The item's fields that this wording shows, through `{{ input }}` too."""
        named = set(fields_of(wording.template)) | set(fields_of(wording.text))
        if "input" in named:
            named |= set(fields_of(self.input_template))
        return frozenset(named)


def _json_pieces(task: Task) -> Iterator[str]:
    """The task as one JSON object with sorted keys, an item or a wording at a time."""
    for place, name in enumerate(sorted(one.name for one in fields(task))):
        value = getattr(task, name)
        yield f'{", " if place else "{"}"{name}": '
        if isinstance(value, tuple):
            yield "["
            yield from (f"{', ' if k else ''}{_json(asdict(one))}" for k, one in enumerate(value))
            yield "]"
        else:
            yield _json(value)
    yield "}"


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=dict)


def _shuffle(example: Example, seed: int) -> Example:
    order = list(range(len(example.options)))
    random.Random(_digest(example.id, seed)).shuffle(order)
    gold = None if example.gold is None else order.index(example.gold)
    return replace(example, options=tuple(example.options[i] for i in order), gold=gold)


def _digest(id: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{id}".encode()).hexdigest()
