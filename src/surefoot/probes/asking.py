"""Cells to rows: what a model answers to items under wordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, nearest
from surefoot.metrics import metric
from surefoot.models.base import SCORERS, Choice, Generation, LanguageModel
from surefoot.probes.letters import choose_by_samples, choose_letters
from surefoot.tasks.task import Example, Query, Task
from surefoot.text.answers import parse_answer
from surefoot.text.instruction import Instruction

Answering = Literal["sum", "mean", "end", "paper", "letter", "samples", "generate"]
"""How an answer is got: options ranked by a scorer of `surefoot.models.base.SCORERS`; by `letter`, for models that show
no more than their next token; by `samples`, for models that only write; or text written and parsed."""
ANSWERING: tuple[str, ...] = get_args(Answering)


class Cell(NamedTuple):
    """One item of a task under one wording."""

    task: Task
    wording: Instruction
    example: Example

    @property
    def query(self) -> Query:
        return self.task.query(self.example, self.wording)


def check_answering(answering: str) -> None:
    if answering not in ANSWERING:
        raise BadInput(f'"{answering}" is not a scorer.{nearest(answering, ANSWERING)}')


def needs(task: Task, answering: str) -> str:
    """The capability that the task asks of a model."""
    if task.kind == "generation":
        return "generate"
    return "logprobs" if answering in SCORERS else "top_logprobs" if answering == "letter" else "generate"


def ask(
    model: LanguageModel, cells: Sequence[Cell], answering: Answering, *, recheck: bool = False
) -> list[dict[str, Any]]:
    """A row for each cell, in their order."""
    rows: dict[int, dict[str, Any]] = {}
    for chosen in (True, False):
        places = [i for i, cell in enumerate(cells) if _is_chosen(cell.task, answering) == chosen]
        if not places:
            continue
        part = [cells[i] for i in places]
        answers = _choose(model, part, answering) if chosen else _write(model, part)
        for i, cell, answer in zip(places, part, answers, strict=True):
            rows[i] = {**_names(model, cell, recheck), **answer}
    return [rows[i] for i in range(len(cells))]


def _names(model: LanguageModel, cell: Cell, recheck: bool) -> dict[str, Any]:
    return {
        "model": model.name,
        "task": cell.task.name,
        "wording": cell.wording.id,
        "klass": cell.wording.klass,
        "frame": cell.wording.frame,
        "item": cell.example.id,
        "recheck": recheck,
    }


def _is_chosen(task: Task, answering: str) -> bool:
    """Whether the answer is one of the options, ranked; else it is a text."""
    return task.kind != "generation" and answering != "generate"


def _choose(model: LanguageModel, cells: Sequence[Cell], answering: Answering) -> list[dict[str, Any]]:
    queries = [cell.query for cell in cells]
    prompts, labels = [q.prompt for q in queries], [q.labels for q in queries]
    if answering == "letter":
        choices = choose_letters(model, prompts, labels)
    elif answering == "samples":
        choices = choose_by_samples(model, prompts, labels, [cell.task.max_new_tokens for cell in cells])
    else:
        choices = model.choose(prompts, labels, answering)  # type: ignore[arg-type]
    return [chosen_row(query, choice) for query, choice in zip(queries, choices, strict=True)]


def chosen_row(query: Query, choice: Choice) -> dict[str, Any]:
    """The answer columns for a forced choice. Unparsed where no option has a usable score."""
    gold = _gold(query)
    usable = choice.index is not None
    return {
        "outcome": "unparsed" if not usable else "right" if choice.index == gold else "wrong",
        "score": float(choice.index == gold) if usable else None,
        "gold": query.labels[gold],
        "predicted": query.labels[choice.index] if choice.index is not None else None,
        "gold_index": gold,
        "predicted_index": choice.index,
        "option_scores": [float(score) for score in choice.scores],
        "truncated": choice.truncated,
        "prompt_tokens": choice.prompt_tokens,
    }


def _write(model: LanguageModel, cells: Sequence[Cell]) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {}
    for limit in sorted({cell.task.max_new_tokens for cell in cells}):
        places = [i for i, cell in enumerate(cells) if cell.task.max_new_tokens == limit]
        queries = [cells[i].query for i in places]
        texts = model.generate([q.prompt for q in queries], Sampling(max_new_tokens=limit))
        for i, query, generation in zip(places, queries, texts, strict=True):
            rows[i] = written_row(cells[i].task, query, generation)
    return [rows[i] for i in range(len(cells))]


def written_row(task: Task, query: Query, generation: Generation) -> dict[str, Any]:
    """The answer columns for a written text: parsed into a label where there are labels, else scored by the metric.

    Beside them stands the `generation` itself, for a probe that measures more of it; `fill` leaves it out of the rows.
    """
    common = {
        "generation": generation,
        "text": generation.text,
        "finish_reason": generation.finish_reason,
        "truncated": generation.truncated,
        "prompt_tokens": generation.prompt_tokens,
    }
    if query.labels:
        gold = _gold(query)
        index = parse_answer(generation.text, query.labels)
        parsed = chosen_row(query, Choice(index, ()))
        return {**parsed, **common, "gold": query.labels[gold], "option_scores": None}
    answer = first_line(generation.text)
    if not answer:
        return {**common, "outcome": "unparsed", "score": None, "gold": query.answers[0], "predicted": None}
    score = metric(task.metric).score(answer, query.answers)
    outcome = "right" if score >= 1 else "wrong"
    return {**common, "outcome": outcome, "score": score, "gold": query.answers[0], "predicted": answer}


def first_line(text: str) -> str:
    """The first line that is not blank: short answers end there, whatever a talkative model adds."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _gold(query: Query) -> int:
    assert query.gold is not None
    return query.gold
