"""`surefoot paraphrase`: other wordings for training, and what the filters dropped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli.app import app
from surefoot.cli.options import AsJson, Klasses, Seed, TaskOption, Wordings, tasks_from
from surefoot.cli.output import print_json

if TYPE_CHECKING:
    from surefoot.paraphrases import Paraphrased


@app.command()
def paraphrase(
    task: TaskOption = "demo",
    source: Annotated[str, typer.Option(help="rules, file:PATH, or llm:MODEL.")] = "rules",
    per_wording: Annotated[int, typer.Option(help="Paraphrases of each training wording.")] = 3,
    out: Annotated[str | None, typer.Option(help="A JSON Lines file that file:PATH reads again.")] = None,
    floor: Annotated[float | None, typer.Option(help="Least similarity to the reference; 0 asks for none.")] = None,
    seed: Seed = 0,
    wordings: Wordings = None,
    classes: Klasses = None,
    as_json: AsJson = False,
) -> None:
    """Paraphrases of the training wordings of a task; none of them is a wording that is tested."""
    from surefoot.paraphrases import Filters, paraphrase_task, source_of, write_paraphrases

    filters = Filters() if floor is None else Filters(floor=floor)
    origin = source_of(source)
    tasks = tasks_from(task, None, 0, seed, wordings, None, classes)
    made = [paraphrase_task(one, origin, per_wording=per_wording, filters=filters, seed=seed) for one in tasks]
    if out is not None:
        write_paraphrases(made, out)
    if as_json:
        print_json([one.record() for one in made])
        return
    _say_counts(made, per_wording)
    _say_examples(made)
    if out is not None:
        typer.echo(f"Paraphrases: {out}")


def _say_counts(made: Sequence[Paraphrased], per_wording: int) -> None:
    names = [name for name in made[0].dropped if any(one.dropped[name] for one in made)]
    typer.echo(f"{'task':<24}{'training':>9}{'tested':>8}{'proposed':>10}{'kept':>6}" + _columns(names))
    for one in made:
        counts = _columns([str(one.dropped[name]) for name in names], [len(name) + 2 for name in names])
        typer.echo(f"{one.task:<24}{len(one.groups):>9}{len(one.tested):>8}{one.proposed:>10}{one.kept:>6}{counts}")
    short = sum(len(group.paraphrases) < per_wording for one in made for group in one.groups)
    if short:
        typer.echo(f"{short} wordings have fewer than {per_wording} paraphrases.")


def _columns(cells: Sequence[str], widths: Sequence[int] | None = None) -> str:
    sizes = widths or [len(cell) + 2 for cell in cells]
    return "".join(f"{cell:>{size}}" for cell, size in zip(cells, sizes, strict=True))


def _say_examples(made: Sequence[Paraphrased]) -> None:
    kept = [p for one in made for group in one.groups for p in group.paraphrases[:1]]
    for wording in kept[:: max(1, len(kept) // 5)][:5]:
        typer.echo(f"kept: {_line(wording.text)}")
    seen = set()
    for one in made:
        for rejected in one.examples:
            if rejected.filter not in seen:
                seen.add(rejected.filter)
                typer.echo(f"{rejected.filter}: {_line(rejected.text)} ({rejected.reason})")


def _line(text: str) -> str:
    return " ".join(text.split())[:100]
