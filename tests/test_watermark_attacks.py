"""Edits of marked text: their budgets, their seeds, and what they cost a mark."""

from __future__ import annotations

import difflib
from typing import Any

import numpy as np
import pytest

import tiny
from marking import key_of, word_tokens
from surefoot.errors import BadInput
from surefoot.models.scripted import ScriptedModel
from surefoot.watermark import Detector, new_key
from surefoot.watermark.attacks import Delete, Homoglyphs, InOrder, Insert, Paste, Substitute, words_of
from surefoot.watermark.lists import Lists
from surefoot.watermark.model_attacks import Paraphrase, Spans
from surefoot.watermark.power import power_curve

WORDS = [f"word{n}" for n in range(200)]
TEXT = "\n".join(" ".join(WORDS[k : k + 10]) for k in range(0, 200, 10))
OTHERS = ("one", "two", "three")
ATTACKS: dict[str, Any] = {
    "delete": Delete,
    "substitute": lambda share: Substitute(share, OTHERS),
    "insert": lambda share: Insert(share, OTHERS),
    "homoglyphs": Homoglyphs,
}


def changes(before: str, after: str) -> tuple[int, int]:
    """Words that went and words that came, by an alignment of the library difflib."""
    a, b = before.split(), after.split()
    steps = difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    return sum(i - h for s, h, i, _, _ in steps if s != "equal"), sum(k - j for s, _, _, j, k in steps if s != "equal")


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.35, 1.0])
def test_an_attack_edits_its_share_of_the_words_and_nothing_else(name: str, share: float) -> None:
    went, came = changes(TEXT, ATTACKS[name](share)(TEXT))
    count = round(200 * share)
    expected = {"delete": (count, 0), "insert": (0, count)}.get(name, (count, count))
    assert (went, came) == expected
    if share == 0:
        assert ATTACKS[name](share)(TEXT) == TEXT


@pytest.mark.parametrize("name", ATTACKS)
def test_the_seed_decides_and_the_text_around_words_stays(name: str) -> None:
    attack = ATTACKS[name](0.3)
    assert attack(TEXT, 1) == attack(TEXT, 1) != attack(TEXT, 2)
    if name != "delete":
        assert attack(TEXT).count("\n") == TEXT.count("\n")


def test_attacks_come_in_order_and_each_has_a_seed_of_its_own() -> None:
    both = InOrder((Delete(0.2), Insert(0.2, OTHERS)))
    assert both(TEXT, 3) == Insert(0.2, OTHERS)(Delete(0.2)(TEXT, 3027), 3028)
    assert len(words_of(both(TEXT))) == 192


@pytest.mark.parametrize("pieces", [1, 4])
def test_pasted_text_makes_up_its_share_in_so_many_pieces(pieces: int) -> None:
    host = " ".join(f"human{n}" for n in range(900))
    mixed = Paste(0.75, host, pieces)(TEXT, 5).split()
    marked = [word.startswith("word") for word in mixed]
    assert [word for word in mixed if word.startswith("word")] == WORDS
    assert sum(marked) / len(marked) == 0.25
    starts = sum(now and not before for before, now in zip([False, *marked], marked, strict=False))
    assert starts == pieces
    human = [int(word[5:]) for word in mixed if word.startswith("human")]
    assert human == list(range(human[0], human[0] + 600))


@pytest.mark.parametrize(("width", "kind"), [(1, "substitute"), (3, "substitute"), (1, "delete"), (1, "insert")])
def test_green_tokens_fall_linearly_with_blind_edits_at_the_rate_of_the_theory(width: int, kind: str) -> None:
    """Tokens are words, all green. A substitution takes (1 + width)(1 - gamma) green tokens where edits lie apart, an
    insertion adds a token of which gamma are green and spoils `width`, a deletion takes its own and spoils `width`."""
    tokens, gamma, length, edits = word_tokens(), 0.5, 400, 20
    lost = []
    for trial in range(12):
        key = key_of("keyed", width, gamma=gamma, vocabulary=500, number=trial)
        lists, rng = key.lists(), np.random.default_rng(trial)
        words = all_green(lists, length, rng)
        text, vocabulary = " ".join(f"w{n}" for n in words), tuple(f"w{n}" for n in range(500))
        share = edits / length
        attack: Any = {
            "substitute": Substitute(share, vocabulary),
            "delete": Delete(share),
            "insert": Insert(share, vocabulary),
        }[kind]
        detector = Detector(key, tokens, repeats="each")
        lost.append(detector.text(text).green - detector.text(attack(text, trial)).green)
    per_edit = {
        "substitute": (1 + width) * (1 - gamma),
        "delete": 1 + width * (1 - gamma),
        "insert": width * (1 - gamma) - gamma,
    }
    overlap = edits * width * edits / length * (1 - gamma)  # edits near each other spoil the same tokens
    expected = edits * per_edit[kind]
    assert expected - overlap - 3 < np.mean(lost) < expected + 3


