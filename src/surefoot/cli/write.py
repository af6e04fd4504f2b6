"""`surefoot write`: texts behind prompts, by a model with or without treatments."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    Treat,
    Truncate,
    endpoint_from,
    model_from,
    pairs,
)
from surefoot.cli.output import print_json
from surefoot.errors import BadInput

if TYPE_CHECKING:
    from surefoot.texts import Asked


@app.command()
def write(
    prompt: Annotated[
        str | None, typer.Argument(help="What the model is asked; - reads it from standard input.")
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="A JSON Lines file: prompt, or parts such as context and input.")
    ] = None,
    model: Model = "smollm2",
    treat: Treat = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="How tokens are picked, as name=value (temperature=0.7, top_p=0.9); repeatable."),
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(help="Tokens of each text at most.")] = 128,
    stop: Annotated[list[str] | None, typer.Option(help="A text that ends an answer; repeatable.")] = None,
    out: Annotated[Path | None, typer.Option(help="A JSON Lines file; the same command goes on from it.")] = None,
    format: Format = "auto",
    dtype: Dtype = "auto",
    device: Device = "auto",
    truncate: Truncate = "error",
    tokenizer: Tokenizer = None,
    budget: Spend = None,
    as_json: AsJson = False,
) -> None:
    """Let a model write. With --out an interrupted text is gone on with, and --max-new-tokens may be raised."""
    from surefoot.decoding.sampling import Sampling
    from surefoot.progress import Progress
    from surefoot.settings import made
    from surefoot.texts import write_texts

    asked = _asked(prompt, prompts)
    own = {**pairs(settings), "max_new_tokens": max_new_tokens, "stop": tuple(stop or ())}
    sampling = made("way to pick tokens", Sampling, own)
    with Progress() as progress:
        progress.say(f"loading {model}")
        endpoint = endpoint_from(tokenizer, budget)
        loaded = model_from(
            model, treat, format=format, dtype=dtype, device=device, truncate=truncate, endpoint=endpoint
        )
        told = None if len(asked) < 2 else lambda done, total: progress.say(f"{done} of {total} texts")
        texts = write_texts(loaded, asked, sampling, out, told)
    if as_json:
        print_json(
            [
                {"id": one.id, "text": text.text, "end": text.finish_reason}
                for one, text in zip(asked, texts, strict=True)
            ]
        )
    elif len(texts) == 1:
        typer.echo(texts[0].text)
    elif out is None:
        for one, text in zip(asked, texts, strict=True):
            typer.echo(f"-- {one.id}\n{text.text}\n")
    if out is not None and not as_json:
        typer.echo(f"Texts: {out}", err=len(texts) == 1)


def _asked(prompt: str | None, prompts: Path | None) -> list[Asked]:
    import sys

    from surefoot.text.prompt import Prompt
    from surefoot.texts import Asked, read_prompts

    if (prompt is None) == (prompts is None):
        raise BadInput("Give one prompt, or a file of prompts with --prompts.")
    if prompts is not None:
        return read_prompts(prompts)
    text = sys.stdin.read() if prompt == "-" else str(prompt)
    if not text.strip():
        raise BadInput("The prompt is empty; say what the model is asked.")
    return [Asked("0", Prompt.of(text))]
