"""Each rule of the linter finds a planted defect, and the released banks' documented ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from surefoot.errors import BadInput
from surefoot.tasks.bundled import bundled_tasks
from surefoot.tasks.lint import check, errors_of, lint
from surefoot.tasks.loading import load_tasks
from surefoot.tasks.task import Example, Task
from surefoot.text.instruction import Instruction
from surefoot.text.options import Block
from surefoot.text.prompt import Part

FRAME = "{{ instruction }}\n\n{{ input }}\n{{ options }}\n"
GOOD = Instruction(
    "good", "Choose the right answer to the question.", frame="f", frame_template=FRAME, layout="letters-dot",
    labels="letter",
)  # fmt: skip
OTHER = replace(GOOD, id="other", text="Which of the options answers the question? Give its letter.")
ITEMS = (
    Example("1", {"passage": "Ann has a cat.", "question": "Who has a cat?"}, ("Ann", "Bob"), 0),
    Example("2", {"passage": "Bob has a dog.", "question": "Who has a dog?"}, ("Ann", "Bob"), 1),
    Example("3", {"passage": "Cy has a cow.", "question": "Who has a cow?"}, ("Dee", "Cy"), 1),
)
TASK = Task("t", "multiple_choice", ITEMS, (GOOD, OTHER), input_template="{{ passage }}\n{{ question }}")


def rules(task: Task, level: str = "error", scorer: str = "sum") -> set[str]:
    return {finding.rule for finding in lint(task, scorer=scorer) if finding.level == level}


def with_wording(**changes: object) -> Task:
    return replace(TASK, wordings=(GOOD, OTHER, replace(GOOD, id="bad", **changes)))  # type: ignore[arg-type]


def with_item(**changes: object) -> Task:
    return replace(TASK, examples=(*ITEMS[:2], replace(ITEMS[2], **changes)))  # type: ignore[arg-type]


def test_a_sound_task_has_no_findings() -> None:
    assert lint(TASK) == []
    assert lint(TASK, scorer="paper") == []
    check(TASK)


def test_the_same_text_in_two_frames_is_no_defect() -> None:
    assert lint(with_wording(frame="g", frame_template="Q: " + FRAME + "A:")) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"text": GOOD.text + " Give only its letter."},
        {"text": GOOD.text.rstrip(".") + "s you were asked."},
        {"text": "Look at the dataFrame and choose one of its rows."},
        {"text": "Choose the right option.Answer: one letter only."},
        {"text": "Copy out the right answer.", "layout": "none", "labels": "{option}."},
    ],
)
def test_what_only_looks_like_a_defect_is_left_alone(changes: dict[str, object]) -> None:
    assert lint(with_wording(**changes)) == []


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("empty-template", {"frame_template": " \n"}),
        ("template", {"frame_template": "{{ instruction }} {{ input | upper }}"}),
        ("unknown-field", {"text": "Answer {{ qestion }}."}),
        ("unknown-field", {"frame_template": "", "text": "{{ instruction }} {{ input }} {{ options }}"}),
        ("no-input", {"frame_template": "{{ instruction }}\n{{ options }}"}),
        ("dropped-field", {"frame_template": "{{ instruction }} {{ question }}\n{{ options }}"}),
        ("repeated-field", {"frame_template": "{{ instruction }} {{ input }}\n{{ input }}\n{{ options }}"}),
        ("repeated-field", {"text": "Choose one of {{ options }} as the answer."}),
        ("repeated-field", {"frame_template": FRAME + "{{ options }}"}),
        ("letters-without-options", {"layout": "none", "text": "Say A or B."}),
        ("letters-without-options", {"frame_template": "{{ instruction }}\n{{ input }}"}),
        ("letters-without-options", {"layout": "none", "labels": "({l})", "text": "Say a or b."}),
        ("fused", {"text": "Choose the best option below" + "Please answer with a letter."}),
        ("fused", {"text": "Pick the right answer.You are to give a letter."}),
        ("fused", {"text": f"{GOOD.text} {OTHER.text}"}),
        ("fused", {"text": GOOD.text.rstrip(".") + OTHER.text}),
        ("same-wording", {}),
        ("no-label", {"labels": {"Ann": "first", "Bob": "second"}, "text": "First or second?"}),
        ("empty-label", {"labels": {"Ann": " ", "Bob": "b", "Cy": "c", "Dee": "d"}, "text": "Say b, c or d."}),
        ("colliding-labels", {"labels": dict.fromkeys(("Ann", "Bob", "Cy", "Dee"), "yes"), "text": "Say yes."}),
    ],
)
def test_a_planted_wording_is_refused_by_its_rule_alone(rule: str, changes: dict[str, object]) -> None:
    task = with_wording(**changes)
    found = errors_of(task)
    assert {finding.rule for finding in found} == {rule}
    assert {finding.wording for finding in found} == {"bad"}
    with pytest.raises(BadInput, match="bad"):
        check(task)


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("missing-field", {"fields": {"question": "Who has a cow?"}}),
        ("gold-out-of-range", {"gold": 2}),
        ("gold-out-of-range", {"gold": -1}),
        ("gold-out-of-range", {"gold": None}),
        ("no-options", {"options": ("Cy",), "gold": 0}),
        ("duplicate-item-id", {"id": "1"}),
    ],
)
def test_a_planted_item_is_refused_by_its_rule_alone(rule: str, changes: dict[str, object]) -> None:
    assert rules(with_item(**changes)) == {rule}


def test_a_text_that_another_one_is_glued_to_is_fused_whatever_its_words() -> None:
    short = replace(GOOD, id="short", text="Name the best option")
    glued = [
        replace(GOOD, id=id, text=text)
        for id, text in (("a", "Name the best optionHurry"), ("b", "HurryName the best option"))
    ]
    found = errors_of(replace(TASK, wordings=(short, *glued)))
    assert [(f.rule, f.wording) for f in found] == [("fused", "a"), ("fused", "b")]


def test_two_wordings_of_one_id_are_refused() -> None:
    assert rules(replace(TASK, wordings=(GOOD, replace(OTHER, id="good")))) == {"duplicate-wording-id"}


def test_equal_options_in_an_item_are_a_warning_and_no_collision_of_labels() -> None:
    task = with_item(options=("Cy", "Cy"), gold=1)
    task = replace(task, wordings=(*task.wordings, replace(GOOD, id="text", text="Write the answer.", labels="option")))
    assert rules(task, "warning") == {"duplicate-option"}
    assert rules(task) == set()


def test_a_label_that_begins_another_is_refused_under_the_step_product_alone() -> None:
    text = replace(GOOD, labels="option", layout="bullets")
    task = replace(
        TASK, wordings=(text,), examples=(*ITEMS, replace(ITEMS[2], id="4", options=("in", "out", "inside")))
    )
    assert rules(task, scorer="paper") == {"label-prefix"}
    assert rules(task, scorer="sum") == set()


def test_more_options_than_letters_are_refused() -> None:
    item = Example("x", {"passage": "p", "question": "q"}, tuple(f"option {i}" for i in range(27)), 0)
    assert rules(replace(TASK, examples=(item,))) == {"no-label"}


def test_a_field_that_always_equals_the_answer_is_a_leak_when_shown_and_harmless_when_not() -> None:
    items = tuple(replace(e, fields={**e.fields, "answer": e.options[e.gold or 0].lower()}) for e in ITEMS)
    leak = replace(GOOD, id="leak", frame_template=FRAME + "Is it {{ answer }}?")
    assert rules(replace(TASK, examples=items)) == set()
    assert rules(replace(TASK, examples=items, wordings=(GOOD, leak))) == {"gold-leak"}
    mostly = (*items[:2], replace(items[2], fields={**items[2].fields, "answer": "Dee"}))
    assert rules(replace(TASK, examples=mostly, wordings=(GOOD, leak))) == set()


def test_copying_the_input_is_only_a_warning() -> None:
    items = tuple(Example(word, {"word": word}, answers=(word,)) for word in ("owl", "elm"))
    copy = Instruction("copy", "Repeat the word: {{ input }}")
    task = Task("copy", "generation", items, (copy,), input_template="{{ word }}")
    assert rules(task) == set()
    assert rules(task, "warning") == {"gold-leak"}


class LeakyTask(Task):
    """Marks the right option, as a careless loader would."""

    def _ask(self, example: Example, wording: Instruction) -> tuple[Part, ...]:
        return (*super()._ask(example, wording), Part("cue", f"(not {1 - (example.gold or 0)})"))


class LeakyGeneration(Task):
    def _ask(self, example: Example, wording: Instruction) -> tuple[Part, ...]:
        return (*super()._ask(example, wording), Part("cue", "x" * len(example.answers[0])))


def test_a_prompt_that_changes_with_the_gold_answer_alone_is_a_leak() -> None:
    choice = LeakyTask("t", "multiple_choice", ITEMS, (GOOD,), input_template=TASK.input_template)
    assert rules(choice) == {"gold-leak"}
    items = (Example("1", {"q": "2+2?"}, answers=("4",)), Example("2", {"q": "1+1?"}, answers=("2",)))
    wording = Instruction("w", "Solve {{ input }}")
    assert rules(LeakyGeneration("g", "generation", items, (wording,), "{{ q }}")) == {"gold-leak"}
    assert rules(Task("g", "generation", items, (wording,), "{{ q }}")) == set()


def test_options_shown_through_slots_or_a_block_count_as_shown() -> None:
    slots = replace(GOOD, id="slots", layout="none", frame_template="{{ input }} A {{ option_A }} B {{ option_B }}")
    block = replace(
        GOOD, id="block", layout="none", blocks={"options": Block("({L}) {option}", *[" ({L}) {option}"] * 2)}
    )
    letters = replace(GOOD, id="letters", layout="none", blocks={"options": Block("{L}", " or {L}", " or {L}")})
    assert rules(replace(TASK, wordings=(slots, block))) == set()
    assert rules(replace(TASK, wordings=(letters,))) == {"letters-without-options"}


def test_a_slot_beyond_the_options_of_some_item_is_refused() -> None:
    third = replace(GOOD, frame_template="{{ input }} {{ option_A }} {{ option_B }} {{ option_C }}")
    wide = replace(ITEMS[0], id="wide", options=("Ann", "Bob", "Cy"))
    assert rules(replace(TASK, wordings=(third,), examples=(*ITEMS, wide))) == {"missing-field"}
    assert rules(replace(TASK, wordings=(third,), examples=(wide,))) == set()


def test_check_names_the_first_error_and_counts_the_others() -> None:
    with pytest.raises(BadInput, match=r'^Task "t": .*"qestion".*Did you mean "question"\?'):
        check(with_wording(text="Answer {{ qestion }}."))
    bad = replace(TASK, wordings=(replace(GOOD, frame_template="{{ options }}"), replace(OTHER, labels={})))
    with pytest.raises(BadInput, match=r"\(1 more; "):
        check(bad)


@pytest.mark.parametrize("name", [name for name in bundled_tasks() if "/" in name])
def test_bundled_tasks_have_no_errors(name: str) -> None:
    (task,) = load_tasks(name)
    assert errors_of(task, scorer="sum") == []


# The released banks


@pytest.fixture(scope="module")
def mmlu(reference_data: Path) -> Task:
    return load_tasks(f"released:{reference_data}#MMLU_General?include_flagged=true", limit=200)[0]


def test_the_documented_fused_pair_is_found_and_nothing_else_is_called_fused(mmlu: Task) -> None:
    assert {f.wording for f in errors_of(mmlu) if f.rule == "fused"} == {"Alpaca/Unobserved/10@MMLU_General"}


def test_the_documented_repeated_wordings_are_found(mmlu: Task) -> None:
    twins = {f.wording for f in errors_of(mmlu) if f.rule == "same-wording"}
    assert twins == {"Alpaca/QA/10", "Alpaca/QA/14", "Alpaca/Unobserved/11@MMLU_General"}


@pytest.mark.parametrize("name", ["Known_Unknowns", "Logic_Grid_Puzzle", "Play_Dialog"])
def test_the_documented_letters_without_options_are_found(reference_data: Path, name: str) -> None:
    (task,) = load_tasks(f"released:{reference_data}#{name}?include_flagged=true")
    documented = {w.id for w in task.wordings if "letters_expected_but_options_not_shown" in w.note}
    assert documented
    assert {f.wording for f in errors_of(task) if f.rule == "letters-without-options"} == documented


def test_a_wording_that_drops_the_context_is_found(reference_data: Path) -> None:
    (task,) = load_tasks(f"released:{reference_data}#Logic_Grid_Puzzle?include_flagged=true", limit=20)
    dropped = {f.wording for f in errors_of(task) if f.rule in ("dropped-field", "no-input")}
    assert dropped == {"BBL/Unobserved/9@Logic_Grid_Puzzle"}


def test_every_p3_frame_that_prints_the_answer_is_a_leak_when_the_candidate_is_the_gold_answer(
    reference_data: Path,
) -> None:
    from surefoot.tasks.released import to_instruction

    records = [json.loads(line) for line in (reference_data / "instructions.jsonl").read_text().splitlines()]
    printing = [record for record in records if "p3_frame_prints_the_answer" in record["flags"]]
    frames = tuple(replace(to_instruction(record, "T0"), labels="option") for record in printing)
    items = tuple(
        Example(
            e.id,
            {"paragraph": e.fields["passage"], "question": e.fields["question"], "candidate": c},
            e.options,
            e.gold,
        )
        for e, c in zip(ITEMS, ("Ann", "Bob", "Cy"), strict=True)
    )
    task = Task("p3", "binary", items, frames, input_template="{{ paragraph }}\n{{ question }}")
    assert len(frames) == 10
    leaks = {f.wording for f in errors_of(task) if f.rule == "gold-leak"}
    shows = {frame.id for frame in frames if "candidate" in frame.text}
    assert leaks == shows
    assert len(leaks) == 10
