"""The command line: the same verbs as in Python, with progress, and errors as one sentence."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from surefoot.cli import (  # noqa: F401 - they add their verbs
    ask,
    detect,
    index,
    look,
    measure,
    nomiracl,
    paraphrase,
    prove,
    serve,
    sweep,
    treat,
    world,
    write,
)
from surefoot.cli.app import app
from surefoot.errors import SurefootError

STORED = frozenset({"index", "probe", "sweep", "treat"})
"""Commands that go on where they were stopped; `write` does with --out."""


def main() -> None:
    """Run the command line: exit code 2 with one sentence for bad input, 130 for Ctrl-C, a traceback with --debug."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(args=arguments, prog_name="surefoot", standalone_mode=True)
    except SurefootError as error:
        _fail(str(error), error.exit_code, debug)
    except (KeyboardInterrupt, SystemExit) as ended:
        if isinstance(ended, SystemExit) and ended.code != 130:  # typer turns Ctrl-C into this code, in silence
            raise
        more = " Everything finished is stored; the same command goes on from there." if _goes_on(arguments) else ""
        _fail(f"Stopped.{more}", 130, debug)
    except OSError as error:
        import errno

        if error.errno == errno.EPIPE:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(141) from None
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        _fail("The disk is full; free some space and give the same command again." if full else str(error), 2, debug)


def _goes_on(arguments: Sequence[str]) -> bool:
    """Whether the command that was stopped keeps what is finished."""
    verb = next(iter(arguments), "")
    return verb in STORED or (verb == "write" and any(word.partition("=")[0] == "--out" for word in arguments))


def _fail(sentence: str, code: int, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()
    typer.echo(f"surefoot: {sentence}", err=True)
    raise SystemExit(code)
