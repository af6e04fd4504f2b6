"""The split into training and test, its proof, and the filters."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewording import DEMO, OFF, Planted, task_of, wording
from surefoot.errors import BadInput
from surefoot.paraphrases import (
    FILTERS,
    Filters,
    Split,
    proof,
    split_wordings,
)
from surefoot.paraphrases.filters import Bench, Case, judge
from surefoot.paraphrases.labels import named_labels
from surefoot.paraphrases.proposals import Material
from surefoot.tasks.split import text_key
from surefoot.text.instruction import Instruction

# The split


POOL = ["Choose one.", "choose one", "Pick the right one!", "Pick a right one", "Say it.", "Is it so?", "Decide now."]
KLASSES = ["right", "observed", "unobserved", "default", "incorrect", "negated"]
banks = st.lists(
    st.tuples(st.sampled_from(POOL), st.sampled_from(KLASSES), st.sampled_from(["", "qa", "plain"])),
    min_size=1,
    max_size=14,
)


def bank(drawn: Sequence[tuple[str, str, str]]) -> tuple[Instruction, ...]:
    return tuple(wording(str(i), text, klass=klass, frame=frame) for i, (text, klass, frame) in enumerate(drawn))


@given(banks, st.integers(0, 5))
def test_no_text_of_the_training_is_held_out_or_a_control(drawn: list[tuple[str, str, str]], seed: int) -> None:
    task = task_of(*bank(drawn))
    try:
        split = split_wordings(task, seed)
    except BadInput:
        return
    plain = {w.id: re.sub(r"\b(a|the)\b|[^\w\s]|input", "", w.text.lower()).split() for w in task.wordings}
    training = {w.id for w in split.training}
    assert training
    assert split.held_out
    assert all(w.is_right for w in (*split.training, *split.held_out))
    others = [plain[w.id] for w in task.wordings if w.id in {h.id for h in split.held_out} or not w.is_right]
    assert not [id for id in training if plain[id] in others]
    if {"observed", "unobserved"} <= {w.klass for w in task.wordings}:
        assert {w.klass for w in split.training} == {"observed"}
        unobserved = {w.id for w in task.wordings if w.klass == "unobserved"}
        assert unobserved <= {w.id for w in split.held_out}


@given(banks, st.randoms(use_true_random=False))
def test_the_split_is_the_same_in_any_order_of_the_wordings(
    drawn: list[tuple[str, str, str]], rng: random.Random
) -> None:
    wordings = list(bank(drawn))

    def sides(order: Sequence[Instruction]) -> object:
        try:
            return [sorted(w.id for w in side) for side in split_wordings(task_of(*order), 3)]
        except BadInput as error:
            return str(error)

    expected = sides(wordings)
    rng.shuffle(wordings)
    assert sides(wordings) == expected


def test_two_of_five_texts_are_held_out_in_every_frame_and_the_seed_chooses_which() -> None:
    choices = set()
    for seed in range(6):
        split = split_wordings(DEMO["facts"], seed)
        assert len({w.text for w in split.training}) == 3
        assert len({w.text for w in split.held_out}) == 2
        assert len(split.training) == 9
        assert len(split.held_out) == 6
        choices.add(frozenset(w.text for w in split.held_out))
    assert len(choices) > 2


def test_a_task_with_one_text_cannot_be_split() -> None:
    with pytest.raises(BadInput, match='"odd" has 1 right text'):
        split_wordings(task_of(wording("a", "Choose one."), wording("b", "choose one!", frame="qa")))


def test_training_without_a_text_of_its_own_is_refused() -> None:
    observed, unobserved = wording("a", "Choose one.", klass="observed"), wording("b", "Choose one", klass="unobserved")
    with pytest.raises(BadInput, match="keeps no wording for training"):
        split_wordings(task_of(observed, unobserved))


@pytest.mark.parametrize("share", [0, 1, -1, 2])
def test_a_share_that_leaves_a_side_empty_is_refused(share: float) -> None:
    with pytest.raises(BadInput, match=f"hold out is {share}"):
        split_wordings(DEMO["facts"], share=share)


# The proof


def test_the_proof_holds_digests_that_anybody_can_recompute() -> None:
    found = proof([Instruction("a", "Choose the ONE, now!")], [Instruction("b", "Is it so?", frame="qa")])
    digest = hashlib.sha256(b"choose one now").hexdigest()
    assert found["training"] == [{"id": "a", "sha256": digest}]
    assert found["testing"] == [{"id": "b", "sha256": hashlib.sha256(b"is it so").hexdigest()}]
    assert found["overlap"] == []
    assert json.loads(json.dumps(found)) == found


def test_the_proof_lists_what_is_on_both_sides_and_sees_through_case_and_frame() -> None:
    training = [Instruction("a", "Choose one."), Instruction("b", "Say it.", frame="qa"), Instruction("c", "Go.")]
    testing = [Instruction("x", "choose a ONE"), Instruction("y", "Say it", frame="plain")]
    with pytest.raises(BadInput, match=r"2 wordings .* \(a = x, b = y\)"):
        proof(training, testing)


def test_the_proof_tells_a_field_from_a_word() -> None:
    assert proof([Instruction("a", "Answer {{ question }}")], [Instruction("b", "Answer question")])["overlap"] == []


# Filters


OFFENDERS = {
    "fields": "Answer with a letter, please",
    "answers": "Please answer with a letter",
    "labels": "Please answer with a letter: A, or else B",
    "negation": "Please answer with a letter and do not wait",
    "length": "Please answer with a letter, " + "and take as much time as you need, " * 4,
    "tested": "Is it so, and with which letter",
    "identical": "answer WITH a letter - ref!",
    "dissimilar": "Answer far away with a letter",
    "too-similar": "Answer near here with a letter",
}
GOOD = "Kindly answer with one letter"


def case(text: str, name: str = "") -> Case:
    reference = wording("ref", "Answer with a letter, ref.", layout="inline-or", labels="letter")
    tested = wording("asked", "Is it so, and with which letter?", layout="inline-or", labels="letter")
    control = wording("wrong", "Answer with the other letter.", klass="negated", layout="inline-or", labels="letter")
    material = Material.of(task_of(reference, tested, control), Split((reference,), (tested,)))
    bench = Bench(material, Filters(ceiling=0.95), Planted())  # type: ignore[arg-type]
    paraphrase = replace(reference, id="p", text=f"{text}\n{{{{ input }}}}\n")
    if name == "fields":
        paraphrase = replace(paraphrase, text=text)
    if name == "answers":
        paraphrase = replace(paraphrase, layout="bullets")
    return Case(paraphrase, reference, bench)


def test_every_filter_has_an_offender() -> None:
    assert list(OFFENDERS) == list(FILTERS)


@pytest.mark.parametrize("name", OFFENDERS)
def test_each_filter_catches_its_planted_offender_and_only_it(name: str) -> None:
    planted = case(OFFENDERS[name], name)
    caught = [each for each, one in FILTERS.items() if one.rule(planted) is not None]
    # What is identical is also too similar; nothing else overlaps.
    assert caught == ([name, "too-similar"] if name == "identical" else [name])
    drop = judge(planted)
    assert drop is not None
    assert drop.filter == name


def test_a_good_paraphrase_passes_all_filters() -> None:
    assert judge(case(GOOD)) is None


@pytest.mark.parametrize(
    ("reference", "paraphrase", "filter"),
    [
        ("Answer yes or no.", "Give the answer.", "labels"),
        ("Answer yes or no.", "Answer no or yes.", "labels"),
        ("Give the answer.", "Answer yes.", "labels"),
        ("Answer yes or no.", "Reply with YES or NO!", None),
        ("Answer yes or no.", "Now answer yesterday or know.", "labels"),
        ("Is it so?", "Is it not so?", "negation"),
        ("Is it so?", "Isn't it so?", "negation"),
        ("Say yes if it is right.", "Say yes if it is wrong.", "negation"),
        ("Say no if it is not.", "Say no unless it is.", None),
        ("Choose one.", "Choose {% raw %}.", "fields"),
        ("Choose one.", "Choose {{ missing }}.", "fields"),
        ("Choose one.", "Choose {{ input }} one.", "fields"),
    ],
)
def test_filters_on_sentences(reference: str, paraphrase: str, filter: str | None) -> None:
    one, other = wording("r", reference), wording("t", "Quite another thing.")
    material = Material.of(task_of(one, other), Split((one,), (other,)))
    drop = judge(Case(wording("p", paraphrase), one, Bench(material, OFF, None)))
    assert (drop.filter if drop else None) == filter


def test_single_letters_are_labels_only_where_two_are_named() -> None:
    assert named_labels("A learner asks.", ("A", "B")) == ()
    assert named_labels("Reply with B or A.", ("A", "B")) == ("B", "A")


@pytest.mark.parametrize("limits", [{"floor": 0.9, "ceiling": 0.8}, {"floor": -2.0}, {"max_ratio": 0.5}])
def test_impossible_limits_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(BadInput):
        Filters(**limits)


def test_keys_do_not_depend_on_case_punctuation_or_articles() -> None:
    assert text_key("Choose THE one!") == text_key("choose one") != text_key("choose two")
