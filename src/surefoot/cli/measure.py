"""`surefoot probe`, `report` and `runs`: measure, look at what was measured, and find it again."""

from __future__ import annotations

import shlex
import sys
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import typer

from surefoot.cli.app import app
from surefoot.cli.options import (
    Answering,
    AsJson,
    Columns,
    Device,
    Dtype,
    Format,
    HeldOut,
    Klasses,
    Limit,
    Model,
    ProbedTask,
    Remote,
    Seed,
    Shots,
    Spend,
    Tokenizer,
    Treat,
    Truncate,
    Wordings,
    Works,
    endpoint_from,
    model_from,
    task_from,
    tasks_from,
)
from surefoot.cli.output import print_json, print_reading, report_path
from surefoot.errors import BadInput


@app.command()
def probe(
    name: Annotated[str, typer.Argument(help="The probe, see `surefoot list`.")] = "phrasing",
    model: Model = "smollm2",
    task: ProbedTask = None,
    works: Works = None,
    out: Annotated[str | None, typer.Option(help="Run folder or fsspec URL; the same command goes on from it.")] = None,
    limit: Limit = None,
    shots: Shots = 0,
    seed: Seed = 0,
    wordings: Wordings = None,
    columns: Columns = None,
    classes: Klasses = None,
    held_out: HeldOut = False,
    scorer: Answering = "sum",
    recheck: Annotated[float, typer.Option(help="Share of cells computed twice, for the noise floor.")] = 0.01,
    format: Format = "auto",
    dtype: Dtype = "auto",
    device: Device = "auto",
    truncate: Truncate = "error",
    trust_remote_code: Remote = False,
    tokenizer: Tokenizer = None,
    budget: Spend = None,
    treat: Treat = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="A setting of the probe's own, as name=value; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure one slip of a model: a table here, rows and one HTML report in the run folder."""
    from surefoot.progress import Progress

    instrument = _instrument(name, {"answering": scorer, "recheck": recheck, "seed": seed}, setting or [])
    task = task_from(task, works) or instrument.suite
    tasks = tasks_from(task, limit, shots, seed, wordings, columns, classes, held_out)
    with Progress(quiet=as_json) as progress:
        progress.say(f"loading {model}")
        loaded = model_from(
            model,
            treat,
            format=format,
            dtype=dtype,
            device=device,
            truncate=truncate,
            trust_remote_code=trust_remote_code,
            endpoint=endpoint_from(tokenizer, budget),
        )
        instrument.check(loaded, tasks)
        call: dict[str, Any] = {"task": task, "limit": limit, "shots": shots, "seed": seed, "map": columns}
        call |= {
            "wordings": wordings,
            "classes": classes,
            "held_out": held_out,
            "scorer": scorer,
            "format": format,
            "treat": treat,
            "model": model,
        }
        call |= {"tokenizer": tokenizer} if tokenizer else {}
        call |= {"dtype": dtype, "device": device, "truncate": truncate, "recheck": recheck, "set": setting}
        folder = out or _default_folder(instrument.settings(loaded, tasks, call))
        reading = instrument.measure(
            loaded, tasks, out=folder, call=call, watch=progress.watch(loaded, tasks, instrument.filling, folder)
        )
    written = reading.save(report_path(folder))
    if as_json:
        print_json(reading.to_dict())
        return
    print_reading(reading)
    _say_full_command(limit)
    typer.echo(f"Rows: {folder}")
    typer.echo(f"Report: {written.resolve()}")


@app.command()
def report(
    run: Annotated[str, typer.Argument(help="A run folder.")],
    out: Annotated[str | None, typer.Option(help="Where the HTML goes; beside the rows by default.")] = None,
    export: Annotated[str | None, typer.Option(help="Write all rows to a .csv, .parquet or .jsonl file.")] = None,
    as_json: AsJson = False,
) -> None:
    """The report of a run, finished or not; or its rows as CSV, Parquet or JSON Lines."""
    if export:
        from surefoot.runs import export as write_rows

        typer.echo(f"{write_rows(run, export)} rows: {Path(export).resolve()}")
        return
    from surefoot.probes.stored import read_reading

    reading = read_reading(run)
    if as_json:
        print_json(reading.to_dict())
        return
    print_reading(reading)
    typer.echo(f"Report: {reading.save(out or report_path(run)).resolve()}")


@app.command()
def runs(
    folder: Annotated[str, typer.Argument(help="The folder that holds the runs.")] = "runs", as_json: AsJson = False
) -> None:
    """The runs in a folder, oldest first."""
    from surefoot.report.numbers import count
    from surefoot.runs import list_runs
    from surefoot.runs.folder import Folder

    place = Folder(folder)
    if folder != "runs" and not place.fs.isdir(place.root):
        raise BadInput(f'There is no folder "{folder}"; name the one that holds the runs.')
    found = list_runs(folder)
    if as_json:
        print_json([info._asdict() for info in found])
        return
    for info in found:
        state = info.problem or f"{'finished' if info.is_finished else 'unfinished'}, {count(info.rows, 'row')}"
        tasks = count(len(info.tasks), "task")
        typer.echo(f"{info.path}\n  {info.probe}, {info.model}, {tasks}, started {info.started}: {state}")
    if not found:
        typer.echo(f'There are no runs in "{folder}".')


def _instrument(name: str, shared: dict[str, Any], own: list[str]) -> Any:
    """The probe with the settings that all commands know, as far as it has them, and those that are its own."""
    from surefoot.catalogue import find
    from surefoot.settings import build

    entry = find("probe", name)
    known = {field.name for field in fields(entry.load())}
    pairs = [text.partition("=") for text in own]
    wrong = next((text for text, (key, equals, _) in zip(own, pairs, strict=True) if not (key and equals)), None)
    if wrong is not None:
        raise BadInput(f'--set takes name=value, and "{wrong}" is not of that form.')
    given = {key: value for key, value in shared.items() if key in known}
    return build(entry, {**given, **{key.strip(): value for key, _, value in pairs}})


def _default_folder(settings: Any) -> str:
    from surefoot.runs import default_folder

    return default_folder(settings)


def _say_full_command(limit: int | None) -> None:
    if limit is None:
        return
    words, skip = ["surefoot"], False
    for word in sys.argv[1:]:
        if skip or word in ("--limit", "--out"):
            skip = not skip
            continue
        if not word.startswith(("--limit=", "--out=")):
            words.append(word)
    typer.echo(f"This was a sample of {limit} items a task; the whole: {shlex.join(words)}")
