"""The terms of texts in several scripts."""

from __future__ import annotations

import unicodedata

import pytest

from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.corpus import Corpus
from surefoot.retrieval.retriever import Document
from surefoot.retrieval.terms import terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's 3.5 km, snake_case!", ["it", "s", "3", "5", "km", "snake", "case"]),
        ("Ünïted STRASSE Straße", ["ünïted", "strasse", "straße"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),  # vowel signs belong to the word
        ("العربية مُدَرِّس", ["العربية", "مُدَرِّس"]),
        ("Ελλάδα Россия", ["ελλάδα", "россия"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー", "東京", "京タ", "タワ", "ワー"]),
        ("iPhone東京 2号", ["iphone", "東", "京", "東京", "2", "号"]),
        ("ที่นี่", ["ที่", "นี่", "ที่นี่"]),  # a letter keeps its vowel and tone
        ("한국어 말", ["한국어", "말"]),
        ("...!?", []),
        ("", []),
    ],
)
def test_terms_of_many_scripts(text: str, expected: list[str]) -> None:
    assert terms(text) == [unicodedata.normalize("NFC", term) for term in expected]


@pytest.mark.parametrize("text", ["Ünïted Å", "한국어", "が ガ", "हिन्दी ড়", "मराठी 東京"])
def test_composed_and_decomposed_texts_have_the_same_terms(text: str) -> None:
    forms = {tuple(terms(unicodedata.normalize(form, text))) for form in ("NFC", "NFD")}
    assert len(forms) == 1
    assert terms(text)


@pytest.mark.parametrize(
    ("query", "gold", "other"),
    [
        ("東京はどこ", "東京は日本の首都である。", "京都は東の方ではない。"),
        ("北京在哪里", "北京是中国的首都。", "南京靠东边，不是北方。"),
        ("กรุงเทพอยู่ที่ไหน", "กรุงเทพเป็นเมืองหลวงของประเทศไทย", "เชียงใหม่เป็นเมืองทางเหนือ"),
    ],
)
def test_words_are_found_in_scripts_without_spaces(query: str, gold: str, other: str) -> None:
    index = BM25.of(Corpus.of([Document("other", "", other), Document("gold", "", gold)]))
    assert index.search([query], 1)[0][0].document.id == "gold"
