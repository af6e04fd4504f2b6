"""`surefoot treat`: from a model to a steadier model, kept in a folder."""

from __future__ import annotations

from typing import Annotated

import typer

from surefoot.cli.app import app
from surefoot.cli.options import (
    Columns,
    Device,
    Dtype,
    Format,
    Model,
    Truncate,
    Wordings,
    model_from,
    pairs,
    tasks_from,
)
from surefoot.cli.training_progress import TrainingProgress
from surefoot.errors import BadInput


@app.command()
def treat(
    name: Annotated[str, typer.Argument(help="A treatment that is trained, see `surefoot list`.")],
    out: Annotated[str, typer.Option(help="Folder for the treated model; the same command goes on from it.")],
    model: Model = "smollm2",
    task: Annotated[
        str, typer.Option(help="What it is trained on: anything that `surefoot probe --task` takes.")
    ] = "demo",
    wordings: Wordings = None,
    columns: Columns = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the treatment as name=value; repeatable.")
    ] = None,
    format: Format = "auto",
    dtype: Dtype = "auto",
    device: Device = "auto",
    truncate: Truncate = "error",
) -> None:
    """Train a treatment; `surefoot probe --model OUT` measures the treated model."""
    from surefoot.catalogue import find
    from surefoot.settings import build, members

    entry = find("treatment", name)
    if "out" not in {member.name for member in members(entry.load())}:
        raise BadInput(f'"{name}" has nothing to train; apply it to a model where that is loaded: --treat {name}:...')
    tasks = tasks_from(task, None, 0, 0, wordings, columns, None)
    treatment = build(entry, {**pairs(settings), "task": tasks, "out": out})
    with TrainingProgress() as progress:
        progress.say(f"loading {model}")
        loaded = model_from(model, None, format=format, dtype=dtype, device=device, truncate=truncate)
        treated = treatment.apply(loaded, progress.step)
    typer.echo(f"{treated.name}: {treated.adapter.trainable:,} trained values")
    typer.echo(f"Treated model: {out}")
