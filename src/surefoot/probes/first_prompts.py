"""The first prompt of each wording, as the model reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from surefoot.models.base import LanguageModel
from surefoot.tasks.task import Task


@dataclass(frozen=True)
class FirstPrompt:
    """What the model is shown for the first item under one wording.

    `text` is the exact rendered prompt, chat template included. `token_strings` are the tokens decoded one by one, as
    many as there are `token_ids`; a token that is only part of a character may show as a replacement mark.
    """

    task: str
    wording: str
    klass: str
    text: str
    token_ids: tuple[int, ...] = ()
    token_strings: tuple[str, ...] = ()


def first_prompts(model: LanguageModel, tasks: Sequence[Task]) -> tuple[FirstPrompt, ...]:
    """The first item of each task under each wording."""
    return tuple(_first(model, task, place) for task in tasks for place in range(len(task.wordings)))


def _first(model: LanguageModel, task: Task, place: int) -> FirstPrompt:
    wording = task.wordings[place]
    prompt = task.query(task.examples[0], wording).prompt
    tokens = model.show_tokens(prompt)
    ids, strings = tuple(i for i, _ in tokens), tuple(text for _, text in tokens)
    return FirstPrompt(task.name, wording.id, wording.klass, model.render(prompt), ids, strings)


def prompts_to_json(prompts: Sequence[FirstPrompt]) -> list[dict[str, Any]]:
    return [asdict(prompt) for prompt in prompts]


def prompts_from_json(records: Sequence[Mapping[str, Any]]) -> tuple[FirstPrompt, ...]:
    return tuple(
        FirstPrompt(
            **{**record, "token_ids": tuple(record["token_ids"]), "token_strings": tuple(record["token_strings"])}
        )
        for record in records
    )
