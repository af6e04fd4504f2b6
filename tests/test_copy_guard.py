"""The guard: what its index knows, which tokens it rules out, and that no text holds a protected run."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import surefoot as sf
import tiny
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.memorisation.guard import RunIndex
from surefoot.memorisation.guard_tokens import TokenTable
from surefoot.memorisation.works import Work
from surefoot.text.words import words_of

TEXT = "It was the best of times, it was the worst of times; don't you see?"
SEQUENCES = st.lists(st.sampled_from("abc"), max_size=12)


@given(st.lists(SEQUENCES, min_size=1, max_size=3), SEQUENCES, st.integers(1, 4))
def test_the_index_finds_what_brute_force_finds(texts: list[list[str]], found: list[str], least: int) -> None:
    runs = {tuple(text[i : i + least]) for text in texts for i in range(len(text) - least + 1)}
    if not runs:
        with pytest.raises(BadInput, match="No protected text has"):
            RunIndex(map(" ".join, texts), least)
        return
    index = RunIndex(map(" ".join, texts), least)
    here = [i + least for i in range(len(found) - least + 1) if tuple(found[i : i + least]) in runs]
    assert index.first_run(found) == (here[0] if here else None)
    assert index.holds(" ".join(found)) is bool(here)
    for letter in "abc":
        assert (letter in index.completing(found)) is ((*found, letter)[-least:] in runs)


def test_case_and_punctuation_hide_nothing() -> None:
    index = RunIndex([TEXT], least=5)
    assert index.holds("THE WORST of TIMES -- dont!")
    assert not index.holds("the worst of times, you see")


@pytest.mark.parametrize("least", [1, 3, 5])
def test_the_tokens_ruled_out_are_those_behind_which_a_run_stands(least: int) -> None:
    """Every token of the vocabulary is tried behind every beginning of texts that come close."""
    tokenizer = tiny.tokenizer()
    decode = tokenizer.decode
    size = len(tokenizer)
    index, table = RunIndex([TEXT, "yes no yes no yes no"], least), TokenTable(decode, size)
    for text in (TEXT, "the best of tim es and no yes no ", "it was don’t you se"):
        ids = tokenizer(text, add_special_tokens=False)["input_ids"]
        for end in range(0, len(ids) + 1):
            before = decode(ids[:end])
            expected = {
                token
                for token in range(3, size)
                if words_of(decode([*ids[:end], token])) != words_of(before)
                and index.ends(words_of(decode([*ids[:end], token])))
            }
            assert table.completing(before, index) == expected, before


class Piecewise:
    """A vocabulary of whole words and of pieces with several words."""

    pieces = ("a", " the", " end", " of", " the end of", "s", "'s", ". ", "The end", " endless")

    def decode(self, ids: list[int]) -> str:
        return "".join(self.pieces[i] for i in ids)


def test_a_token_of_several_words_is_ruled_out_if_any_of_them_completes_a_run() -> None:
    words = Piecewise()
    table = TokenTable(words.decode, len(words.pieces))  # type: ignore[arg-type]
    index = RunIndex(["see the end of", "the dog's end"], least=3)
    assert table.completing("we see", index) == {4}
    assert table.completing("see the", index) == {2, 4}
    assert table.completing("see. ", index) == {8, 4}
    assert table.completing("the dog", index) == {4}
    assert table.completing("the dogs", index) == {2, 4}


def written(model: sf.LanguageModel, prompts: list[str], **sampling: object) -> list[str]:
    return [g.text for g in model.generate(prompts, Sampling(**sampling))]  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["block", "stop"])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_no_text_holds_a_run_that_the_model_would_write(mode: str, temperature: float) -> None:
    """What a model writes unguarded is protected; guarded, no run of it is left, in whatever batch."""
    model = tiny.causal()
    prompts = [f"Is {n} odd?" for n in range(6)]
    setting = {"max_new_tokens": 60, "temperature": temperature, "top_k": 3}
    free = written(model, prompts, **setting)
    works = tuple(Work(str(n), f"T{n}", text, "x", "y") for n, text in enumerate(free) if len(words_of(text)) >= 3)
    assert len(works) >= 3
    guarded = sf.treat("copy-guard", model, works=works, least=3, mode=mode)
    index = RunIndex([work.text for work in works], 3)
    texts = written(guarded, prompts, **setting)
    assert all(map(index.holds, [work.text for work in works]))
    assert not any(map(index.holds, texts))
    assert any(texts)
    assert texts == [written(guarded, [prompt], **setting)[0] for prompt in prompts]


def test_nothing_is_changed_where_no_run_is_near() -> None:
    model = tiny.causal()
    works = (Work("a", "A", "words that a random model does not come near", "x", "y"),)
    guarded = sf.treat("copy-guard", model, works=works, least=4)
    for sampling in (Sampling(max_new_tokens=30), Sampling(max_new_tokens=30, temperature=1.0)):
        assert guarded.generate(["Is 3 odd?"], sampling) == model.generate(["Is 3 odd?"], sampling)


def test_an_answer_that_completes_a_run_has_no_probability() -> None:
    works = (Work("a", "A", "yes", "x", "y"),)
    guarded = sf.treat("copy-guard", tiny.causal(), works=works, least=1)
    (choice,) = guarded.choose(["Is 3 odd?"], [["yes", "no"]])
    assert (choice.index, choice.scores[0]) == (1, -float("inf"))


def test_the_card_holds_a_digest_and_no_text() -> None:
    cards = []
    for text in ("one two three", "one two four"):
        works = (Work("a", "A", text, "x", "y"),)
        cards.append(repr(sf.treat("copy-guard", tiny.causal(), works=works, least=2).card))
    assert cards[0] != cards[1]
    assert "two" not in cards[0]


def test_bad_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="least is 0"):
        sf.treat("copy-guard", tiny.causal(), least=0)
    with pytest.raises(BadInput, match='"halt" is not a mode'):
        sf.treat("copy-guard", tiny.causal(), mode="halt")
    path = tmp_path / "secret.txt"
    path.write_text("no licence stands beside this")
    with pytest.raises(BadInput, match="states no licence"):
        sf.treat("copy-guard", tiny.causal(), works=str(path))
    assert sf.treat("copy-guard", tiny.causal(), works=str(path), unlicensed="true", least=2)


def test_random_texts_never_hold_a_run_whatever_is_protected() -> None:
    draw = random.Random(4)
    words = ["yes", "no", "is", "odd"]
    works = (Work("a", "A", " ".join(draw.choices(words, k=400)), "x", "y"),)
    guarded = sf.treat("copy-guard", tiny.causal(), works=works, least=2)
    texts = written(guarded, ["Say yes and no:"] * 3, max_new_tokens=50, temperature=1.0, seed=3)
    assert not any(RunIndex([works[0].text], 2).holds(text) for text in texts)
