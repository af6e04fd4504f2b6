"""The command line: the same verbs as in Python, with progress, and errors as one sentence."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from surefoot.errors import BadInput, SurefootError

app = typer.Typer(
    name="surefoot",
    help="Find where an instruction-tuned language model slips, give it grip, and prove that it holds.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    epilog="Every command takes --debug, which shows the traceback of an error.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

Model = Annotated[str, typer.Option(help="smollm2, a folder, a .gguf file, or hf:org/name.")]
TaskOption = Annotated[
    str, typer.Option(help="A suite, suite/task, folder, .jsonl, bigbench:, mmlu:, hub: or released:.")
]
Limit = Annotated[int | None, typer.Option(help="Items of each task, a fixed sample; all by default.")]
Shots = Annotated[int, typer.Option(help="Worked examples before each item, taken out of the items.")]
Seed = Annotated[int, typer.Option(help="Seed of sampling and of the order of options.")]
Wordings = Annotated[str | None, typer.Option(help="A JSON Lines file of wordings instead of the task's own.")]
Columns = Annotated[
    list[str] | None, typer.Option("--map", help="Column of a .jsonl file, as field=column; repeatable.")
]
Klasses = Annotated[str | None, typer.Option("--classes", help="Classes of wordings to keep, separated by commas.")]
Answering = Annotated[str, typer.Option("--scorer", help="How an answer is got: sum, mean, end, paper or generate.")]
Format = Annotated[str, typer.Option(help="Prompt format: auto, chat, chat-prefill or plain.")]
Dtype = Annotated[str, typer.Option(help="auto, bfloat16, float16 or float32.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Truncate = Annotated[str, typer.Option(help="A prompt beyond the context: error, or cut on the left: left.")]
Remote = Annotated[bool, typer.Option("--trust-remote-code", help="Run code that the model brings along.")]
Treat = Annotated[list[str] | None, typer.Option(help="A treatment as name:setting=value,...; repeatable.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Probes, treatments, suites and reproductions by name."""
    from surefoot.catalogue import ENTRIES

    if as_json:
        _print_json([entry._asdict() for entry in ENTRIES])
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
    treat: Treat = None,
) -> None:
    """The exact first prompts and their tokens, what looks wrong, and what a run would cost."""
    from surefoot.probes.first_prompts import first_prompts
    from surefoot.probes.preflight import preflight

    tasks = _tasks(task, limit, shots, seed, wordings, columns, None)
    loaded = _model(model, treat, format=format, truncate=truncate)
    shown = set()
    for prompt in first_prompts(loaded, tasks):
        key = (prompt.task, prompt.klass)
        if (wording is None and key in shown) or (wording is not None and wording != prompt.wording):
            continue
        shown.add(key)
        typer.echo(f"== {prompt.task}: {prompt.wording} ({prompt.klass}), {len(prompt.token_ids)} tokens")
        typer.echo(_visible(prompt.text))
        typer.echo(f"-- ids: {' '.join(map(str, prompt.token_ids))}\n")
    if wording is not None and not shown:
        for one in tasks:
            one.wording(wording)  # names the nearest
    found = preflight(loaded, tasks, scorer)  # type: ignore[arg-type]
    _say_preflight(found)


