"""Prompts and formats: parts change without string surgery, and the model reads one beginning token."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny
from surefoot.errors import BadInput
from surefoot.text.formats import ChatFormat, PlainFormat, PromptEncoder, format_for
from surefoot.text.prompt import Part, Prompt
from surefoot.text.template import fields_of, render

ROLES = {"passage": "context", "question": "input"}
VALUES = {"passage": "Ann ran.", "question": "Who ran?"}
TEMPLATE = "Read this.\nPassage: {{ passage }}\nQuestion: {{ question }}\nAnswer it."


def prompt(template: str = TEMPLATE, **values: str) -> Prompt:
    return Prompt(render(template, VALUES | values, ROLES))  # type: ignore[arg-type]


def test_text_is_the_template_filled_in() -> None:
    assert prompt().text == "Read this.\nPassage: Ann ran.\nQuestion: Who ran?\nAnswer it."


def test_without_a_field_its_heading_goes_too() -> None:
    assert prompt().without("context").text == "Read this.\n\nQuestion: Who ran?\nAnswer it."
    assert prompt(passage="").text == "Read this.\n\nQuestion: Who ran?\nAnswer it."


def test_another_instruction_leaves_headings_and_fields_standing() -> None:
    assert prompt().with_instruction("Do.").text == "Do.\nPassage: Ann ran.\nQuestion: Who ran?\n"
    assert Prompt.of("Hi").with_instruction("Do. ").text == "Do. Hi"


def test_map_changes_fields_and_no_headings() -> None:
    assert "Passage: ANN RAN.\n" in prompt().map("context", str.upper).text


def test_braces_in_an_items_text_mean_nothing() -> None:
    assert prompt(question="{{ passage }} {% if %}").text.count("Ann ran.") == 1


@pytest.mark.parametrize(
    ("template", "part"),
    [
        ("{{ passag }}", 'Did you mean "passage"?'),
        ("{{ passage | upper }}", "plain fields"),
        ("{{ passage.x }}", "plain fields"),
        ("{% for x in y %}{% endfor %}", "plain fields"),
        ("{{ passage", "cannot be read"),
    ],
)
def test_a_template_holds_text_and_known_fields_only(template: str, part: str) -> None:
    with pytest.raises(BadInput) as caught:
        prompt(template)
    assert part in str(caught.value)


def test_fields_come_in_the_order_of_their_first_appearance() -> None:
    assert fields_of("{{ b }} {{ a }} {{ b }}") == ("b", "a")


def test_an_unknown_role_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadInput, match=r'"contxt" is not a prompt role. Did you mean "context"\?'):
        Part("contxt", "x")  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.sampled_from(["instruction", "context", "input"]), st.text(min_size=1)), max_size=6))
def test_system_message_and_parts_never_touch_each_other(parts: list[tuple[Any, str]]) -> None:
    plain = Prompt(tuple(Part(role, text) for role, text in parts))
    told = plain.with_system("S")
    assert told.text == plain.text
    assert told.system == "S"
    assert told.with_system(None) == plain
    assert plain.only("context").text + "" == "".join(text for role, text in parts if role == "context")


def encoders() -> dict[str, PromptEncoder]:
    writes, silent = tiny.tokenizer(bos=True), tiny.tokenizer(bos=False)
    bare = tiny.tokenizer(bos=True)
    bare.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}[bot]"
    double = ChatFormat(writes, "user", adds_special_tokens=True)
    return {
        "plain": PromptEncoder(writes, PlainFormat()),
        "template writes it": PromptEncoder(writes, ChatFormat(writes)),
        "template and tokenizer write it": PromptEncoder(writes, double),
        "template leaves it out": PromptEncoder(bare, ChatFormat(bare)),
        "tokenizer has none, template writes it": PromptEncoder(silent, ChatFormat(silent)),
        "ends its texts": PromptEncoder(tiny.tokenizer(bos=True, eos=True), PlainFormat()),
    }


@pytest.mark.parametrize("name", encoders())
def test_exactly_one_beginning_token(name: str) -> None:
    encoder = encoders()[name]
    asked = [Prompt.of(text) for text in ("Hi", "", "yes or no?")]
    ids = encoder.prompts(asked)
    for row in ids:
        assert row[0] == 0
        assert row.count(0) == 1
        assert name.startswith("t") or 1 not in row  # an end token would cut the answer off
    for row in encoder.continuations(asked, ids, [["yes", "no"]] * 3):
        assert all(0 not in fork and fork for fork in row)


def test_a_tokenizer_without_beginning_token_gets_none() -> None:
    encoder = PromptEncoder(tiny.tokenizer(bos=False), PlainFormat())
    assert 0 not in encoder.prompts([Prompt.of("Hi")])[0]


@pytest.mark.parametrize(("text", "answer"), [("Q:", " yes"), ("Q: ", " yes"), ("Q:\n", "yes"), ("", "yes")], ids=repr)
def test_a_plain_answer_follows_after_one_space(text: str, answer: str) -> None:
    format = PlainFormat()
    assert format.continuation(Prompt.of(text), "yes") == answer
    assert not format.render(Prompt.of(text)).endswith(" ")


def test_a_prefilled_cue_begins_the_models_turn() -> None:
    asked = Prompt((Part("input", "Hi\n"), Part("cue", "Answer:")))
    words = tiny.tokenizer()
    assert format_for(words, "chat-prefill").render(asked) == "<s>[user]Hi</s>[bot]Answer:"
    assert format_for(words, "chat").render(asked) == "<s>[user]Hi\nAnswer:</s>[bot]"


def test_a_chat_format_needs_a_template() -> None:
    words = tiny.tokenizer()
    words.chat_template = None
    assert format_for(words).name == "plain"
    with pytest.raises(BadInput, match='needs a chat template and this tokenizer has none; use format="plain"'):
        format_for(words, "chat")
    with pytest.raises(BadInput, match='"chatty" is not a prompt format'):
        format_for(words, "chatty")
