"""The steps of building an index, each stored before the next one begins.

Documents are copied in one go. Terms are counted in parts of 50,000 documents, one file each. Vectors are encoded into
one file, with a note of how many are there. A killed build finds what is stored, and does the rest.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from surefoot.errors import BadInput
from surefoot.retrieval.bm25 import scored
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.counts import Counts, count, together
from surefoot.retrieval.dense import BATCH, encoded
from surefoot.retrieval.source import is_same, seen
from surefoot.retrieval.table import Table, mapped
from surefoot.runs.folder import TEMPORARY, Folder

if TYPE_CHECKING:
    from surefoot.models.encoders import Encoder

PLAN = "plan.json"  # what is being built
SOURCE = "source.json"  # what the corpus was, once it is copied
DOCUMENTS = "documents.arrow"
BM25 = "bm25"
VECTORS = "vectors.npy"
DONE = "vectors.json"  # how many vectors are stored
PART = 50_000  # documents that are counted in one piece

Told = Callable[[str, int, int | None], None]


def begin(folder: Folder, corpus: Path, settings: dict[str, Any], index: str) -> dict[str, Any]:
    """What the corpus file is, after making sure that the folder is for this index and no other.

    A folder in which no document is stored yet, such as that of a corpus that was refused, is for any index.
    """
    source = seen(corpus)
    names = set(folder.names()) - {"lock"}
    if folder.exists(SOURCE):
        planned, known = (json.loads(folder.read(name)) for name in (PLAN, SOURCE))
        if planned != {"corpus": planned["corpus"], **settings} or not is_same(corpus, known):
            state = "an index" if folder.exists(index) else "an unfinished index"
            raise BadInput(
                f'"{folder.path}" holds {state} of another corpus or with other settings; give another folder, '
                "or delete this one."
            )
        return source
    if names and PLAN not in names:
        raise BadInput(f'"{folder.path}" holds other files ("{min(names)}"); give a folder of its own.')
    folder.write(PLAN, json.dumps({"corpus": source, **settings}, indent=1).encode())  # no document is stored yet
    return source


def documents(folder: Folder, corpus: Path, source: dict[str, Any], told: Told | None) -> Table:
    """The folder's own copy of the documents."""
    if not folder.exists(SOURCE):

        def watch(done: int) -> None:
            if told is not None:
                told("documents read", done, None)

        read = Corpus.read(corpus, keep=folder.full(DOCUMENTS + TEMPORARY), watch=watch)
        folder.move(DOCUMENTS + TEMPORARY, DOCUMENTS)
        folder.write(SOURCE, json.dumps({**source, "digest": read.digest, "documents": len(read)}).encode())
    return mapped(Path(folder.full(DOCUMENTS)))


def bm25(folder: Folder, table: Table, k1: float, b: float, told: Told | None) -> None:
    """The arrays of BM25, from the counts of each part."""
    if folder.exists(f"{BM25}/done"):
        return
    folder.make(f"{BM25}/counts")
    parts = []
    for start in range(0, len(table), PART):
        name = f"{BM25}/counts/{start:09d}.npz"
        if not folder.exists(name):
            folder.write(name, packed(count(table.part(start, PART))))
        parts.append(name)
        if told is not None:
            told("documents counted", min(start + PART, len(table)), len(table))
    counts = together([unpacked(folder.read(name)) for name in parts])
    scored(counts, k1, b).save(folder.full(BM25), show_progress=False)
    folder.write(f"{BM25}/done", b"")
    for name in parts:
        folder.remove(name)


def vectors(folder: Folder, table: Table, encoder: Encoder, told: Told | None) -> None:
    """The vectors of all documents."""
    done = json.loads(folder.read(DONE))["done"] if folder.exists(DONE) else 0
    stored = np.load(folder.full(VECTORS), mmap_mode="r+") if done else None
    for start in range(done, len(table), BATCH):
        batch = encoded(encoder, table[start : start + BATCH])
        if stored is None:
            shape = (len(table), batch.shape[1])
            stored = np.lib.format.open_memmap(folder.full(VECTORS), "w+", np.float32, shape)
        if batch.shape[1] != stored.shape[1]:
            raise BadInput(f"The encoder's vectors have {batch.shape[1]} dimensions, those stored {stored.shape[1]}.")
        stored[start : start + len(batch)] = batch
        stored.flush()
        folder.write(DONE, json.dumps({"done": start + len(batch)}).encode())
        if told is not None:
            told("documents encoded", start + len(batch), len(table))


def finish(folder: Folder, index: str) -> None:
    """The record of a whole index."""
    plan = json.loads(folder.read(PLAN))
    folder.write(index, json.dumps({**plan, "corpus": json.loads(folder.read(SOURCE))}, indent=1).encode())


def packed(counts: Counts) -> bytes:
    """Counts as the bytes of a file of arrays; terms hold no line breaks."""
    matrix, words, lengths = counts
    file = io.BytesIO()
    names = np.frombuffer("\n".join(words).encode(), dtype=np.uint8)
    np.savez(file, data=matrix.data, indices=matrix.indices, indptr=matrix.indptr, lengths=lengths, words=names)
    return file.getvalue()


def unpacked(raw: bytes) -> Counts:
    """The counts in such bytes."""
    stored = np.load(io.BytesIO(raw))
    words = stored["words"].tobytes().decode().split("\n") if stored["words"].size else []
    shape = (len(stored["lengths"]), len(words))
    matrix = sparse.csr_array((stored["data"], stored["indices"], stored["indptr"]), shape=shape)
    return Counts(matrix, words, stored["lengths"])
