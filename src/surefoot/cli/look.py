"""`surefoot list` and `surefoot show`: what there is, and what a run would ask, before any cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from surefoot.cli.app import app
from surefoot.cli.options import (
    Answering,
    AsJson,
    Columns,
    Format,
    Limit,
    Model,
    Seed,
    Shots,
    TaskOption,
    Tokenizer,
    Treat,
    Truncate,
    Wordings,
    endpoint_from,
    model_from,
    tasks_from,
)
from surefoot.cli.output import print_json

if TYPE_CHECKING:
    from surefoot.probes.first_prompts import FirstPrompt


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Probes, treatments, recipes, suites and reproductions by name."""
    from surefoot.catalogue import ENTRIES

    if as_json:
        print_json([entry._asdict() for entry in ENTRIES])
        return
    for kind in dict.fromkeys(entry.kind for entry in ENTRIES):
        typer.echo(f"{kind}s")
        for entry in ENTRIES:
            if entry.kind == kind:
                typer.echo(f"  {entry.name:<14} {entry.summary}")


@app.command()
def show(
    model: Model = "smollm2",
    task: TaskOption = "demo",
    wording: Annotated[str | None, typer.Option(help="Only this wording; by default the first of each class.")] = None,
    limit: Limit = None,
    shots: Shots = 0,
    seed: Seed = 0,
    wordings: Wordings = None,
    columns: Columns = None,
    scorer: Answering = "sum",
    format: Format = "auto",
    truncate: Truncate = "error",
    tokenizer: Tokenizer = None,
    treat: Treat = None,
    as_json: AsJson = False,
) -> None:
    """The exact first prompts and their tokens, what looks wrong, and what a run would cost."""
    from surefoot.probes.first_prompts import first_prompts
    from surefoot.probes.preflight import preflight

    tasks = tasks_from(task, limit, shots, seed, wordings, columns, None)
    loaded = model_from(model, treat, format=format, truncate=truncate, endpoint=endpoint_from(tokenizer))
    shown = _chosen(first_prompts(loaded, tasks), wording)
    if wording is not None and not shown:
        for one in tasks:
            one.wording(wording)  # names the nearest
    found = preflight(loaded, tasks, scorer)  # type: ignore[arg-type]
    if as_json:
        from surefoot.probes.first_prompts import prompts_to_json
        from surefoot.probes.summary import plain

        print_json({"prompts": prompts_to_json(shown), "preflight": plain(found)})
        return
    for prompt in shown:
        typer.echo(f"== {prompt.task}: {prompt.wording} ({prompt.klass}), {len(prompt.token_ids)} tokens")
        typer.echo(_visible(prompt.text))
        typer.echo(f"-- ids: {' '.join(map(str, prompt.token_ids))}\n")
    _say_preflight(found)


def _chosen(prompts: Sequence[FirstPrompt], wording: str | None) -> list[FirstPrompt]:
    """The prompts of one wording, or the first of each class of each task."""
    if wording is not None:
        return [prompt for prompt in prompts if prompt.wording == wording]
    first = {(prompt.task, prompt.klass): prompt for prompt in reversed(prompts)}
    return [prompt for prompt in prompts if first[prompt.task, prompt.klass] is prompt]


def _say_preflight(found: Any) -> None:
    for finding in found.findings:
        typer.echo(f"{finding.level}: {finding.sentence}")
    if found.requests is not None:
        typer.echo(f"{found.cells} cells, about {found.requests:,} requests and {found.asked:,} tokens")
        return
    typer.echo(f"{found.cells} cells, about {found.asked:,} tokens asked and {found.computed:,} to compute")
    if found.minutes is not None:
        typer.echo(f"about {found.minutes:.1f} minutes at {found.tokens_per_second:,.0f} tokens/s")


def _visible(text: str) -> str:
    from surefoot.report.numbers import visible

    return "\n".join(visible(line) for line in text.split("\n"))
