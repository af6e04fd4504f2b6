"""What a probe of a model behind an endpoint will cost: requests and tokens, estimated before the first is sent."""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from surefoot.decoding.sampling import Sampling
from surefoot.endpoints.client import Question
from surefoot.endpoints.model import EndpointModel
from surefoot.models.base import LanguageModel
from surefoot.probes.asking import Answering, Cell, needs
from surefoot.probes.fitting import FirstRead, beneath
from surefoot.probes.letters import SAMPLES, lettered
from surefoot.tasks.task import Task

SAMPLE = 6  # items of each wording that are looked at


class Behind(NamedTuple):
    """The endpoint's model below all treatments, and what it is asked first for prompts."""

    model: EndpointModel
    first_read: FirstRead


class Price(NamedTuple):
    requests: int
    tokens: int


def endpoint_of(model: LanguageModel) -> Behind | None:
    """The endpoint below all treatments; None where the model is of another kind."""
    below, first_read = beneath(model)
    return Behind(below, first_read) if isinstance(below, EndpointModel) else None


def price_of(behind: Behind, tasks: Sequence[Task], answering: Answering) -> Price:
    """Of every cell once, extrapolated from a sample of each wording; what is kept from before is not taken off."""
    requests = tokens = 0.0
    for task in tasks:
        for wording in task.wordings:
            items = random.Random(wording.id).sample(task.examples, min(SAMPLE, len(task.examples)))
            questions = _questions(behind, [Cell(task, wording, item) for item in items], answering)
            scale = len(task.examples) / len(items)
            single = sum(question.alone for question in questions)
            requests += scale * single + ceil(scale * (len(questions) - single) / behind.model.client.together)
            tokens += scale * sum(question.tokens for question in questions)
    return Price(max(1, round(requests)), round(tokens))


def _questions(behind: Behind, cells: Sequence[Cell], answering: Answering) -> list[Question]:
    model, queries, task = behind.model, [cell.query for cell in cells], cells[0].task
    prompts = behind.first_read([query.prompt for query in queries])
    if needs(task, answering) == "generate":
        times = SAMPLES if answering == "samples" and task.kind != "generation" else 1
        return model.writing(prompts, [Sampling(task.max_new_tokens)] * len(prompts)) * times
    labels = [query.labels for query in queries]
    if answering == "letter":
        prompts = [lettered(prompt, options) for prompt, options in zip(prompts, labels, strict=True)]
        labels = [tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(options)]) for options in labels]
    return model.choosing(prompts, labels)
