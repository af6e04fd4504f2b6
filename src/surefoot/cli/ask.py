"""`surefoot ask`: one question, asked of a model with and without treatments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.app import app
from surefoot.cli.options import (
    AsJson,
    Device,
    Dtype,
    Format,
    Model,
    Spend,
    Tokenizer,
    endpoint_from,
    model_from,
    settings_of,
)
from surefoot.cli.output import print_json, print_tables


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="What is asked.")],
    by: Annotated[
        list[str] | None,
        typer.Option(help="bare, or a treatment as name:setting=value,... (rag, flare, ircot); repeatable."),
    ] = None,
    index: Annotated[str | None, typer.Option(help="What is searched: a folder of `surefoot index`.")] = None,
    model: Model = "smollm2",
    answer: Annotated[
        list[str] | None, typer.Option(help="An accepted answer, to mark who is right; repeatable.")
    ] = None,
    wording: Annotated[
        str, typer.Option(help="steps asks for a chain of sentences, short for the bare answer.")
    ] = "steps",
    max_new_tokens: Annotated[int, typer.Option(help="Tokens of each text at most.")] = 96,
    html: Annotated[Path | None, typer.Option(help="Write who read what, and when, into this HTML file.")] = None,
    format: Format = "auto",
    dtype: Dtype = "auto",
    device: Device = "auto",
    tokenizer: Tokenizer = None,
    budget: Spend = None,
    as_json: AsJson = False,
) -> None:
    """Ask one question in several ways: the bare model, and treated ones with the documents that they read."""
    from surefoot.progress import Progress
    from surefoot.side_by_side import ask as ask_in_ways
    from surefoot.side_by_side import opened, prepare

    ways = [settings_of(text) for text in by or (["bare", "rag"] if index else ["bare"])]
    retriever = opened(index)
    prepare(question, ways, retriever, wording, max_new_tokens)  # before the model, so that a mistake is said at once
    with Progress(quiet=as_json) as progress:
        progress.say(f"loading {model}")
        endpoint = endpoint_from(tokenizer, budget)
        loaded = model_from(model, None, format=format, dtype=dtype, device=device, endpoint=endpoint)
        found = ask_in_ways(
            question,
            loaded,
            by=ways,
            index=retriever,
            answers=answer or (),
            wording=wording,
            max_new_tokens=max_new_tokens,
            told=lambda label: progress.say(f"asking {label}"),
        )
    if as_json:
        print_json(found.to_dict())
    else:
        print_tables(found.terminal())
    if html:
        typer.echo(f"Timeline: {found.save(html).resolve()}", err=as_json)
