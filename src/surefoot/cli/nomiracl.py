"""`surefoot nomiracl-sheet` and `nomiracl-build`: from a corpus of one's own to the task of the unanswerable probe."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from surefoot.cli.app import app
from surefoot.cli.options import AsJson
from surefoot.cli.output import print_json

if TYPE_CHECKING:
    from surefoot.judging.building import Built
    from surefoot.judging.pool import Pooled

PoolFile = Annotated[Path, typer.Option(help="The file with the questions and all that was found for them (.jsonl).")]


@app.command("nomiracl-sheet")
def sheet(
    out: Annotated[Path, typer.Option(help="The sheet, a .csv file; a copy of it for each annotator.")],
    pool: PoolFile,
    queries: Annotated[
        Path | None, typer.Option(help='Questions: .jsonl with "id" and "text", or .tsv of id and text.')
    ] = None,
    index: Annotated[str | None, typer.Option(help="The folder of an index: surefoot index.")] = None,
    passages: Annotated[int, typer.Option(help="Passages of each question.")] = 10,
    language: Annotated[str | None, typer.Option(help="Only questions of this language.")] = None,
    no_bom: Annotated[
        bool, typer.Option("--no-bom", help="Leave away the byte order mark, which some programs need.")
    ] = False,
) -> None:
    """Find passages for questions, and write the sheet in which people judge whether they answer.

    Without --queries and --index, another sheet of a pool that is there.
    """
    from surefoot.errors import BadInput
    from surefoot.judging.pool import read_pool
    from surefoot.judging.sheet import write_sheet

    if (queries is None) != (index is None):
        raise BadInput("A pool is made of questions and an index; give both --queries and --index, or neither.")
    if queries is not None and index is not None:
        _make_pool(pool, queries, index, passages)
    asked = [one for one in read_pool(pool) if language in (None, one.language)]
    if not asked:
        raise BadInput(f'The pool has no question in "{language}"; its languages are {_languages(read_pool(pool))}.')
    written = write_sheet(out, asked, bom=not no_bom)
    typer.echo(f"Sheet: {out} ({len(asked):,} questions, {written:,} passages to judge)")
    typer.echo(f"Judged copies come together by: surefoot nomiracl-build SHEET... --pool {pool} --out task.jsonl")


@app.command("nomiracl-build")
def build(
    sheets: Annotated[list[Path], typer.Argument(help="Judged sheets, one of each annotator, named after them.")],
    pool: PoolFile,
    out: Annotated[Path, typer.Option(help="The task file, for: surefoot probe unanswerable --task nomiracl:FILE.")],
    rule: Annotated[str, typer.Option(help="Where labels differ: majority, unanimous, any or all.")] = "majority",
    decided: Annotated[Path | None, typer.Option(help="An adjudicator's sheet, which overrules.")] = None,
    disputes: Annotated[Path | None, typer.Option(help="Write the undecided passages to a sheet.")] = None,
    drop_open: Annotated[
        bool, typer.Option("--drop-open", help="Leave out questions with undecided or unjudged passages.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put judged sheets together: agreement, one judgement of each passage, and the two subsets as a task file."""
    from surefoot.judging.building import build as built
    from surefoot.probes.summary import plain

    found = built(pool, sheets, out, rule=rule, decided=decided, disputes=disputes, drop_open=drop_open)  # type: ignore[arg-type]
    if as_json:
        subsets = Counter(one.subset for one in found.verdicts.questions)
        open_ = {"undecided": found.verdicts.undecided, "unjudged": found.verdicts.unjudged}
        print_json(plain({"judged": found.judged, "agreement": found.agreement, "questions": dict(subsets), **open_}))
        return
    _print(found, out)


def _make_pool(path: Path, queries: Path, index: str, passages: int) -> None:
    """Writes the pool; one that is there is kept where it is the same, and else refused, since sheets belong to it."""
    from surefoot.errors import BadInput
    from surefoot.judging.pool import pooled, read_pool, read_queries, write_pool
    from surefoot.retrieval.index import open_index

    found = pooled(read_queries(queries), open_index(index), passages)
    if not found.questions:
        raise BadInput(f'The index "{index}" finds nothing for any question of {queries}; index their corpus.')
    if not path.exists():
        write_pool(path, found.questions)
    elif read_pool(path) != found.questions:
        raise BadInput(f'"{path}" holds another pool, to which sheets may belong; give the pool another name.')
    if found.empty:
        typer.echo(f"Left out, because nothing is found for them: {', '.join(found.empty)}", err=True)


def _print(found: Built, out: Path) -> None:
    from rich.console import Console

    from surefoot.probes.summary import Table
    from surefoot.report.plain import rich_table

    console = Console()
    for annotator, judged in found.judged.items():
        typer.echo(f"{annotator}: {judged:,} of {found.passages:,} passages judged")
    said = found.agreement
    if said.pairs:
        one = f"{said.alpha.value:.2f} [{said.alpha.low:.2f}, {said.alpha.high:.2f}]"
        two = f"{said.alpha_questions.value:.2f} [{said.alpha_questions.low:.2f}, {said.alpha_questions.high:.2f}]"
        typer.echo(f"Krippendorff's alpha: passages {one} ({said.passages:,} judged twice or more), questions {two}")
        if said.fleiss is not None:
            typer.echo(f"Fleiss' kappa over passages, all judged by all: {said.fleiss:.2f}")
        pairs = tuple((f"{p.left}, {p.right}", f"{p.both:,}", f"{p.equal:.2f}", f"{p.kappa:.2f}") for p in said.pairs)
        console.print(rich_table(Table("", ("annotators", "passages", "equal", "Cohen's kappa"), pairs)))
    counts = Counter((one.language, one.subset) for one in found.verdicts.questions)
    languages = dict.fromkeys(language for language, _ in counts)
    rows = tuple((one, f"{counts[one, 'answerable']:,}", f"{counts[one, 'unanswerable']:,}") for one in languages)
    console.print(rich_table(Table("", ("language", "answerable", "unanswerable"), rows)))
    left = len(found.verdicts.undecided) + len(found.verdicts.unjudged)
    if left:
        typer.echo(f"Questions left out for {left:,} passages that are undecided or unjudged.")
    typer.echo(f"Task: {out}")
    typer.echo(f"Measure: surefoot probe unanswerable --task nomiracl:{out}")


def _languages(questions: tuple[Pooled, ...]) -> str:
    return ", ".join(dict.fromkeys(one.language for one in questions))
