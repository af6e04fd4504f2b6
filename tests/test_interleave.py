"""The emoji attack: a text forced behind each unit, taken out again, and what that leaves of a watermark."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cached_property
from string import ascii_letters, digits
from typing import Any

import numpy as np
import pytest
import torch

import tiny
from marking import key_of
from markov import MarkovModel, shares
from surefoot.decoding.interleaving import begun, last
from surefoot.decoding.rows import Vocabulary
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable
from surefoot.treatments import treat
from surefoot.watermark import Detector
from surefoot.watermark.attacks import Delete, InOrder, Strip


class Heedless(MarkovModel):
    """Signs with probabilities of their own, whatever stands before: the text that is forced does not move it."""

    def __init__(self, signs: str, p: Sequence[float]) -> None:
        super().__init__(torch.tensor(p, dtype=torch.float64).expand(len(signs), -1))
        self.signs = signs

    @cached_property
    def vocabulary(self) -> Vocabulary:
        def text(ids: Sequence[int]) -> str:
            return "".join(self.signs[token] for token in ids if token < self.end)

        return Vocabulary(self.end + 1, frozenset({self.end}), text, self._ids, None)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [[max(0, self.signs.find(sign)) for sign in text] for text in texts]


def blanks() -> Heedless:
    return Heedless(" xy*", [0.3, 0.3, 0.2, 0.0, 0.2])


def letters() -> Heedless:
    """62 letters, equally likely, and the star; texts end by their length alone."""
    return Heedless(ascii_letters + digits + "*", [1 / 62] * 62 + [0.0, 0.0])


def written(text: str, unit: str, every: int) -> str:
    """The text with a star behind each `every`th unit that another one follows, by regular expressions."""
    units = rf"((?:\s*\S+(?!\S)){{{every}}}(?=\s))" if unit == "word" else rf"(.{{{every}}}(?=.))"
    return re.sub(units, r"\1*", text, flags=re.DOTALL)


@pytest.mark.parametrize(("unit", "every"), [("word", 1), ("word", 2), ("token", 1), ("token", 3)])
def test_a_heedless_model_writes_its_text_with_the_same_probability(unit: str, every: int) -> None:
    """Every text of up to five signs: p of the text with stars is p of the text without them."""
    model = blanks()
    treated = treat("interleave", model, text="*", unit=unit, every=every)
    texts = ["".join(model.signs[token] for token in ids) for ids in model.texts(5) if 3 not in ids and ids]
    forced = [written(text, unit, every) for text in texts]
    assert len(texts) == 363
    assert sum(text != star for text, star in zip(texts, forced, strict=True)) > 20
    assert [Strip("*")(star) for star in forced] == texts
    before, after = (m.score([("x", text) for text in some]) for m, some in ((model, texts), (treated, forced)))
    for text, plain, own in zip(texts, before, after, strict=True):
        assert own.sum == pytest.approx(plain.sum, abs=1e-4), text


@pytest.mark.parametrize(("unit", "every"), [("word", 1), ("word", 2), ("token", 1), ("token", 3)])
@pytest.mark.parametrize("width", [1, 2])
def test_hidden_stars_leave_the_law_of_a_marked_text_without_its_stars(unit: str, every: int, width: int) -> None:
    """Every text of up to four signs under a watermark: written with stars, or without and judged as with them."""
    model = Heedless(" \nxy*", [0.2, 0.2, 0.3, 0.2, 0.0, 0.1])
    key = key_of("keyed", width, gamma=0.5, vocabulary=6, number=13)
    marked = treat("watermark", model, key=key, delta=1.5)
    open_, hidden = (
        treat("interleave", marked, text="*", unit=unit, every=every, hidden=hide) for hide in (False, True)
    )
    texts = ["".join(model.signs[token] for token in ids) for ids in model.texts(4) if 4 not in ids and ids]
    stars, none, plain = (
        np.asarray([score.sum for score in own.score([("xy", text) for text in some])])
        for own, some in ((open_, [written(text, unit, every) for text in texts]), (hidden, texts), (marked, texts))
    )
    assert none == pytest.approx(stars, abs=1e-4)
    assert np.abs(none - plain).max() > 0.3  # what the watermark alone would have


def test_what_is_drawn_has_a_star_behind_each_word_and_the_models_law_without() -> None:
    treated = treat("interleave", blanks(), text="*")
    samplings = [Sampling(max_new_tokens=40, temperature=1.0, seed=seed) for seed in range(800)]
    found = [text.text for text in treated.generate(["x"] * 800, samplings) if text.finish_reason == "stop"]
    assert len(found) > 780
    assert all(written(Strip("*")(text), "word", 1) == text for text in found)
    short = [text if len(text) <= 2 else "more" for text in map(Strip("*"), found)]
    p = {" ": 0.3, "x": 0.3, "y": 0.2}
    law = {"": 0.2, **{a: p[a] * 0.2 for a in p}, **{a + b: p[a] * p[b] * 0.2 for a in p for b in p}}
    assert shares(short, {**law, "more": 1 - sum(law.values())}) > 1e-3


@pytest.mark.parametrize(
    ("width", "every", "left"), [(0, 1, 1.0), (1, 1, 0.5), (3, 1, 0.5), (1, 2, 0.75), (1, 4, 0.875)]
)
def test_taking_the_stars_out_leaves_green_what_the_theory_says(width: int, every: int, left: float) -> None:
    """Hard rule, gamma 1/2, a key for each of 40 texts: all green as written. Without the stars every token that stood
    behind one is judged by another list (chance), the others by the same one; a single list for all is not moved."""
    keys = [key_of("keyed", width, gamma=0.5, vocabulary=64, number=n) for n in range(40)]
    marked: Any = treat("watermark", letters(), key=keys[0], delta=math.inf)
    prompts, sampling = ["The sea is"] * 40, Sampling(max_new_tokens=60, temperature=1.0)
    unattacked = marked.at(keys).generate(prompts, sampling)
    attacked = treat("interleave", marked.at(keys), text="*", unit="token", every=every).generate(prompts, sampling)
    marks: dict[str, list[float]] = {"whole": [], "written": [], "stripped": []}
    for key, whole, text in zip(keys, unattacked, attacked, strict=True):
        lists, ids = key.lists(), np.asarray(text.token_ids)
        star = ids == 62
        assert np.array_equal(star, np.arange(60) % (every + 1) == every)
        marks["whole"] += lists.verdicts(whole.token_ids).green.tolist()
        marks["written"] += lists.verdicts(ids).green[~star[width:]].tolist()
        marks["stripped"] += lists.verdicts(ids[~star]).green.tolist()
    assert min(marks["whole"]) == min(marks["written"]) == 1.0
    error = math.sqrt(0.25 / len(marks["stripped"])) if left < 1 else 0.0
    assert np.mean(marks["stripped"]) == pytest.approx(left, abs=4 * error + 0.01)


def test_the_detector_finds_the_text_before_and_not_after() -> None:
    key = key_of(gamma=0.5, vocabulary=64)
    marked = treat("watermark", letters(), key=key, delta=math.inf)
    sampling = Sampling(max_new_tokens=160, temperature=1.0)
    (plain,) = marked.generate(["The sea"], sampling)
    (starred,) = treat("interleave", marked, text="*", unit="token").generate(["The sea"], sampling)
    stripped = [token for token in starred.token_ids if token != 62]
    detector = Detector(key)
    assert detector.ids(plain.token_ids[: len(stripped)]).verdict == "watermarked"
    assert detector.ids(stripped).verdict != "watermarked"


def test_texts_of_several_tokens_are_written_whole_and_no_character_is_cut() -> None:
    """Also where the model below would never write them."""
    model = Heedless("a*+\N{REPLACEMENT CHARACTER}", [0.4, 0.0, 0.0, 0.6, 0.0])
    (text,) = treat("interleave", model, text="*+", unit="token").generate(
        ["a"], Sampling(max_new_tokens=200, temperature=1.0)
    )
    pieces = text.text.split("*+")
    assert len(pieces) > 30
    assert all(re.fullmatch("\N{REPLACEMENT CHARACTER}*a", piece) for piece in pieces[:-1])


def test_places_in_a_text_are_found() -> None:
    assert [begun(ids, [1, 2, 1]) for ids in ([], [1], [3, 1, 2], [1, 3], [2])] == [0, 1, 2, 0, 0]
    assert [last(ids, [1, 2, 1]) for ids in ([1, 2], [1, 2, 1], [1, 2, 1, 5, 1, 2], [0, 1, 2, 1, 2, 1])] == [
        None,
        3,
        3,
        6,
    ]


def test_strip_is_an_edit_like_others() -> None:
    assert InOrder((Strip("✨"), Delete(1.0)))("Once✨ upon✨ a") == ""
    assert Strip("✨")("Once✨ upon✨ a✨✨\n") == "Once upon a\n"


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"text": ""}, "The text to write is ''"),
        ({"text": " *"}, "The text to write is ' *'"),
        ({"text": "*", "unit": "wrod"}, 'Did you mean "word"?'),
        ({"text": "*", "every": 0}, "every is 0"),
        ({"text": "q"}, "has no tokens for 'q'"),
    ],
)
def test_bad_settings_are_refused_with_a_sentence(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(BadInput) as caught:
        treat("interleave", blanks(), **settings)
    assert part in str(caught.value)


def test_it_does_not_lie_on_itself_nor_on_a_search() -> None:
    once = treat("interleave", tiny.causal(), text="*")
    with pytest.raises(NotAvailable, match="interleave does not lie on interleave"):
        treat("interleave", treat("system-prompt", once, text="Be brief."), text="+")
    with pytest.raises(NotAvailable, match="apply beam-search last"):
        treat("interleave", treat("beam-search", tiny.causal()), text="*")
    with pytest.raises(NotAvailable, match='Under "tiny" no rule decides about tokens'):
        treat("interleave", tiny.causal(), text="*", hidden=True)
    with pytest.raises(BadInput, match="The text to take out is empty"):
        Strip("")
