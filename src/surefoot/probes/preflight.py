"""Before any cost: what the model will read, what looks wrong about it, and what the whole will take."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from surefoot.models.base import SCORERS, LanguageModel
from surefoot.models.local import LocalModel
from surefoot.models.prefix import plan
from surefoot.probes.asking import Answering, Cell, needs
from surefoot.probes.fitting import Ground, ground_of, layers, overlong
from surefoot.probes.pricing import endpoint_of, price_of
from surefoot.tasks.task import Task
from surefoot.text.prompt import Prompt

SAMPLE = 6  # items of each wording that are tokenised for the estimate


class Finding(NamedTuple):
    """Something a careful reader would want to know before paying for a run."""

    level: Literal["error", "warning", "note"]
    sentence: str


@dataclass(frozen=True)
class Preflight:
    """`asked` counts every request on its own; `computed` counts shared prefixes once (both are estimates).

    `requests` are those to an endpoint.
    """

    cells: int
    asked: int
    computed: int
    findings: tuple[Finding, ...]
    tokens_per_second: float | None = None
    requests: int | None = None

    @property
    def minutes(self) -> float | None:
        return self.computed / self.tokens_per_second / 60 if self.tokens_per_second else None


def preflight(
    model: LanguageModel, tasks: Sequence[Task], answering: Answering, *, measure: bool = True, states: bool = False
) -> Preflight:
    """Tokenise a sample of every wording, look for the usual mistakes, and estimate tokens and minutes.

    With `states` the prompts are read a second time, whole, for their hidden states.
    """
    cells = sum(len(task.examples) * len(task.wordings) for task in tasks)
    ground = ground_of(model)
    if ground is None:
        return _preflight_behind(model, tasks, answering, cells)
    asked = computed = 0
    findings = dict.fromkeys([*_format_findings(ground.model), *_reading_findings(model, tasks, answering)])
    for task in tasks:
        for wording in task.wordings:
            sample = random.Random(wording.id).sample(task.examples, min(SAMPLE, len(task.examples)))
            estimate = _estimate(ground, [Cell(task, wording, example) for example in sample], answering)
            scale = len(task.examples)
            again = estimate.prompt * scale if states else 0
            asked += int(estimate.asked * scale / len(sample) + again)
            computed += int(estimate.shared + estimate.each * scale + again)
        findings |= dict.fromkeys(_task_findings(ground, task, answering))
    rate = _speed(ground.model) if measure else None
    return Preflight(cells, asked, computed, tuple(findings), rate)


def _preflight_behind(model: LanguageModel, tasks: Sequence[Task], answering: Answering, cells: int) -> Preflight:
    """For a model whose weights are elsewhere, all that can be told is what is asked of it."""
    behind = endpoint_of(model)
    if behind is None or any(need not in behind.model.can for need in {needs(task, answering) for task in tasks}):
        return Preflight(cells, 0, 0, ())
    price = price_of(behind, tasks, answering)
    findings = tuple(_reading_findings(model, tasks, answering))
    return Preflight(cells, price.tokens, price.tokens, findings, requests=price.requests)


class _Estimate(NamedTuple):
    asked: int
    shared: float  # tokens that all items of the wording have in common
    each: float  # tokens that every further item adds
    prompt: float  # tokens of a whole prompt


def _estimate(ground: Ground, cells: Sequence[Cell], answering: Answering) -> _Estimate:
    """Distinct prefixes grow linearly with the items: shared + each * items, fitted on one item and on the sample."""
    model, queries = ground.model, ground.queries(cells)
    ids = model.encode([query.prompt for query in queries])
    prompt = sum(map(len, ids)) / len(ids)
    if needs(cells[0].task, answering) == "generate" or answering == "paper":
        each = prompt + cells[0].task.max_new_tokens / 2
        return _Estimate(int(each * len(ids)), 0, each, prompt)
    forks = model.encoder.continuations([q.prompt for q in queries], ids, [q.labels for q in queries])
    paths = [[[*p, *fork[:-1]] for fork in choices] for p, choices in zip(ids, forks, strict=True)]
    asked = sum(len(path) for choices in paths for path in choices)
    first = plan(paths[0]).tokens
    whole = plan([path for choices in paths for path in choices]).tokens
    each = (whole - first) / (len(paths) - 1) if len(paths) > 1 else first
    return _Estimate(asked, first - each, each, prompt)


def _speed(model: LocalModel) -> float | None:
    """Tokens a second on a short warm-up, a few tenths of a second long; None where not even that fits the context."""
    from time import perf_counter

    filler = "the quick brown fox jumps over the lazy dog " * 6
    while model.context is not None and len(model.encode([f"0 {filler}"])[0]) + 8 > model.context:
        filler = filler[: len(filler) // 2]
        if not filler:
            return None
    rate = 0.0
    for number in range(3):  # the first pass also warms up the library's kernels
        before, start = model.tokens.computed, perf_counter()
        model.choose([f"{number} {filler}"], [["yes", "no"]])
        rate = (model.tokens.computed - before) / (perf_counter() - start)
    return rate


def _format_findings(model: LocalModel) -> list[Finding]:
    found = []
    tokenizer, encoder = model.encoder.tokenizer, model.encoder
    if tokenizer.chat_template and encoder.format.name == "plain":
        found.append(
            Finding("warning", "The model has a chat template and the format is plain; it was tuned on the template.")
        )
    bos = tokenizer.bos_token_id
    raw = tokenizer(encoder.format.render(Prompt.of("x")), add_special_tokens=encoder.format.adds_special_tokens)[
        "input_ids"
    ]
    if bos is not None and raw[:2] == [bos, bos]:
        found.append(
            Finding("note", "Chat template and tokenizer both write the beginning token; one of them is left out.")
        )
    if encoder.bos is not None and raw[:1] != [bos]:
        found.append(
            Finding("note", "The chat template leaves out the tokenizer's beginning token; it is put in front.")
        )
    return found


def _reading_findings(model: LanguageModel, tasks: Sequence[Task], answering: Answering) -> list[Finding]:
    """What the estimate does not know of a text that is written in several readings."""
    if all(needs(task, answering) != "generate" for task in tasks):
        return []
    sentence = "{} reads anew for each step of a text; the estimate counts the first reading alone."
    return [Finding("note", sentence.format(below.treatment)) for below in layers(model) if below.reads_again]


def _task_findings(ground: Ground, task: Task, answering: Answering) -> list[Finding]:
    found, model = [], ground.model
    queries = [Cell(task, wording, task.examples[0]).query for wording in task.wordings]
    if task.kind != "generation" and answering in SCORERS:
        labels = {label for query in queries for label in query.labels}
        longest = max(labels, key=lambda label: len(model.encoder.labels([label])[0]))
        count = len(model.encoder.labels([longest])[0])
        if count > 1 and answering == "sum":
            sentence = (
                f'{task.name}: labels have up to {count} tokens ("{_short(longest)}"), and sums favour short ones.'
            )
            found.append(Finding("note", sentence))
        firsts = [example.gold for example in task.examples]
        if len(firsts) > 4 and len(set(firsts)) == 1:
            place = (firsts[0] or 0) + 1
            trap = f"the right option always stands in place {place}; a model that always picks it scores 100 %."
            found.append(Finding("warning", f"{task.name}: {trap}"))
    long = overlong(ground, [task], answering)
    if long.misfits:
        fate = "a run is refused" if model.truncate == "error" else "they are cut on the left"
        sentence = f"{long.misfits} of {long.of} prompts do not fit into {model.context} tokens (the longest has"
        level: Literal["error", "warning"] = "error" if model.truncate == "error" else "warning"
        found.append(Finding(level, f"{task.name}: {sentence} {long.longest}); {fate}."))
    return found


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
