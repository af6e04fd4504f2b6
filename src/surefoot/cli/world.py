"""`surefoot world facts`: a corpus and questions whose truth is known, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.app import app

WORLDS = ("facts",)


@app.command()
def world(
    name: Annotated[str, typer.Argument(help="Which world: facts.")],
    out: Annotated[Path, typer.Option(help="The folder for corpus.jsonl and questions.jsonl.")],
    size: Annotated[int, typer.Option(help="Documents, 100 to 1,000,000.")] = 1000,
    seed: Annotated[int, typer.Option(help="Everything is a function of it.")] = 0,
    count: Annotated[int, typer.Option(help="Questions.")] = 100,
    kind: Annotated[
        list[str] | None, typer.Option(help="A kind of question; repeatable. All but one by default.")
    ] = None,
    language: Annotated[list[str] | None, typer.Option(help="en, ru, hi or th; repeatable, en first.")] = None,
    distractors: Annotated[int, typer.Option(help="Distractors among every 20 documents.")] = 3,
    contradictions: Annotated[int, typer.Option(help="Contradictions among every 20 documents.")] = 1,
) -> None:
    """Write a corpus of invented facts, and questions about it with answers, gold documents, steps and reasoning."""
    from surefoot.errors import BadInput, nearest

    if name not in WORLDS:
        raise BadInput(f'There is no world "{name}" to write.{nearest(name, WORLDS)}')
    from surefoot.worlds.corpora import KINDS, QuestionWorld
    from surefoot.worlds.corpus_files import write_world

    made = QuestionWorld(
        seed, size, tuple(kind or KINDS), count, tuple(language or ("en",)), distractors, contradictions
    )
    write_world(made, out)
    typer.echo(f"World: {out} ({size:,} documents, {count:,} questions, seed {seed})")