def all_green(lists: Lists, length: int, rng: np.random.Generator) -> list[int]:
    ids = rng.integers(0, 500, lists.scheme.first).tolist()
    while len(ids) < length:
        mask = lists.mask(ids)
        assert mask is not None
        ids.append(int(rng.choice(np.flatnonzero(mask))))
    return ids


def test_homoglyphs_are_undone_by_the_normaliser_and_cost_the_mark_without_it() -> None:
    tokens = word_tokens()
    key = new_key(tokens, gamma=0.5)
    text = " ".join(f"w{n}" for n in all_green(key.lists(), 120, np.random.default_rng(0)))
    attacked = Homoglyphs(0.5)(text)
    assert attacked != text
    plain, undone = (Detector(key, tokens, normalise=names) for names in ((), ("homoglyphs",)))
    assert undone.text(attacked) == undone.text(text)
    assert plain.text(attacked).z < plain.text(text).z - 3


def test_a_power_curve_falls_with_the_budget_and_starts_at_the_unedited_texts() -> None:
    tokens = word_tokens()
    key = new_key(tokens, gamma=0.5)
    texts = [" ".join(f"w{n}" for n in all_green(key.lists(), 60, np.random.default_rng(s))) for s in range(10)]
    detector = Detector(key, tokens)
    points = power_curve(texts, Substitute, (0.0, 0.2, 0.9), detector)
    assert points[0].z == pytest.approx(np.mean([detector.text(text).z for text in texts]))
    assert [point.found.value for point in points[::2]] == [1.0, 0.0]
    assert points[0].z > points[1].z > points[2].z
    assert {point.texts for point in points} == {10}


def test_spans_are_written_by_the_model_from_what_stands_before_them() -> None:
    asked: list[str] = []
    model = ScriptedModel(lambda prompt, _: asked.append(str(prompt.text)) or "new new new and more")
    attacked = Spans(0.3, model, length=3, context=5)(" ".join(WORDS), 4)
    assert changes(" ".join(WORDS), attacked) == (60, 60)
    assert attacked.split().count("new") == 60
    for prompt in asked:
        words = prompt.split()
        start = WORDS.index(words[-1]) + 1
        assert words == WORDS[max(0, start - 5) : start]
    echo = ScriptedModel(lambda *_: "")
    assert Spans(0.3, echo)(" ".join(WORDS)) == " ".join(WORDS)
    assert Spans(0.5, tiny.causal(), length=2, context=3)(" ".join(WORDS[:20])) != " ".join(WORDS[:20])


def test_a_paraphrase_is_asked_for_piece_by_piece_and_an_empty_one_is_not_taken() -> None:
    text = " ".join(WORDS[:120])
    model = ScriptedModel(lambda prompt, _: prompt.text.rsplit("\n", 1)[-1].upper())
    assert Paraphrase(1.0, model)(text) == text.upper()
    half = Paraphrase(0.5, model)(text, 1).split()
    assert sum(word.isupper() for word in half) == 60
    assert Paraphrase(1.0, ScriptedModel(lambda *_: " "))(text) == text
    assert Paraphrase(1.0, model)("") == ""


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: Delete(1.5), "The budget of an attack is 1.5"),
        (lambda: Substitute(-0.1), "The budget of an attack is -0.1"),
        (lambda: Paste(1.0, "x"), "The share of human text is 1.0"),
        (lambda: Paste(0.5, "x", 0), "pasted in 0 pieces"),
        (lambda: Paste(0.5, "a b")(TEXT), "needs 200 words of human text and has 2"),
    ],
)
def test_bad_budgets_are_refused_with_a_sentence(make: Any, part: str) -> None:
    with pytest.raises(BadInput) as caught:
        make()
    assert part in str(caught.value)
