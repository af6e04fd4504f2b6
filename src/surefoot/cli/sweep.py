"""`surefoot sweep`: several runs of the phrasing probe with one report."""

from __future__ import annotations

from typing import Annotated

import typer

from surefoot.cli.app import app
from surefoot.cli.options import Answering, AsJson, Limit, Seed, Spend, TaskOption, Tokenizer, endpoint_from
from surefoot.cli.output import print_json, report_path
from surefoot.errors import BadInput


@app.command()
def sweep(
    name: Annotated[str, typer.Argument(help="closer-look, scaling or shots.")],
    out: Annotated[str, typer.Option(help="Folder for the runs and the report; the same command goes on from it.")],
    model: Annotated[list[str] | None, typer.Option(help="A model, as `surefoot probe` takes it; repeatable.")] = None,
    task: TaskOption = "demo",
    shots: Annotated[list[int] | None, typer.Option(help="Numbers of worked examples; 0 and 1 by default.")] = None,
    classes: Annotated[str, typer.Option(help="The two classes whose gap is shown.")] = "observed,unobserved",
    limit: Limit = None,
    seed: Seed = 0,
    scorer: Answering = "sum",
    tokenizer: Tokenizer = None,
    budget: Spend = None,
    as_json: AsJson = False,
) -> None:
    """The phrasing probe over classes of wordings, models or worked examples, with one report."""
    from surefoot.progress import Progress
    from surefoot.sweeps import sweep as run_sweep

    left, comma, right = (part.strip() for part in classes.partition(","))
    if not (left and comma and right) or "," in right:
        raise BadInput(f'--classes takes two classes, as observed,unobserved; "{classes}" is not of that form.')
    with Progress(quiet=as_json) as progress:
        found = run_sweep(
            name,
            model or ["smollm2"],
            task,
            out=out,
            shots=shots or (0, 1),
            limit=limit,
            seed=seed,
            classes=(left, right),
            watch=progress.say,
            endpoint=endpoint_from(tokenizer, budget),
            answering=scorer,
        )
    written = found.save(report_path(out))
    if as_json:
        print_json(found.to_dict())
        return
    typer.echo(str(found))
    typer.echo(f"Report: {written.resolve()}")
