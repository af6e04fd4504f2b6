"""Where an endpoint is, and the key for it, which comes from the environment and goes nowhere else."""

from __future__ import annotations

import ipaddress
import os
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from surefoot.errors import BadInput

KEYS = ("SUREFOOT_API_KEY", "OPENAI_API_KEY")
OVER_HTTP = "SUREFOOT_KEY_OVER_HTTP"
_CALLS = ("/chat/completions", "/completions", "/models")


class Address(NamedTuple):
    """`base` ends before `/models` and `/chat/completions`; `model` is what stood behind a `#`."""

    base: str
    model: str | None

    @property
    def is_loopback(self) -> bool:
        host = urlsplit(self.base).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    @property
    def is_encrypted(self) -> bool:
        return self.base.startswith("https:")


def is_address(spec: str) -> bool:
    """Whether a model's spec names an endpoint."""
    return spec.lower().startswith(("http://", "https://"))


def address_of(spec: str) -> Address:
    """`http://host:port/v1#model` in its parts. Raises `BadInput`, in which no password is repeated."""
    try:
        parts = urlsplit(spec)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise BadInput("The endpoint's address cannot be read; it looks like http://host:8000/v1#model.") from None
    if parts.username is not None or parts.password is not None:
        raise BadInput(f"The address of {host} holds a user or password; put the key into {KEYS[0]} instead.")
    if parts.query:
        raise BadInput(
            f"The address of {host} has a query behind its ?; give http://host:8000/v1#model, a key in {KEYS[0]}."
        )
    if not host:
        raise BadInput(f'"{spec}" names no host; an endpoint looks like http://host:8000/v1#model.')
    path = parts.path.rstrip("/")
    for call in _CALLS:
        path = path.removesuffix(call)
    shown = f"[{host}]" if ":" in host else host
    base = f"{parts.scheme.lower()}://{shown}{'' if port is None else f':{port}'}{path}"
    return Address(base, unquote(parts.fragment) or None)


def key_for(address: Address) -> str | None:
    """The key of the environment: `SUREFOOT_API_KEY` if it is set (empty: none), else `OPENAI_API_KEY`.

    Raises `BadInput` where it would cross a network unencrypted, unless `SUREFOOT_KEY_OVER_HTTP=1` allows that.
    """
    name = next((name for name in KEYS if name in os.environ), None)
    key = os.environ[name].strip() if name else ""
    if not key:
        return None
    if not (key.isascii() and key.isprintable()):
        raise BadInput(f"The key in {name} has characters that no key has; set it again.")
    if not (address.is_encrypted or address.is_loopback or os.environ.get(OVER_HTTP) == "1"):
        raise BadInput(
            f"{address.base} is not encrypted and {name} is set; use https, or set {KEYS[0]} to nothing and send none, "
            f"or {OVER_HTTP}=1 to send it in the clear."
        )
    return key
