"""`surefoot compare`, `calibrate`, `reproduce`: is a difference real, a probe right, a published table recovered?"""

from __future__ import annotations

from typing import Annotated

import typer

from surefoot.cli.app import app
from surefoot.cli.options import AsJson
from surefoot.cli.output import print_json


@app.command()
def compare(
    runs: Annotated[
        list[str], typer.Argument(help="Run folders, finished or not; the first is the baseline.", metavar="RUN RUN...")
    ],
    common: Annotated[
        bool, typer.Option("--common", help="Compare the cells that both runs hold instead of refusing different ones.")
    ] = False,
    seen: Annotated[
        bool, typer.Option("--seen", help="Compare also the items and wordings that a model was trained on.")
    ] = False,
    detect: Annotated[float, typer.Option(help="Difference in points for which the items needed are told.")] = 2.0,
    out: Annotated[str | None, typer.Option(help="Write the report: an .html or a .json file.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of resampling and permutation.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Runs on the same items: paired differences, intervals, corrected tests, a verdict in words."""
    from surefoot.cli.output import print_tables
    from surefoot.comparison import compare_runs
    from surefoot.report.comparison_terminal import comparison_table

    comparison = compare_runs(runs, common=common, seen=seen, detect=detect, seed=seed)
    if as_json:
        print_json(comparison.to_dict())
    else:
        print_tables(comparison_table(comparison))
    if out:
        typer.echo(f"Report: {comparison.save(out).resolve()}", err=as_json)


@app.command()
def calibrate(
    name: Annotated[str, typer.Argument(help="A probe, see `surefoot list`, or compare.")] = "phrasing",
    as_json: AsJson = False,
) -> None:
    """What an instrument reads where the truth is known, beside the truth. Exit code 1 if a reading is off."""
    from surefoot.calibration import calibrate as run_calibrations
    from surefoot.calibration import calibration_table

    lines = run_calibrations(name)
    if as_json:
        print_json([line._asdict() for line in lines])
    else:
        typer.echo(calibration_table(lines))
    if not all(line.ok for line in lines):
        raise typer.Exit(1)


@app.command()
def reproduce(
    id: Annotated[str, typer.Argument(help="The reproduction, see `surefoot list`.")],
    data: Annotated[str | None, typer.Option(help="Folder of the published data.")] = None,
    part: Annotated[str, typer.Option(help="published, or of R0: alignment (in made worlds, no data).")] = "published",
    seeds: Annotated[int | None, typer.Option(help="Worlds of the part alignment; 5 by default.")] = None,
    size: Annotated[str, typer.Option(help="Models of the part alignment: small, or planned (1.1 M).")] = "small",
    as_json: AsJson = False,
) -> None:
    """A published table, recomputed, or its method at small scale. Exit code 1 if a number is off or a claim fails."""
    from surefoot.reproductions import reproduce as recompute
    from surefoot.reproductions.alignment import to_stderr

    result = recompute(id, data, part=part, seeds=seeds, size=size, say=to_stderr)
    if as_json:
        print_json(result.to_dict())
    else:
        typer.echo(str(result))
    if not result.ok:
        raise typer.Exit(1)
