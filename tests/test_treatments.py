"""Treated models: what the model below reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest

import tiny
from surefoot.catalogue import Entry
from surefoot.errors import BadInput
from surefoot.models.scripted import ScriptedModel
from surefoot.settings import build
from surefoot.text.prompt import Part, Prompt
from surefoot.treatments import treat, undo


def test_a_system_prompt_is_what_the_chat_template_shows() -> None:
    treated = treat("system-prompt", tiny.causal(chat=True), text="Be brief.")
    assert treated.render("Hi") == "<s>[system]Be brief.</s>[user]Hi</s>[bot]"
    assert "".join(text for _, text in treated.show_tokens("Hi")) == treated.render("Hi")


def test_a_plain_model_reads_the_system_prompt_above_the_rest() -> None:
    assert treat("system-prompt", tiny.causal(), text="Be brief.").render("Hi") == "Be brief.\n\nHi"


def test_a_treated_model_answers_as_the_bare_one_does_to_the_longer_prompt() -> None:
    bare = tiny.causal(chat=True)
    prompt = Prompt((Part("system", "Be brief."), Part("input", "Hi")))
    treated = treat("system-prompt", bare, text="Be brief.")
    assert treated.choose(["Hi"], [["yes", "no"]]) == bare.choose([prompt], [["yes", "no"]])
    assert treated.score([("Hi", "yes")]) == bare.score([(prompt, "yes")])


def test_two_system_prompts_and_the_prompts_own_are_all_read() -> None:
    seen: list[str | None] = []
    model = ScriptedModel(lambda prompt, _: seen.append(prompt.system) or "ok")
    stacked = treat("system-prompt", treat("system-prompt", model, text="one"), text="two")
    stacked.generate([Prompt((Part("system", "own"), Part("input", "Hi")))])
    assert seen == ["one\n\ntwo\n\nown"]
    undo(stacked).generate(["Hi"])
    assert seen[1:] == ["one"]


def test_tokens_of_a_treated_model_are_counted_on_the_model_itself() -> None:
    model = tiny.causal()
    treat("system-prompt", model, text="Be brief.").choose(["Hi"], [["yes", "no"]])
    assert model.tokens.asked > len("Be brief.")


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_system_prompt_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="empty"):
        treat("system-prompt", tiny.causal(), text=text)


@dataclass(frozen=True)
class Knobs:
    """A treatment's settings of every type."""

    alpha: float
    steps: int = 1
    on: bool = False
    top: int | None = None
    how: Literal["a", "b"] = "a"
    text: str = ""


KNOBS = Entry("treatment", "knobs", "test_treatments:Knobs", "for this test", "", "")


def test_settings_from_a_command_line_are_read_as_their_types() -> None:
    built = build(KNOBS, {"alpha": "0.5", "steps": "3", "on": "true", "top": "none", "how": "b", "text": "1"})
    assert built == Knobs(0.5, 3, True, None, "b", "1")
    assert build(KNOBS, {"alpha": "1", "top": "2"}).top == 2


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [("alpha", "half", "float"), ("steps", "2.5", "int"), ("on", "yes", "bool"), ("top", "x", "int")],
)
def test_a_setting_of_the_wrong_type_is_named(name: str, value: str, kind: str) -> None:
    with pytest.raises(BadInput, match=f'"{name}" of treatment "knobs" is "{value}", which is not a {kind}'):
        build(KNOBS, {"alpha": "1", name: value})


def test_a_setting_that_is_needed_is_asked_for() -> None:
    with pytest.raises(BadInput, match='needs the setting "alpha"; give alpha='):
        build(KNOBS, {})