@app.command()
def probe(
    name: Annotated[str, typer.Argument(help="The probe, see `surefoot list`.")] = "phrasing",
    model: Model = "smollm2",
    task: TaskOption = "demo",
    out: Annotated[str | None, typer.Option(help="Run folder or fsspec URL; the same command goes on from it.")] = None,
    limit: Limit = None,
    shots: Shots = 0,
    seed: Seed = 0,
    wordings: Wordings = None,
    columns: Columns = None,
    classes: Klasses = None,
    scorer: Answering = "sum",
    recheck: Annotated[float, typer.Option(help="Share of cells computed twice, for the noise floor.")] = 0.01,
    format: Format = "auto",
    dtype: Dtype = "auto",
    device: Device = "auto",
    truncate: Truncate = "error",
    trust_remote_code: Remote = False,
    treat: Treat = None,
    as_json: AsJson = False,
) -> None:
    """Measure one slip of a model: a table here, rows and one HTML report in the run folder."""
    from surefoot.catalogue import find
    from surefoot.progress import Progress
    from surefoot.settings import build

    instrument = build(find("probe", name), {"answering": scorer, "recheck": recheck, "seed": seed})
    tasks = _tasks(task, limit, shots, seed, wordings, columns, classes)
    with Progress(quiet=as_json) as progress:
        progress.say(f"loading {model}")
        loaded = _model(
            model,
            treat,
            format=format,
            dtype=dtype,
            device=device,
            truncate=truncate,
            trust_remote_code=trust_remote_code,
        )
        instrument.check(loaded, tasks)
        call: dict[str, Any] = {"task": task, "limit": limit, "shots": shots, "seed": seed, "map": columns}
        call |= {
            "wordings": wordings,
            "classes": classes,
            "scorer": scorer,
            "format": format,
            "treat": treat,
            "model": model,
        }
        call |= {"dtype": dtype, "device": device, "truncate": truncate, "recheck": recheck}
        folder = out or _default_folder(instrument.settings(loaded, tasks, call))
        reading = instrument.measure(
            loaded, tasks, out=folder, call=call, watch=progress.watch(loaded, tasks, instrument.filling, folder)
        )
    report_path = reading.save(_report_path(folder))
    if as_json:
        _print_json(reading.to_dict())
        return
    _print(reading)
    _say_full_command(limit)
    typer.echo(f"Rows: {folder}")
    typer.echo(f"Report: {report_path.resolve()}")


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
    reading = _reading(run)
    if as_json:
        _print_json(reading.to_dict())
        return
    _print(reading)
    typer.echo(f"Report: {reading.save(out or _report_path(run)).resolve()}")


@app.command()
def compare(
    before: Annotated[str, typer.Argument(help="A run folder.")],
    after: Annotated[str, typer.Argument(help="A run folder of the same tasks and items.")],
    as_json: AsJson = False,
) -> None:
    """Two runs on the same items: paired differences with intervals."""
    from surefoot.comparison import compare as compare_readings

    comparison = compare_readings(_reading(before), _reading(after))
    if as_json:
        _print_json(comparison.to_dict())
    else:
        typer.echo(str(comparison))


@app.command()
def runs(
    folder: Annotated[str, typer.Argument(help="The folder that holds the runs.")] = "runs", as_json: AsJson = False
) -> None:
    """The runs in a folder, oldest first."""
    from surefoot.runs import list_runs

    found = list_runs(folder)
    if as_json:
        _print_json([info._asdict() for info in found])
        return
    for info in found:
        state = info.problem or f"{'finished' if info.is_finished else 'unfinished'}, {info.rows} rows"
        typer.echo(
            f"{info.path}\n  {info.probe}, {info.model}, {len(info.tasks)} tasks, started {info.started}: {state}"
        )
    if not found:
        typer.echo(f'There are no runs in "{folder}".')


@app.command()
def calibrate(
    name: Annotated[str, typer.Argument(help="The probe, see `surefoot list`.")] = "phrasing", as_json: AsJson = False
) -> None:
    """What the probe reads on models whose behaviour is known, beside the truth. Exit code 1 if a reading is off."""
    from surefoot.calibration import calibrate as run_calibrations
    from surefoot.calibration import calibration_table

    lines = run_calibrations(name)
    if as_json:
        _print_json([line._asdict() for line in lines])
    else:
        typer.echo(calibration_table(lines))
    if not all(line.ok for line in lines):
        raise typer.Exit(1)


@app.command()
def reproduce(
    id: Annotated[str, typer.Argument(help="The reproduction, see `surefoot list`.")],
    data: Annotated[str | None, typer.Option(help="Folder of the published data.")] = None,
    as_json: AsJson = False,
) -> None:
    """A published table, recomputed: expected and measured numbers side by side. Exit code 1 if one is off."""
    from surefoot.reproductions import reproduce as recompute

    result = recompute(id, data)
    if as_json:
        _print_json(result.to_dict())
    else:
        typer.echo(str(result))
    if not result.ok:
        raise typer.Exit(1)


