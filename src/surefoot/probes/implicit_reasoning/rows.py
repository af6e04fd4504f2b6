"""Rows of the implicit-reasoning probe: steps that the model answers itself, and decompositions that it writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from surefoot.decoding.sampling import Sampling
from surefoot.models.base import SCORERS, LanguageModel
from surefoot.probes.asking import Cell, chosen_row, first_line, written_row
from surefoot.probes.implicit_reasoning.decomposer import Decomposer, step_sari
from surefoot.questions.decomposition import Asked, run_together
from surefoot.tasks.implicit_items import step_passages
from surefoot.tasks.questions import question_of
from surefoot.tasks.task import Query
from surefoot.text.prompt import Part, Prompt

if TYPE_CHECKING:
    from surefoot.probes.implicit_reasoning.probe import ImplicitReasoning

Row = dict[str, Any]


def extended(probe: ImplicitReasoning, model: LanguageModel, cells: Sequence[Cell], rows: Sequence[Row]) -> list[Row]:
    """The rows with the columns of the probe."""
    empty = {"asked_steps": None, "step_answers": None, "decomposition": None, "sari": None}
    found = [{**row, **empty} for row in rows]
    stepwise = [i for i, cell in enumerate(cells) if cell.wording.id == "steps"]
    for i, columns in zip(stepwise, executed(probe, model, [cells[i] for i in stepwise]), strict=True):
        found[i] |= columns
    wanted = [i for i, cell in enumerate(cells) if probe.decompose and cell.wording.id == "question"]
    for i, columns in zip(wanted, decomposed(model, [cells[i] for i in wanted]), strict=True):
        found[i] |= columns
    return found


def executed(probe: ImplicitReasoning, model: LanguageModel, cells: Sequence[Cell]) -> list[Row]:
    """The answers to the last steps after the model has answered those before them, in rounds over all questions;
    each step with the gold passages that answer it, if any."""
    questions = [question_of(cell.example) for cell in cells]
    read = [step_passages(cell.example) for cell in cells]

    def answer(asked: Sequence[Asked]) -> list[str]:
        wanted = [one for one in asked if one.place < len(questions[one.question].steps) - 1]
        prompts = [step_prompt(one.text, read[one.question][one.place]) for one in wanted]
        texts = model.generate(prompts, Sampling(max_new_tokens=probe.step_tokens)) if prompts else []
        told = {one: first_line(text.text).rstrip(".") or "unknown" for one, text in zip(wanted, texts, strict=True)}
        return [told.get(one, "") for one in asked]

    done = run_together(questions, answer)
    queries = [
        replace(cell.query, prompt=last_prompt(one.texts[-1] or "", own[-1]))
        for cell, one, own in zip(cells, done, read, strict=True)
    ]
    return [
        {
            **row,
            "asked_steps": [text or "" for text in one.texts],
            "step_answers": [text or "" for text in one.answers[:-1]],
        }
        for row, one in zip(_answered(probe, model, cells, queries), done, strict=True)
    ]


def _answered(
    probe: ImplicitReasoning, model: LanguageModel, cells: Sequence[Cell], queries: Sequence[Query]
) -> list[Row]:
    """The answer columns of the last steps."""
    if not queries:
        return []
    prompts = [query.prompt for query in queries]
    if probe.answering in SCORERS:
        choices = model.choose(prompts, [query.labels for query in queries], probe.answering)  # type: ignore[arg-type]
        return [chosen_row(query, choice) for query, choice in zip(queries, choices, strict=True)]
    texts = model.generate(prompts, [Sampling(max_new_tokens=cell.task.max_new_tokens) for cell in cells])
    return [written_row(cell.task, query, text) for cell, query, text in zip(cells, queries, texts, strict=True)]


def step_prompt(text: str, context: str) -> Prompt:
    """A step that is to be answered in a few words."""
    head = Part("instruction", "Answer with a name, a number or a few words.\n\n")
    asked = (Part("input", "Question: ", heading=True), Part("input", f"{text}\n"))
    return Prompt((head, *_shown(context), *asked, _CUE))


def last_prompt(text: str, context: str) -> Prompt:
    """The last step, asked as the condition `filled` asks it."""
    head = Part("instruction", "Answer yes or no.\n\n")
    asked = (Part("input", "Question: ", heading=True), Part("input", text), Part("instruction", "\n"))
    return Prompt((head, *_shown(context), *asked, _CUE))


def _shown(context: str) -> tuple[Part, ...]:
    return (Part("context", "Passages:\n", heading=True), Part("context", f"{context}\n")) if context else ()


_CUE = Part("cue", "Answer:")


def decomposed(model: LanguageModel, cells: Sequence[Cell]) -> list[Row]:
    """A decomposition of each question by the model, and its SARI against the gold one."""
    if not cells:
        return []
    questions = [question_of(cell.example) for cell in cells]
    written = Decomposer(model).steps(questions)
    return [{"decomposition": " ".join(written[q.id]), "sari": step_sari(q, written[q.id])} for q in questions]
