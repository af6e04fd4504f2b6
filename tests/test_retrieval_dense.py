"""Dense and hybrid retrieval against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from retrieving import BagEncoder, made
from surefoot.errors import BadInput
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.dense import Dense
from surefoot.retrieval.hybrid import Hybrid
from surefoot.retrieval.retriever import Document, Hit

QUERIES = ["ab cd", "yz", "kl kl mn op", "nothing", "gh"]


def by_sorting(corpus: Corpus, scores: dict[str, float], k: int) -> list[tuple[str, float]]:
    """The best k of scores by id, ties in corpus order."""
    order = {document.id: place for place, document in enumerate(corpus)}
    return sorted(scores.items(), key=lambda item: (-item[1], order[item[0]]))[:k]


@pytest.mark.parametrize("k", [1, 2, 10, 39, 150, 1000])
@pytest.mark.parametrize("queries", [QUERIES, QUERIES * 10])  # faiss multiplies matrices from 20 queries on
def test_dense_is_the_inner_product_with_every_document(k: int, queries: list[str]) -> None:
    corpus, encoder = made(150), BagEncoder()
    vectors = encoder.encode([document.text for document in corpus])
    for query, hits in zip(queries, Dense.of(corpus, encoder).search(queries, k), strict=True):
        scores = {d.id: float(v @ encoder.encode([query])[0]) for d, v in zip(corpus, vectors, strict=True)}
        assert [(hit.document.id, hit.score) for hit in hits] == by_sorting(corpus, scores, k)


def test_equal_documents_are_found_in_corpus_order_whatever_k_is() -> None:
    corpus = Corpus.of([Document(str(i), "", "ab cd" if i % 3 else "ab") for i in range(90)])
    index = Dense.of(corpus, BagEncoder())
    (everything,) = index.search(["cd"], 90)
    for k in range(1, 90, 7):
        assert index.search(["cd"], k) == [everything[:k]]


def test_minilm_finds_another_wording_of_the_same_meaning() -> None:
    texts = ("The cat sleeps on the sofa.", "Interest rates rose again.", "He repaired the car's engine.")
    corpus = Corpus.of([Document(str(i), "", text) for i, text in enumerate(texts)])
    queries = ["a kitten is napping on a couch", "central bank policy", "a mechanic fixed a vehicle"]
    hits = Dense.of(corpus).search(queries, 3)
    assert [hit[0].document.id for hit in hits] == ["0", "1", "2"]
    assert all(-1.0001 <= one.score <= 1.0001 for found in hits for one in found)


def test_another_encoder_is_noticed() -> None:
    index = Dense.of(made(30), BagEncoder())
    index.check_encoder()
    for other in (BagEncoder(seed=9), BagEncoder(width=7)):
        with pytest.raises(BadInput, match="another encoder"):
            Dense(index.corpus, other, index.vectors).check_encoder()
    with pytest.raises(BadInput, match="have 7 dimensions and the index 6"):
        Dense(index.corpus, BagEncoder(width=7), index.vectors).search(["ab"], 1)
    assert Dense.of(made(30), BagEncoder(seed=9)).digest != index.digest == Dense.of(made(30), BagEncoder()).digest


def test_an_encoder_that_gives_no_finite_vector_a_text_is_refused() -> None:
    class Broken(BagEncoder):
        def encode(self, texts):  # type: ignore[no-untyped-def]
            return super().encode(texts) * np.nan

    class Short(BagEncoder):
        def encode(self, texts):  # type: ignore[no-untyped-def]
            return super().encode(texts)[1:]

    for encoder in (Broken(), Short()):
        with pytest.raises(BadInput, match="one finite vector a text"):
            Dense.of(made(3), encoder)


def fused(lists: list[list[Hit]], weights: tuple[float, ...], by_rank: bool) -> dict[str, float]:
    """The two fusions with dictionaries."""
    scores: dict[str, float] = {}
    for hits, weight in zip(lists, weights, strict=True):
        for rank, hit in enumerate(hits, start=1):
            low, high = hits[-1].score, hits[0].score
            share = 1 / (60 + rank) if by_rank else (hit.score - low) / (high - low) if high > low else 1.0
            scores[hit.document.id] = scores.get(hit.document.id, 0.0) + weight * share
    return scores


@pytest.mark.parametrize("fusion", ["reciprocal-rank", "weighted"])
@pytest.mark.parametrize("weights", [(), (1.0, 0.0), (0.3, 0.7)])
@pytest.mark.parametrize(("depth", "k"), [(5, 3), (5, 20), (100, 10)])
def test_a_hybrid_is_the_fusion_of_what_its_members_find(
    fusion: str, weights: tuple[float, ...], depth: int, k: int
) -> None:
    corpus = made(120)
    members = (BM25.of(corpus), Dense.of(corpus, BagEncoder()))
    hybrid = Hybrid(members, fusion, weights, depth)
    assert depth != 100 or Hybrid(members, fusion, weights).search(QUERIES, k) == hybrid.search(QUERIES, k)
    found = [member.search(QUERIES, max(k, depth)) for member in members]
    for hits, *lists in zip(hybrid.search(QUERIES, k), *found, strict=True):
        expected = by_sorting(corpus, fused(lists, weights or (1.0, 1.0), fusion == "reciprocal-rank"), k)
        assert [hit.document.id for hit in hits] == [id for id, _ in expected]
        assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected])


def test_members_and_weights_that_do_not_fit_are_refused() -> None:
    one, other = BM25.of(made(5)), BM25.of(made(6))
    for settings, said in (
        (((),), "has no members"),
        (((one, other),), "search different corpora"),
        (((one,), "rrf"), 'no fusion "rrf"'),
        (((one, one), "weighted", (1.0,)), "1 weights for 2 members"),
        (((one,), "weighted", (-1.0,)), "give 0 or more"),
        (((one,), "weighted", (0.0,)), "not 0 to all"),
        (((one,), "weighted", (), 0), "depth is 0"),
    ):
        with pytest.raises(BadInput, match=said):
            Hybrid(*settings)  # type: ignore[arg-type]
    assert len({Hybrid((one,)).digest, Hybrid((one,), "weighted").digest, one.digest, Hybrid((one, one)).digest}) == 4


def test_documents_that_score_alike_all_count_in_full() -> None:
    corpus = Corpus.of([Document("a", "", "ab"), Document("b", "", "cd"), Document("c", "", "ab")])
    (hits,) = Hybrid((BM25.of(corpus),), "weighted", (0.5,)).search(["ab"], 3)
    assert [(hit.document.id, hit.score) for hit in hits] == [("a", 0.5), ("c", 0.5)]
