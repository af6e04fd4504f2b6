"""How often each term stands in each document, as a sparse matrix; parts are counted apart and put together."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import sparse

from surefoot.retrieval.corpus import searched
from surefoot.retrieval.retriever import Document
from surefoot.retrieval.terms import terms


class Counts(NamedTuple):
    """`matrix` (documents, terms) holds counts, `words` what each column counts, `lengths` the terms of a document."""

    matrix: sparse.csr_array
    words: Sequence[str]
    lengths: np.ndarray


def count(documents: Iterable[Document]) -> Counts:
    """Counts the terms of titles and texts; columns are in the order in which terms first come."""
    columns: defaultdict[str, int] = defaultdict()
    columns.default_factory = columns.__len__
    flat, ends = array("i"), array("q", [0])
    for document in documents:
        flat.extend([columns[term] for term in terms(searched(document))])
        ends.append(len(flat))
    indices, indptr = np.frombuffer(flat, dtype=np.int32), np.frombuffer(ends, dtype=np.int64)
    shape, lengths = (len(indptr) - 1, len(columns)), np.diff(indptr)
    matrix = sparse.csr_array((np.ones(len(indices), dtype=np.float32), indices, indptr), shape=shape)
    matrix.sum_duplicates()
    return Counts(matrix, list(columns), lengths)


def together(parts: Sequence[Counts]) -> Counts:
    """The counts of a corpus from those of its parts, equal to counting it at once."""
    columns = {word: column for column, word in enumerate(dict.fromkeys(word for part in parts for word in part.words))}
    matrices = []
    for part in parts:
        own = np.fromiter((columns[word] for word in part.words), dtype=np.int32, count=len(part.words))
        shape = (part.matrix.shape[0], len(columns))
        matrices.append(sparse.csr_array((part.matrix.data, own[part.matrix.indices], part.matrix.indptr), shape=shape))
    return Counts(sparse.vstack(matrices, "csr"), list(columns), np.concatenate([part.lengths for part in parts]))
