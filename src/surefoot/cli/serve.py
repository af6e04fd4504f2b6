"""`surefoot serve`: a treated model behind the OpenAI protocol."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from surefoot.cli.app import app
from surefoot.cli.options import Device, Dtype, Format, Model, Treat, Truncate, model_from, treated_by


@app.command()
def serve(
    model: Model = "smollm2",
    treat: Treat = None,
    offer: Annotated[
        list[str] | None,
        typer.Option(help="A treatment that a client may choose, as name:setting=value,...; repeatable."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What clients call the model; by default as here.")] = None,
    host: Annotated[str, typer.Option(help="Where to listen; beyond this machine only with API keys.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.")] = 8000,
    keys: Annotated[
        Path | None, typer.Option(help="A file of API keys, one a line; else SUREFOOT_SERVE_KEYS, with commas.")
    ] = None,
    rows: Annotated[int, typer.Option(help="Texts that are written at a time.")] = 16,
    queue: Annotated[int, typer.Option(help="Texts that may wait; beyond that clients are told to come again.")] = 256,
    prefix_mib: Annotated[int, typer.Option(help="Memory for what prompts begin with alike; 0 for none.")] = 512,
    max_tokens: Annotated[int, typer.Option(help="New tokens of a text at most.")] = 1024,
    timeout: Annotated[float, typer.Option(help="Seconds until an answer must be there.")] = 600.0,
    log_requests: Annotated[bool, typer.Option("--log-requests", help="Log paths and states; never texts.")] = False,
    format: Format = "auto",
    dtype: Dtype = "auto",
    device: Device = "auto",
    truncate: Truncate = "error",
) -> None:
    """Serve a model with its treatments to any OpenAI client: chat, completions, streams, log-probabilities."""
    from surefoot.errors import needs_package
    from surefoot.progress import Progress

    needs_package("fastapi", "uvicorn", extra="serve", by="surefoot serve")
    from surefoot.serve.app import build_app
    from surefoot.serve.catalogue import Catalogue, Offer
    from surefoot.serve.desk import Limits
    from surefoot.serve.engine import Engine
    from surefoot.serve.run import check_host, listen, plain_twin, read_keys, remember_prefixes

    known = read_keys(keys)
    check_host(host, known)
    offers = [Offer(text.partition(":")[0], treated_by(text)) for text in offer or ()]
    always = [treated_by(text) for text in treat or ()]
    with Progress() as progress:
        progress.say(f"loading {model}")
        chat = model_from(model, None, format=format, dtype=dtype, device=device, truncate=truncate)
        remember_prefixes(chat, prefix_mib)
        told = name or (model if model.isidentifier() else chat.name)
        models = Catalogue(told, chat, plain_twin(chat), always, offers)
        models.all()
    typer.echo(f"Serving {', '.join(models.names())} at http://{host}:{port}/v1")
    listen(build_app(models, Engine(rows, queue), Limits(2**20, max_tokens, timeout), known), host, port, log_requests)