def main() -> None:
    """Run the command line: exit code 2 with one sentence for bad input, 130 for Ctrl-C, a traceback with --debug."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(args=arguments, prog_name="surefoot", standalone_mode=True)
    except SurefootError as error:
        _fail(str(error), error.exit_code, debug)
    except (KeyboardInterrupt, SystemExit) as ended:
        if isinstance(ended, SystemExit) and ended.code != 130:  # typer turns Ctrl-C into this code, in silence
            raise
        _fail("Stopped. Everything finished is stored; the same command goes on from there.", 130, debug)
    except OSError as error:
        import errno

        if error.errno == errno.EPIPE:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(141) from None
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        _fail("The disk is full; free some space and give the same command again." if full else str(error), 2, debug)


def _fail(sentence: str, code: int, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()
    typer.echo(f"surefoot: {sentence}", err=True)
    raise SystemExit(code)


def _tasks(
    task: str,
    limit: int | None,
    shots: int,
    seed: int,
    wordings: str | None,
    columns: list[str] | None,
    classes: str | None,
) -> Any:
    from surefoot.tasks.loading import load_tasks

    pairs = [column.partition("=") for column in columns or ()]
    wrong = next((field for field, equals, column in pairs if not (field and equals and column)), None)
    if wrong is not None:
        raise BadInput(f'--map takes field=column, and "{wrong}" is not of that form.')
    return load_tasks(
        task,
        limit=limit,
        shots=shots,
        seed=seed,
        wordings=wordings,
        columns={field: column for field, _, column in pairs} or None,
        klasses=[klass.strip() for klass in classes.split(",")] if classes else None,
    )


def _model(spec: str, treatments: list[str] | None, **options: Any) -> Any:
    from surefoot.models.load import load
    from surefoot.treatments import treat

    model = load(spec, **options)
    for text in treatments or ():
        name, _, rest = text.partition(":")
        model = treat(name, model, **_treatment_settings(rest))
    return model


def _treatment_settings(text: str) -> dict[str, str]:
    """`a=1,b=x, y` as {a: 1, b: "x, y"}: a comma ends a value only where another `name=` follows."""
    pairs = [pair.partition("=") for pair in re.split(r",(?=\s*[A-Za-z_]\w*=)", text)] if text else []
    wrong = next((pair for pair, equals, _ in pairs if not equals), None)
    if wrong is not None:
        raise BadInput(f'--treat takes name:setting=value, and "{wrong}" is not of the form setting=value.')
    return {key.strip(): value for key, _, value in pairs}


def _default_folder(settings: Any) -> str:
    from surefoot.runs import default_folder

    return default_folder(settings)


def _reading(run: str) -> Any:
    from surefoot.probes.stored import read_reading

    return read_reading(run)


def _report_path(folder: str) -> Path:
    """Beside the rows where they are local, else in the working folder."""
    if "://" in folder:
        return Path(f"{folder.rstrip('/').rsplit('/', 1)[-1]}.html")
    return Path(folder) / "report.html"


def _say_preflight(found: Any) -> None:
    for finding in found.findings:
        typer.echo(f"{finding.level}: {finding.sentence}")
    typer.echo(f"{found.cells} cells, about {found.asked:,} tokens asked and {found.computed:,} to compute")
    if found.minutes is not None:
        typer.echo(f"about {found.minutes:.1f} minutes at {found.tokens_per_second:,.0f} tokens/s")


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


def _print(reading: Any) -> None:
    from rich.console import Console

    from surefoot.report import summary_table

    console = Console(emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, 110)
    console.print(summary_table(reading.summary))


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _visible(text: str) -> str:
    from surefoot.report.numbers import visible

    return "\n".join(visible(line) for line in text.split("\n"))


if __name__ == "__main__":
    main()
