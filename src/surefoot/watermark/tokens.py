"""The tokenizer that a key belongs to: read without its model and without torch, and recognised by a digest."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from surefoot.errors import BadInput, NotAvailable


class Encoded(NamedTuple):
    """Ids of a text without special tokens, and the characters (from, to) of each, shape (tokens, 2)."""

    ids: NDArray[np.int64]
    spans: NDArray[np.int64]


class Tokens:
    """A tokenizer of the `tokenizers` library. `spec` is what `tokens_of` reads it from again."""

    def __init__(self, core: Any, spec: str, vocabulary: int | None = None) -> None:
        self.core = core
        self.spec = spec
        self.vocabulary = vocabulary

    def encode(self, text: str) -> Encoded:
        found = self.core.encode(text, add_special_tokens=False)
        return Encoded(np.asarray(found.ids, np.int64), np.asarray(found.offsets, np.int64).reshape(-1, 2))

    def ids(self, text: str) -> NDArray[np.int64]:
        return np.asarray(self.core.encode(text, add_special_tokens=False).ids, np.int64)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that decides how text becomes ids; settings of padding and truncation are left out."""
        told = json.loads(self.core.to_str())
        kept = {name: told.get(name) for name in ("added_tokens", "normalizer", "pre_tokenizer", "model")}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def tokens_of(spec: Any) -> Tokens:
    """The tokenizer of `smollm2`, a model's folder, a tokenizer.json file, or a fast transformers tokenizer."""
    if isinstance(spec, Tokens):
        return spec
    if not isinstance(spec, str | Path):
        return _of_object(spec)
    where = _folder(str(spec))
    file = where / "tokenizer.json" if where.is_dir() else where
    if not file.is_file():
        raise BadInput(f'"{spec}" has no tokenizer; give smollm2, a model\'s folder or a tokenizer.json file.')
    from tokenizers import Tokenizer

    try:
        core = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception for whatever is wrong with the file
        raise BadInput(f"The tokenizer {file} cannot be read: {error}.") from None
    core.no_padding()
    core.no_truncation()
    return Tokens(core, str(spec) if str(spec) == "smollm2" else str(file.resolve()), _width(file.parent))


def _of_object(tokenizer: Any) -> Tokens:
    core = getattr(tokenizer, "backend_tokenizer", None)
    if core is None:
        raise NotAvailable(
            f"{type(tokenizer).__name__} has no fast tokenizer, which the watermark needs; use one that has."
        )
    return Tokens(core, str(getattr(tokenizer, "name_or_path", "")))


def _folder(spec: str) -> Path:
    if spec != "smollm2":
        return Path(spec).expanduser()
    from surefoot.models.weights import smollm2_gguf, unpacked

    return unpacked(smollm2_gguf())


def _width(folder: Path) -> int | None:
    """The width of the model's logits by the config.json beside the tokenizer."""
    try:
        told = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    except (OSError, ValueError, KeyError):
        return None
    return int(told)
