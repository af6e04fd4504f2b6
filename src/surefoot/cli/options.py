"""The options that several commands take, and what becomes of their values."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any

import typer

from surefoot.errors import BadInput

TASKS = (
    "A suite, suite/task, folder or .jsonl, or what follows one of bigbench:, conflict:, contexts:, hub:, mmlu:, "
    "nomiracl:, questions:, released:, strategyqa:, summaries:, works:, world: (docs/your-own-task.md)"
)
Model = Annotated[
    str, typer.Option(help="smollm2, a folder, a .gguf file, hf:org/name, or an endpoint: http://host:8000/v1#name.")
]
Tokenizer = Annotated[
    str | None,
    typer.Option(help="Of an endpoint's model: renders prompts here and scores exactly. smollm2, a folder or hf:."),
]
Spend = Annotated[
    str | None, typer.Option("--budget", help="The most to spend at an endpoint now: requests=5000,tokens=2e6.")
]
TaskOption = Annotated[str, typer.Option(help=f"{TASKS}.")]
ProbedTask = Annotated[
    str | None,
    typer.Option(help=f"{TASKS}; by default the probe's own suite."),
]
Works = Annotated[
    str | None, typer.Option(help="A file of works (.jsonl, .csv, .txt or a folder), short for --task works:FILE.")
]
Limit = Annotated[int | None, typer.Option(help="Items of each task, a fixed sample; all by default.")]
Shots = Annotated[int, typer.Option(help="Worked examples before each item, taken out of the items.")]
Seed = Annotated[int, typer.Option(help="Seed of sampling and of the order of options.")]
Wordings = Annotated[str | None, typer.Option(help="A JSON Lines file of wordings instead of the task's own.")]
Columns = Annotated[
    list[str] | None, typer.Option("--map", help="Column of a .jsonl file, as field=column; repeatable.")
]
Klasses = Annotated[str | None, typer.Option("--classes", help="Classes of wordings to keep, separated by commas.")]
HeldOut = Annotated[
    bool, typer.Option("--held-out", help="Only the wordings that training leaves out, and the controls.")
]
Answering = Annotated[
    str, typer.Option("--scorer", help="How an answer is got: sum, mean, end, paper, letter, samples or generate.")
]
Format = Annotated[str, typer.Option(help="Prompt format: auto, chat, chat-prefill or plain.")]
Dtype = Annotated[str, typer.Option(help="auto, bfloat16, float16 or float32.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Truncate = Annotated[str, typer.Option(help="A prompt beyond the context: error, or cut on the left: left.")]
Remote = Annotated[bool, typer.Option("--trust-remote-code", help="Run code that the model brings along.")]
Treat = Annotated[list[str] | None, typer.Option(help="A treatment as name:setting=value,...; repeatable.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


def task_from(task: str | None, works: str | None) -> str | None:
    """The task as one spec. Raises `BadInput` where both are given."""
    if task is not None and works is not None:
        raise BadInput(f'--works {works} names the task already; leave out --task "{task}".')
    return task if works is None else f"works:{works}"


def tasks_from(
    task: str,
    limit: int | None,
    shots: int,
    seed: int,
    wordings: str | None,
    columns: list[str] | None,
    classes: str | None,
    held_out: bool = False,
) -> Any:
    from surefoot.tasks.loading import load_selection

    words = {"limit": limit, "shots": shots, "seed": seed, "wordings": wordings, "map": columns, "classes": classes}
    return load_selection(task, {**words, "held_out": held_out})


def model_from(spec: str, treatments: list[str] | None, **options: Any) -> Any:
    from surefoot.models.load import load

    treated = [treated_by(text) for text in treatments or ()]  # before the model, so that a mistake is said at once
    model = load(spec, **options)
    for apply in treated:
        model = apply(model)
    return model


def endpoint_from(tokenizer: str | None, budget: str | None = None) -> Any:
    """How an endpoint is asked; None where nothing is said of it."""
    from surefoot.endpoints import Budget, EndpointSettings

    if tokenizer is None and budget is None:
        return None
    return EndpointSettings(tokenizer=tokenizer, budget=None if budget is None else Budget.read(budget))


def treated_by(text: str) -> Callable[[Any], Any]:
    """What a treatment given as name:setting=value,... makes of a model. Raises `BadInput` for what it cannot be."""
    from surefoot.catalogue import find
    from surefoot.settings import build

    name, settings = settings_of(text)
    apply: Callable[[Any], Any] = build(find("treatment", name), settings).apply
    return apply


def settings_of(text: str) -> tuple[str, dict[str, Any]]:
    """A treatment given as name:setting=value,... as its name and its settings."""
    name, _, rest = text.partition(":")
    return name, _treatment_settings(rest)


def pairs(settings: list[str] | None) -> dict[str, Any]:
    """Settings that are given one by one as name=value."""
    found = [text.partition("=") for text in settings or ()]
    wrong = next((text for text, equals, _ in found if not equals), None)
    if wrong is not None:
        raise BadInput(f'--set takes name=value, and "{wrong}" is not of that form.')
    return {name.strip(): value for name, _, value in found}


def _treatment_settings(text: str) -> dict[str, Any]:
    """`a=1,b=x, y` as {a: 1, b: "x, y"}: a comma ends a value only where another `name=` follows."""
    pairs = [pair.partition("=") for pair in re.split(r",(?=\s*[A-Za-z_]\w*=)", text)] if text else []
    wrong = next((pair for pair, equals, _ in pairs if not equals), None)
    if wrong is not None:
        raise BadInput(f'--treat takes name:setting=value, and "{wrong}" is not of the form setting=value.')
    return {key.strip(): value for key, _, value in pairs}
