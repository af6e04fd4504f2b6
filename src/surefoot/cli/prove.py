"""`surefoot compare`, `calibrate`, `reproduce`: is a difference real, a probe right, a published table recovered?"""

from __future__ import annotations

from typing import Annotated

import typer

from surefoot.cli.app import app
from surefoot.cli.options import AsJson
from surefoot.cli.output import print_json


@app.command()
def compare(
    before: Annotated[str, typer.Argument(help="A run folder.")],
    after: Annotated[str, typer.Argument(help="A run folder of the same tasks and items.")],
    as_json: AsJson = False,
) -> None:
    """Two runs on the same items: paired differences with intervals."""
    from surefoot.comparison import compare as compare_readings
    from surefoot.probes.stored import read_reading

    comparison = compare_readings(read_reading(before), read_reading(after))
    if as_json:
        print_json(comparison.to_dict())
    else:
        typer.echo(str(comparison))


@app.command()
def calibrate(
    name: Annotated[str, typer.Argument(help="The probe, see `surefoot list`.")] = "phrasing", as_json: AsJson = False
) -> None:
    """What the probe reads on models whose behaviour is known, beside the truth. Exit code 1 if a reading is off."""
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
    as_json: AsJson = False,
) -> None:
    """A published table, recomputed: expected and measured numbers side by side. Exit code 1 if one is off."""
    from surefoot.reproductions import reproduce as recompute

    result = recompute(id, data)
    if as_json:
        print_json(result.to_dict())
    else:
        typer.echo(str(result))
    if not result.ok:
        raise typer.Exit(1)
