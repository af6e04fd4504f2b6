"""`surefoot detect watermark` and `surefoot watermark-key`: is a text marked under a key, and a key to mark with."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from surefoot.cli.app import app
from surefoot.cli.options import AsJson
from surefoot.cli.output import print_json
from surefoot.errors import BadInput, nearest

if TYPE_CHECKING:
    from surefoot.watermark.detect import Count
    from surefoot.watermark.scan import Part
    from surefoot.watermark.stream import Streamed


@app.command()
def detect(
    what: Annotated[str, typer.Argument(help="watermark.")],
    file: Annotated[str, typer.Argument(help="A text file in UTF-8, of any size; - reads from standard input.")],
    key: Annotated[str, typer.Option(help="The key file.")],
    tokenizer: Annotated[
        str | None, typer.Option(help="smollm2, a model's folder or a tokenizer.json; by default the key's.")
    ] = None,
    window: Annotated[
        bool, typer.Option("--window", help="Look for a marked part of the text too; holds the tokens in memory.")
    ] = False,
    repeats: Annotated[str, typer.Option(help="Count what comes again once, or each time (overcounts).")] = "once",
    level: Annotated[float | None, typer.Option(help="Level of the test; 3.2e-5 (z = 4) by default.")] = None,
    minimum: Annotated[
        int | None, typer.Option(help="Scored tokens from which absence may be said; follows from the key by default.")
    ] = None,
    normalise: Annotated[str, typer.Option(help="Undo edits first: nfc, homoglyphs, lower, separated by commas.")] = "",
    replace_invalid: Annotated[
        bool, typer.Option("--replace-invalid", help="Read bytes that are not UTF-8 as U+FFFD instead of refusing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Is a text watermarked under this key? Counts green tokens; needs the tokenizer and not the model."""
    from surefoot.watermark import Detector, detect_file, read_key, tokens_of
    from surefoot.watermark.scan import scan_text
    from surefoot.watermark.stream import read_text
    from surefoot.watermark.theory import LEVEL

    if what != "watermark":
        raise BadInput(f'"{what}" is nothing to detect.{nearest(what, ["watermark"])}')
    own = read_key(key)
    source = tokenizer or own.spec
    if not source:
        raise BadInput(f"The key {key} does not say which tokenizer it belongs to; give it with --tokenizer.")
    detector = Detector(
        own,
        tokens_of(source),
        repeats=repeats,  # type: ignore[arg-type]
        level=LEVEL if level is None else level,
        minimum=minimum,
        normalise=[name.strip() for name in normalise.split(",") if name.strip()],
    )
    with _opened(file) as opened:
        if window:
            text, replaced = read_text(opened, replace_invalid)
            _say_part(scan_text(text, detector), detector.level, own.fingerprint, replaced, as_json)
        else:
            _say(detect_file(opened, detector, replace=replace_invalid), own.fingerprint, as_json)


@app.command("watermark-key")
def watermark_key(
    out: Annotated[str, typer.Argument(help="Where the key file goes; a file that is there is not overwritten.")],
    model: Annotated[str, typer.Option(help="smollm2 or a model's folder: the model that will write.")] = "smollm2",
    gamma: Annotated[float, typer.Option(help="Share of green tokens.")] = 0.25,
    delta: Annotated[float, typer.Option(help="Bias on green logits; inf writes no red token at all.")] = 2.0,
    hash: Annotated[str, typer.Option(help="keyed, min, anchored, left or self.")] = "keyed",
    width: Annotated[int, typer.Option(help="Tokens before the scored one that decide its list.")] = 1,
    vocabulary: Annotated[
        int | None, typer.Option(help="Width of the model's logits, where no config.json tells it.")
    ] = None,
) -> None:
    """Make a key with a fresh secret. Who has the file can write and find the watermark."""
    from surefoot.watermark import new_key, tokens_of

    key = new_key(tokens_of(model), vocabulary=vocabulary, gamma=gamma, delta=delta, hash=hash, width=width)
    key.save(out)
    typer.echo(f"Key: {out} (fingerprint {key.fingerprint})")


@contextlib.contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        opened = Path(file).expanduser().open("rb")
    except FileNotFoundError:
        raise BadInput(f"There is no file {file}; give a text file, or - for standard input.") from None
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}.") from None
    with opened:
        yield opened


def _say(found: Streamed, fingerprint: str, as_json: bool) -> None:
    if as_json:
        notes = {"replaced": found.replaced, "doubtful_cuts": found.doubtful}
        print_json({**found.count.to_dict(), "key": fingerprint, **notes})
        return
    _say_count(found.count)
    if found.replaced:
        typer.echo(f"Note: {found.replaced} bytes were not UTF-8 and were read as U+FFFD.")
    if found.doubtful:
        typer.echo(f"Note: the text was cut {found.doubtful} times where tokens may have changed.")


def _say_count(count: Count) -> None:
    typer.echo(count.verdict)
    if count.scored:
        typer.echo(
            f"{count.green} of {count.scored} scored tokens are green ({100 * count.share:.1f} %; by chance "
            f"{100 * count.null:.1f} %), z = {count.z:.2f}, p = {count.p:.2g} (exact)"
        )
    typer.echo(f"{count.tokens} tokens, {count.repeats} of them repeats that were not counted; level {count.level:.2g}")
    if count.verdict == "too short to tell":
        typer.echo(f"Absence can be said from {count.needed} scored tokens on.")


def _say_part(found: Part, level: float, fingerprint: str, replaced: int, as_json: bool) -> None:
    span, characters = found.span, found.characters
    if as_json:
        own = None
        if span is not None:
            own = {"characters": characters, **asdict(span), "watermarked": span.p <= level}
        print_json({**found.count.to_dict(), "key": fingerprint, "replaced": replaced, "span": own})
        return
    _say_count(found.count)
    if span is None or characters is None:
        typer.echo("The text is too short to look for a marked part of it.")
        return
    says = "A part is watermarked" if span.p <= level else "No part is watermarked; the greenest one"
    typer.echo(
        f"{says}: characters {characters[0]} to {characters[1]}, {span.green} of {span.end - span.start} green, "
        f"z = {span.z:.2f}, p = {span.p:.2g} (over {span.windows} windows)"
    )
