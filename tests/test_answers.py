"""Reading a label out of a generated text: one label or none."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from surefoot.text.answers import parse_answer

LETTERS = "ABCDEFGHI"
SAID = (
    "{}",
    " {}\n",
    "({})",
    "{}.",
    "{})",
    "**{}**",
    "Answer: {}",
    "answer: ({})",
    "The answer is {}.",
    "The answer is ({}).",
    "The correct answer is:\n\n{}) that one",
    "{}. Paris",
    "({}) Paris is the capital.",
    "I would choose option {}.",
    "{}\nBecause it says so.",
)


@given(st.integers(2, 9), st.data(), st.sampled_from(SAID))
def test_a_letter_is_read_from_every_usual_phrase(n: int, data: st.DataObject, said: str) -> None:
    i = data.draw(st.integers(0, n - 1))
    assert parse_answer(said.format(LETTERS[i]), LETTERS[:n]) == i


@pytest.mark.parametrize("text", ["a", "(a)", "a.", "a) Paris", "Answer: a", "option a", "A", "I choose A."])
def test_the_letter_a_is_read_where_it_cannot_be_an_article(text: str) -> None:
    assert parse_answer(text, "ABCD") == 0


@pytest.mark.parametrize(
    "text",
    [
        "A man walked in.",
        "a dog",
        "It is a dog.",
        "The answer is a dog.",
        "The answer is a",
        "Answer: A man",
        "A dog and a cat.",
        "Once upon a time",
        "This is a. . .n",
        "I think so.",
        "So do I.",
        "",
        " ",
        "Because.",
    ],
)
def test_an_article_or_a_pronoun_is_no_letter(text: str) -> None:
    assert parse_answer(text, LETTERS) is None


@pytest.mark.parametrize(
    "text",
    [
        "It is not B.",
        "B is wrong.",
        "B isn't right.",
        "The answer isn't (B).",
        "The answer cannot be B.",
        "A or B",
        "B or A",
        "A, B",
        "B/C",
        "(A) or (B)",
        "Not A but B",
        "Neither B nor C",
        "B. But C is true as well.",
    ],
)
def test_negated_or_several_letters_are_unparsed(text: str) -> None:
    assert parse_answer(text, "ABCD") is None


def test_a_negation_in_another_sentence_does_not_touch_the_answer() -> None:
    assert parse_answer("Answer: B. Socrates was not Roman.", "ABCD") == 1
    assert parse_answer("I am not sure. B", "ABCD") == 1
    assert parse_answer("No, it is not.", ["yes", "no"]) == 1


@pytest.mark.parametrize(
    ("text", "labels", "index"),
    [
        ("It is not valid.", ["valid", "not valid"], 1),
        ("The argument is valid.", ["valid", "not valid"], 0),
        ("invalid", ["valid", "invalid"], 1),
        ("It is not valid.", ["valid", "invalid"], None),
        ("PARIS!", ["Paris", "Rome"], 0),
        ("Paris Hilton", ["Paris", "Paris Hilton"], 1),
        ("comparison", ["Paris", "Rome"], None),
        ("It is Paris Hilton.", ["Paris", "Paris Hilton"], 1),
        ("New\n York", ["York", "New York"], 1),
        ("Rome, not Paris", ["Paris", "Rome"], None),
        ("yes yes", ["yes", "no"], 0),
        ("I know nothing", ["yes", "no"], None),
        ("答案是北京。", ["北京", "上海"], 0),
        ("C++", ["C", "C++"], 1),
        ("same", ["same", "same"], None),
    ],
)
def test_words_are_read_whole_and_the_longest_first(text: str, labels: list[str], index: int | None) -> None:
    assert parse_answer(text, labels) == index


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("3", 1),
        ("The answer is 3.", 1),
        ("12", 2),
        ("3.5", None),
        ("1,000", 3),
        ("2 + 1 = 3", None),
        ("-3", 4),
        ("\u22123", 4),
        ("It's 1.", 0),
        ("1 or 3", None),
        ("13", None),
        ("3rd", None),
        ("03", 1),
        ("3.0", 1),
    ],
)
def test_numbers_are_compared_by_value(text: str, index: int | None) -> None:
    assert parse_answer(text, ["1", "3", "12", "1000", "-3"]) == index


LABELS = st.lists(st.text("abcxyz -'1é", min_size=1, max_size=6).map(str.strip).filter(bool), min_size=1, max_size=5)


@given(LABELS, st.text(max_size=40))
def test_the_result_is_an_index_or_none_for_any_text(labels: list[str], text: str) -> None:
    found = parse_answer(text, labels)
    assert found is None or 0 <= found < len(labels)


@given(LABELS.filter(lambda labels: len({label.casefold() for label in labels}) == len(labels)))
def test_every_label_names_itself(labels: list[str]) -> None:
    assume(len({" ".join(label.split()) for label in labels}) == len(labels))
    assert [parse_answer(label, labels) for label in labels] == list(range(len(labels)))


@given(LABELS, st.data())
def test_the_order_of_the_labels_does_not_matter(labels: list[str], data: st.DataObject) -> None:
    text = " ".join(data.draw(st.lists(st.sampled_from([*labels, "so", "not", "."]), max_size=4)))
    order = data.draw(st.permutations(range(len(labels))))
    found, again = parse_answer(text, labels), parse_answer(text, [labels[i] for i in order])
    assert (None if again is None else labels[order[again]]) == (None if found is None else labels[found])
