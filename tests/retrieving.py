"""What the tests of retrieval share: random corpora and an encoder whose vectors are known."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Document

LETTERS = ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st", "uv", "wx", "yz"]


def made(number: int, seed: int = 0) -> Corpus:
    """Documents of random words, some of them twins."""
    rng = random.Random(seed)
    texts = [" ".join(rng.choices(LETTERS, k=rng.randrange(0, 12))) for _ in range(number)]
    return Corpus.of([Document(str(i), "", texts[i // 2 if i % 5 == 0 else i]) for i in range(number)])


def written(path: Path, corpus: Sequence[Document]) -> Path:
    """The corpus as JSON Lines."""
    path.write_text("".join(json.dumps(document._asdict()) + "\n" for document in corpus))
    return path


class BagEncoder:
    """The sum of one small whole-number vector a word, so that inner products are exact; `seen` counts texts."""

    def __init__(self, seed: int = 0, width: int = 6) -> None:
        self.seed, self.width = seed, width
        self.seen = 0

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.seen += len(texts)
        return np.array([self._vector(text) for text in texts], dtype=np.float32)

    def _vector(self, text: str) -> np.ndarray:
        total = np.ones(self.width)
        for word in text.split():
            total += np.random.default_rng(zlib.crc32(word.encode()) + self.seed).integers(-3, 4, self.width)
        return total
