"""`surefoot index`: a corpus on disk, made searchable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from surefoot.cli.app import app


@app.command()
def index(
    corpus: Annotated[str, typer.Argument(help='Documents with "id", "text" and perhaps "title": .jsonl or .parquet.')],
    out: Annotated[str, typer.Option(help="The folder of the index.")],
    kind: Annotated[str, typer.Option(help="bm25, dense or hybrid.")] = "bm25",
    k1: Annotated[float, typer.Option(help="BM25: how soon more of the same term counts no more.")] = 1.5,
    b: Annotated[float, typer.Option(help="BM25: how much long documents are held back, 0 to 1.")] = 0.75,
    encoder: Annotated[str | None, typer.Option(help="Folder of an encoder; all-MiniLM-L6-v2 by default.")] = None,
    fusion: Annotated[str, typer.Option(help="Of hybrid: reciprocal-rank or weighted.")] = "reciprocal-rank",
    try_out: Annotated[str | None, typer.Option("--try", help="A query to search for once the index is there.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Make the index of a corpus. Stopped anywhere, the same command goes on; a changed corpus is refused later."""
    from surefoot.report.numbers import count
    from surefoot.retrieval.index import build_index

    with _shown(quiet) as told:
        made = build_index(corpus, out, kind=kind, k1=k1, b=b, encoder=encoder, fusion=fusion, told=told)
    typer.echo(f"Index: {out} ({kind}, {count(len(made.corpus), 'document')}, digest {made.digest[:12]})")
    for hit in made.search([try_out], 3)[0] if try_out else ():
        title = f"{hit.document.title}: " if hit.document.title else ""
        typer.echo(f"{hit.score:8.4f}  {hit.document.id}  {(title + hit.document.text)[:90]}")


@contextmanager
def _shown(quiet: bool) -> Iterator[Callable[[str, int, int | None], None]]:
    """Progress on standard error: a bar on a terminal, else a line for each step."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}"))
    bar = Bar(*columns, console=Console(stderr=True, quiet=quiet))
    jobs: dict[str, TaskID] = {}

    def told(what: str, done: int, whole: int | None) -> None:
        bar.start()
        if what not in jobs:
            jobs[what] = bar.add_task(what, total=whole)
        bar.update(jobs[what], completed=done)

    try:
        yield told
    finally:
        if jobs:
            bar.stop()
