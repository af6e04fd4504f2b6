"""A watermark's key: scheme, planned bias, the tokenizer that it belongs to, and the secret; a JSON file.

Who has the file can both write and find the watermark. The secret stands in the file, or the file names the environment
variable that holds it. Run records and reprs get the fingerprint only.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from surefoot.errors import BadInput, NotAvailable
from surefoot.watermark.keyed import AnchoredLists, KeyedLists, MinLists
from surefoot.watermark.lists import Lists
from surefoot.watermark.published import LeftLists, SelfLists
from surefoot.watermark.scheme import PUBLISHED, Scheme, check_delta
from surefoot.watermark.tokens import Tokens

FORMAT = "surefoot-watermark-key-1"
LEAST_BYTES = 16


@dataclass(frozen=True)
class Key:
    """`secret` is a whole number for the published schemes and bytes for the others. `delta` may be inf: the hard rule.

    `tokenizer` is the digest of the tokenizer, empty for a key that is used with ids only; `spec` says where it is read
    from.
    """

    scheme: Scheme
    secret: int | bytes = field(repr=False)
    delta: float = 2.0
    tokenizer: str = ""
    spec: str = ""

    def __post_init__(self) -> None:
        check_delta(self.delta)
        wanted = int if self.scheme.hash in PUBLISHED else bytes
        if not isinstance(self.secret, wanted):
            needs = "a whole number" if wanted is int else "bytes"
            raise BadInput(
                f'The secret of the hash scheme "{self.scheme.hash}" is {needs}; make a key for this scheme.'
            )
        if isinstance(self.secret, int) and not 0 < self.secret < 1 << 63:
            raise BadInput("The secret number of a published scheme lies above 0 and below 2 to the power of 63.")
        if isinstance(self.secret, bytes) and not LEAST_BYTES <= len(self.secret) < 256:
            raise BadInput(f"The secret has {len(self.secret)} bytes; use {LEAST_BYTES} to 255.")

    @property
    def fingerprint(self) -> str:
        """Recognises the key and does not tell it (a short secret could be guessed from it: use `new_key`)."""
        told = json.dumps([FORMAT, asdict(self.scheme), _text(self.secret), self.tokenizer], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def lists(self) -> Lists:
        """The green lists."""
        makers: Mapping[str, Any] = {
            "keyed": KeyedLists,
            "min": MinLists,
            "anchored": AnchoredLists,
            "left": LeftLists,
            "self": SelfLists,
        }
        made: Lists = makers[self.scheme.hash](self.scheme, self.secret)
        return made

    def check(self, tokens: Tokens) -> None:
        """Refuse another tokenizer than the key's: its ids mean other words, so nothing would be found."""
        if self.tokenizer and tokens.digest != self.tokenizer:
            raise BadInput(
                f'The key belongs to another tokenizer ({self.spec or self.tokenizer[:12]}) than "{tokens.spec}"; '
                "give the model whose text it marks."
            )

    def save(self, path: str | Path) -> None:
        """Write the key file, readable by its owner only. A file that is there is not overwritten."""
        told = {
            "format": FORMAT,
            "scheme": asdict(self.scheme),
            "delta": "inf" if math.isinf(self.delta) else self.delta,
            "tokenizer": {"digest": self.tokenizer, "spec": self.spec},
            "secret": _text(self.secret),
            "fingerprint": self.fingerprint,
        }
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise BadInput(f"{path} is there already; a key that is overwritten cannot be got back.") from None
        except OSError as error:
            raise BadInput(f"The key {path} cannot be written: {error.strerror}.") from None
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(json.dumps(told, indent=2) + "\n")


def new_key(
    tokens: Tokens,
    *,
    vocabulary: int | None = None,
    gamma: float = 0.25,
    delta: float = 2.0,
    hash: str = "keyed",
    width: int = 1,
) -> Key:
    """A key with a random secret for a tokenizer. `vocabulary` is the width of the model's logits, if not known from
    it.
    """
    size = vocabulary or tokens.vocabulary
    if size is None:
        raise BadInput(
            f'"{tokens.spec}" does not say how wide the model\'s logits are; give vocabulary=config.vocab_size.'
        )
    scheme = Scheme(size, gamma, hash, width)
    secret = secrets.randbelow((1 << 63) - 1) + 1 if hash in PUBLISHED else secrets.token_bytes(32)
    return Key(scheme, secret, delta, tokens.digest, tokens.spec)


def read_key(path: str | Path) -> Key:
    """The key of a file that `Key.save` wrote; `"secret": {"env": "NAME"}` takes the secret from the environment."""
    try:
        told = json.loads(Path(path).expanduser().read_text(encoding="utf-8"))
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise ValueError
        scheme, place = Scheme(**told["scheme"]), told["tokenizer"]
        secret = _secret(told["secret"], scheme)
        return Key(scheme, secret, float(told["delta"]), str(place["digest"]), str(place["spec"]))
    except FileNotFoundError:
        raise BadInput(f"There is no key {path}; make one with: surefoot watermark-key {path}") from None
    except (OSError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(
            f"{path} is not a key file of the watermark; make one with: surefoot watermark-key PATH"
        ) from None


def _secret(told: Any, scheme: Scheme) -> int | bytes:
    if isinstance(told, dict):
        name = str(told["env"])
        if name not in os.environ:
            raise NotAvailable(f'The key takes its secret from the environment variable "{name}", which is not set.')
        told = os.environ[name]
    return int(told) if scheme.hash in PUBLISHED else bytes.fromhex(told)


def _text(secret: int | bytes) -> str:
    return str(secret) if isinstance(secret, int) else secret.hex()
