"""Starts the server: models, keys, where it listens."""

from __future__ import annotations

import copy
import ipaddress
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.models.local import LocalModel
from surefoot.text.formats import PlainFormat
from surefoot.treatments.wrapped import Wrapped, innermost

KEYS = "SUREFOOT_SERVE_KEYS"


def plain_twin(model: LanguageModel) -> LanguageModel:
    """The same weights and treatments, reading texts as they are, without the chat template."""
    if isinstance(model, LocalModel):
        twin: Any = model.adapted(model.model)
        twin.encoder = replace(twin.encoder, format=PlainFormat())
        twin.tokens = model.tokens
        return twin  # type: ignore[no-any-return]
    if isinstance(model, Wrapped):
        twin = copy.copy(model)
        twin.base = plain_twin(model.base)
        twin.inner = twin.base if model.inner is model.base else plain_twin(model.inner)
        return twin  # type: ignore[no-any-return]
    raise BadInput(f'"{model.name}" has no weights here; serve a local model.')


def remember_prefixes(model: LanguageModel, mib: int) -> None:
    """Keep keys and values of what prompts begin with, within so many MiB, for later prompts that begin alike."""
    from surefoot.models.causal import CausalModel
    from surefoot.models.prefix_store import PrefixStore

    below = innermost(model)
    if mib and isinstance(below, CausalModel):
        below.prefixes = PrefixStore(mib * 2**20)


def read_keys(file: Path | None) -> tuple[str, ...]:
    """API keys from a file, one a line, or from the environment, separated by commas."""
    if file is None:
        given = os.environ.get(KEYS, "").split(",")
    elif file.is_file():
        given = file.read_text(encoding="utf-8").splitlines()
    else:
        raise BadInput(f"There is no file {file} with API keys.")
    keys = tuple(key.strip() for key in given if key.strip())
    if file is not None and not keys:
        raise BadInput(f"The file {file} has no API key; write one a line.")
    if any(len(key) < 8 for key in keys):
        raise BadInput("An API key has fewer than 8 characters; use longer ones.")
    return keys


def check_host(host: str, keys: Sequence[str]) -> None:
    """Beyond this machine only with a key."""
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not (local or keys):
        raise BadInput(
            f"{host} can be reached from other machines, and there is no API key; set {KEYS} or give --keys, "
            "or listen on 127.0.0.1."
        )


def listen(app: Any, host: str, port: int, log_requests: bool) -> None:
    """Serve until the process is told to stop; requests under way have ten seconds to end."""
    import uvicorn

    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=log_requests, timeout_graceful_shutdown=10)
