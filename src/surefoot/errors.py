"""Errors that a user can act on: one sentence that names the offending value and the fix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SurefootError(Exception):
    """Base of every error that Surefoot raises on purpose. The command line prints it without a traceback."""

    exit_code = 2


class BadInput(SurefootError, ValueError):
    """A value that the user gave cannot be used. The sentence names the value and the fix."""


class NotAvailable(SurefootError):
    """Something asked for is not on this machine (weights, an optional package, a capability of the model)."""


class RunInUse(SurefootError):
    """Another process is writing to the run folder."""


class OutOfSpace(SurefootError):
    """The disk is full; everything finished before is on it and the same command goes on from there."""


def nearest(name: str, known: Iterable[str]) -> str:
    """`' Did you mean "x"?'` for the closest known name, else the sorted list of what there is."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f' Did you mean "{close[0]}"?'
    return f" Known: {', '.join(names)}." if names else ""


def needs_package(*modules: str, extra: str, by: str) -> None:
    """Refuse with one sentence if a package of an optional extra is not installed."""
    from importlib.util import find_spec

    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise NotAvailable(f'{by} needs {" and ".join(missing)}; install with: pip install "surefoot[{extra}]"')
