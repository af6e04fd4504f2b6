"""Indexes on disk: built once, in steps that a kill does not undo, and mapped into memory when they are opened.

A folder holds its own copy of the documents (`documents.arrow`), the arrays of bm25s as bm25s reads them (`bm25/`), the
vectors (`vectors.npy`), and `index.json`, written last, which says what it was made of and how.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from surefoot.errors import BadInput, SurefootError, nearest, needs_package
from surefoot.retrieval import building
from surefoot.retrieval.bm25 import BM25, check
from surefoot.retrieval.building import Told
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.dense import Dense, minilm
from surefoot.retrieval.hybrid import Hybrid, Ranker, check_fusion
from surefoot.retrieval.source import refuse_changed
from surefoot.retrieval.table import mapped
from surefoot.retrieval.terms import VERSION
from surefoot.runs.folder import Folder
from surefoot.runs.lock import acquire

if TYPE_CHECKING:
    from surefoot.models.encoders import Encoder

INDEX = "index.json"
MINILM = "all-MiniLM-L6-v2"
KINDS = {"bm25": ("bm25",), "dense": ("dense",), "hybrid": ("bm25", "dense")}


def build_index(
    corpus: str | Path,
    out: str | Path,
    *,
    kind: str = "bm25",
    k1: float = 1.5,
    b: float = 0.75,
    encoder: Encoder | str | Path | None = None,
    fusion: str = "reciprocal-rank",
    told: Told | None = None,
) -> Ranker:
    """Makes the index of a corpus file in the folder `out` and opens it.

    `kind` is bm25, dense or hybrid; `encoder` a folder with a transformers encoder or any object with `encode`, MiniLM
    by default; `told` hears of progress as (what, done, all). The same call goes on where a killed one stopped, and
    does nothing where the index is there. Raises `BadInput` for a folder with something else in it.
    """
    check(k1, b)
    check_fusion(fusion)
    if kind not in KINDS:
        raise BadInput(f'There is no kind of index "{kind}".{nearest(kind, KINDS)}')
    parts = KINDS[kind]
    settings: dict[str, Any] = {"kind": kind}
    if "bm25" in parts:
        needs_package("bm25s", extra="retrieval", by="An index for BM25")
        settings["bm25"] = {"k1": k1, "b": b, "terms": VERSION}
    if "dense" in parts:
        needs_package("faiss", extra="retrieval", by="A dense index")
        settings["dense"] = {"encoder": _encoder_name(encoder)}
        encoder = _encoder(encoder)
    if kind == "hybrid":
        settings["fusion"] = fusion
    folder = Folder(Path(out).expanduser().absolute())
    folder.make()
    lock = acquire(folder)
    try:
        source = building.begin(folder, Path(corpus), settings, INDEX)
        if not folder.exists(INDEX):
            table = building.documents(folder, Path(corpus), source, told)
            if "bm25" in parts:
                building.bm25(folder, table, k1, b, told)
            if "dense" in parts:
                building.vectors(folder, table, _encoder(encoder), told)
            building.finish(folder, INDEX)
    finally:
        lock.release()
    return open_index(out, encoder=encoder)


def open_index(folder: str | Path, *, encoder: Encoder | str | Path | None = None) -> Ranker:
    """The retriever in a folder, its documents, arrays and vectors mapped from disk.

    `encoder` is needed where the index was made with an object; otherwise the stored name says which it was. Raises
    `BadInput` for a folder without a finished index, a damaged one, a corpus file that has changed since, or another
    encoder.
    """
    place = Folder(Path(folder).expanduser().absolute())
    if not place.exists(INDEX):
        unfinished = place.exists(building.PLAN)
        fix = (
            "was not finished; give the same command again" if unfinished else "is not there; make one: surefoot index"
        )
        raise BadInput(f'The index in "{folder}" {fix}.')
    with _read(place):
        made = json.loads(place.read(INDEX))
        refuse_changed(made["corpus"], str(folder))
        corpus = Corpus(mapped(Path(place.full(building.DOCUMENTS))), made["corpus"]["digest"])
    members: list[Ranker] = []
    if "bm25" in made:
        members.append(_bm25(place, corpus, made["bm25"]))
    if "dense" in made:
        members.append(_dense(place, corpus, made["dense"], encoder))
    return members[0] if len(members) == 1 else Hybrid(tuple(members), fusion=made["fusion"])


@contextmanager
def _read(place: Folder) -> Iterator[None]:
    """Says of a file that is gone, cut or no longer what it was that the index is damaged."""
    try:
        yield
    except SurefootError:
        raise
    except (EOFError, OSError, ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        raise BadInput(f'The index in "{place.path}" is damaged ({why}); delete it and make it anew.') from error


def _bm25(place: Folder, corpus: Corpus, made: dict[str, Any]) -> BM25:
    needs_package("bm25s", extra="retrieval", by="An index for BM25")
    import bm25s

    if made["terms"] != VERSION:
        raise BadInput(f'The index in "{place.path}" cuts texts as an older version did; make it anew.')
    with _read(place):
        index = bm25s.BM25.load(place.full(building.BM25), mmap=True, show_progress=False)
    return BM25(corpus, index, made["k1"], made["b"])


def _dense(place: Folder, corpus: Corpus, made: dict[str, Any], encoder: Encoder | str | Path | None) -> Dense:
    if encoder is None and made["encoder"] is None:
        raise BadInput(f'The index in "{place.path}" was made with an encoder of your own; give it: encoder=...')
    with _read(place):
        stored = np.load(place.full(building.VECTORS), mmap_mode="r")
    named = encoder if encoder is not None else made["encoder"]
    opened = Dense(corpus, _encoder(named if named != MINILM else None), stored)
    opened.check_encoder()
    return opened


def _encoder(encoder: Encoder | str | Path | None) -> Encoder:
    if not isinstance(encoder, str | Path):
        return encoder or minilm()
    from surefoot.models.encoders import SentenceEncoder

    return SentenceEncoder(encoder)


def _encoder_name(encoder: Encoder | str | Path | None) -> str | None:
    """What the record says of an encoder: a folder, MiniLM, or nothing for an object."""
    if encoder is None:
        return MINILM
    return str(Path(encoder).expanduser().absolute()) if isinstance(encoder, str | Path) else None
