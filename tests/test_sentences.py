"""Sentences: places that are exact in any text, and boundaries where a reader sees them."""

from __future__ import annotations

import random

import pytest

from surefoot.errors import BadInput
from surefoot.text.sentences import first_sentence, sentences, token_offsets, tokens_within

BITS = (
    *"aBc .!?\"'()&,:;-_/\\[]{}123\n\t",
    *("Dr. ", "e.g. ", "U.S. ", "3.5 ", "... ", "1. ", "a) ", "http://x.org. ", "I. ", "One. ", "Two! "),
    *("。", "！", "é", "“", "”", "\u2028", "\x85", "ȸ", "∯", "&ᓷ&", "😀", "है। "),
)


@pytest.mark.parametrize("language", ["en", "de", "zh", "hi", "ar"])
def test_every_character_but_white_space_is_in_one_sentence_at_its_place(language: str) -> None:
    rng = random.Random(language)
    for _ in range(400):
        text = "".join(rng.choices(BITS, k=rng.randrange(40)))
        at = 0
        for span in sentences(text, language):
            assert (text[span.start : span.end], span.text.strip()) == (span.text, span.text)
            assert span.text
            assert not text[at : span.start].strip()
            at = span.end
        assert not text[at:].strip()


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Dr. Ana Coe paid $3.50 to J. R. R. Tolkien, e.g. for tea.", "He left at 5 p.m.", "The end"]),
        ("en", ["Apple Inc. was founded by S. Jobs.", "It grew by 3.5%.", "So the answer is: No. 5."]),
        ("en", ["Really?!", "Yes... maybe.", "Version v. 2.0 is out"]),
        ("en", ["He died.", "He died.", "He died."]),
        ("en", ["Odd ȸ signs & all.", "Then it goes on."]),
        ("zh", ["他来了。", "她走了！", "好吗？", "是"]),
        ("hi", ["यह है।", "वह है।", "ठीक"]),
        ("de", ["Das kostet z. B. 3,50 Euro.", "Prof. Dr. Ohm kam am 3. Mai.", "Gut"]),
    ],
)
@pytest.mark.parametrize("gap", [" ", "\n", "\n\n  "])
def test_boundaries_are_where_a_reader_sees_them(language: str, expected: list[str], gap: str) -> None:
    text = f"{gap}{gap.join(expected)}{gap}"
    assert [span.text for span in sentences(text, language)] == expected


def test_the_first_sentence_ends_behind_its_stop() -> None:
    assert first_sentence(" It is 3.5 m. Then") == len(" It is 3.5 m.")
    assert first_sentence("no final stop  ") == len("no final stop")
    assert first_sentence("Who?\nI do not know.") == len("Who?\nI do not know.")  # 4 characters are a fragment
    assert first_sentence("Whom?\nI do not know.") == len("Whom?")
    assert first_sentence("") == first_sentence("  \n") == 0
    assert first_sentence("No.") == 3


def test_a_language_that_is_not_known_is_refused() -> None:
    with pytest.raises(BadInput, match='language "xx" cannot be told apart'):
        sentences("One.", "xx")


def test_tokens_are_those_that_share_a_character_with_the_sentence() -> None:
    rng = random.Random(0)
    for _ in range(100):
        pieces = ["".join(rng.choices("ab. ", k=rng.randrange(4))) for _ in range(12)]
        text = "".join(pieces)
        offsets = token_offsets(pieces)
        assert [text[start:end] for start, end in offsets] == pieces
        owner = [token for token, piece in enumerate(pieces) for _ in piece]
        for span in sentences(text):
            within = tokens_within(span.start, span.end, offsets)
            assert {owner[i] for i in range(span.start, span.end)} == {i for i in within if pieces[i]}
            assert pieces[within[0]]
            assert pieces[within[-1]]
    assert not tokens_within(3, 3, [(0, 3), (3, 6)])
