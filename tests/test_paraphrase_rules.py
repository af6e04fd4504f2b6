"""Rewriting by rules: known sentences, and what no rule may touch."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewording import DEMO, OFF, texts
from surefoot.paraphrases import Paraphrased, Split, paraphrase_task, split_wordings
from surefoot.paraphrases.labels import named_labels
from surefoot.paraphrases.masking import instructing_line, mask
from surefoot.paraphrases.rewriting import STRUCTURE, synonyms
from surefoot.paraphrases.rules import rewrite
from surefoot.paraphrases.sentences import indirect, third_person
from surefoot.text.instruction import Instruction
from surefoot.text.options import show_options
from surefoot.text.prompt import Prompt


def shown(prompt: Prompt) -> list[str]:
    return [part.text.strip() for part in prompt if part.role in ("input", "context") and not part.heading]


@pytest.mark.parametrize("name", DEMO)
def test_every_item_of_demo_keeps_its_fields_options_and_gold_under_every_rewriting(name: str) -> None:
    task = DEMO[name]
    result = paraphrase_task(task, "rules", filters=OFF)
    assert result.kept == 27
    for group in result.groups:
        before = [task.query(example, group.reference) for example in task.examples]
        for paraphrase in group.paraphrases:
            assert paraphrase.is_right
            for example, old in zip(task.examples, before, strict=True):
                new = task.query(example, paraphrase)
                assert (new.labels, new.gold, new.answers) == (old.labels, old.gold, old.answers)
                assert sorted(shown(new.prompt)) == sorted(shown(old.prompt))
                assert show_options(group.reference.layout, example.options) in new.prompt.text


@pytest.mark.parametrize("name", DEMO)
def test_training_and_test_are_disjoint_for_every_task_of_demo(name: str) -> None:
    result = paraphrase_task(DEMO[name], "rules", filters=OFF, seed=1)
    record = result.record()
    taught = {one["sha256"] for one in record["proof"]["training"]}
    asked = {one["sha256"] for one in record["proof"]["testing"]}
    assert taught
    assert not taught & asked
    assert len(record["proof"]["training"]) == 9 + result.kept
    assert {one["id"] for one in record["proof"]["testing"]} == {w.id for w in DEMO[name].wordings} - {
        group.reference.id for group in result.groups
    }


def test_every_rewriting_keeps_labels_fields_and_quotations() -> None:
    text = 'Say yes if {{ claim }} fits "the word", and no if it does not. Choose from {{ options }} and write it.'
    seen = set()
    for seed in range(200):
        new, rules = rewrite(text, ("yes", "no"), random.Random(seed))
        assert [new.count(piece) for piece in ("{{ claim }}", "{{ options }}", '"the word"')] == [1, 1, 1]
        assert named_labels(new, ("yes", "no")) == ("yes", "no")
        assert (new == text) == (not rules)
        seen |= set(rules)
    assert {"polite", "question", "describe", "punctuation"} <= seen


def test_a_label_that_is_also_a_phrase_of_the_table_is_left_alone() -> None:
    text = "Choose the right answer, or pick out the odd one."
    found = {rewrite(text, ("right answer", "pick"), random.Random(seed))[0] for seed in range(60)}
    assert all("right answer" in new and "pick out" in new for new in found)
    assert any("correct answer" in rewrite(text, ("pick",), random.Random(seed))[0] for seed in range(60))


@given(st.text(alphabet='ab yes no"{}\n.?', max_size=40))
def test_what_is_masked_comes_back(text: str) -> None:
    masked = mask(text, ("yes", "no"))
    assert masked.restore(masked.text) == text
    line = instructing_line(masked.text)
    assert line is None or line.replaced(line.text) == masked.text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Read this with care, please.\n\n### Instruction:\nSay it.\n\n### Input:\n{{ a }}", "Say it."),
        ("{{ context }}\nIs {{ question }} so?\n", "Is {{ question }} so?"),
        ("  Say it now. \n{{ a }} and {{ b }}", "Say it now."),
        ("Instruction:\n{{ a }}\nSay it now.", "Say it now."),
        ("Say\n{{ input }}", None),
    ],
)
def test_the_line_that_instructs(text: str, line: str | None) -> None:
    found = instructing_line(text)
    assert (found.text if found else None) == line


def test_all_shapes_on_known_sentences() -> None:
    shapes = {
        "polite": ("From the list, give one.", {"From the list, please give one.", "From the list, kindly give one."}),
        "question": ("Use it. Write it.", {f"{x} use it? Write it." for x in ("Can you", "Could you", "Would you")}),
        "describe": ("You read. Name it.", {"You read. Your task is to name it.", "You read. The task is to name it."}),
        "ask": ("Is it so?", {"Tell me: is it so?", "Please answer this: is it so?"}),
        "embed": ("Does the word fit here?", {"Say whether the word fits here.", "Decide whether the word fits here."}),
        "role": ("You tag posts. Go.", {"Imagine that you tag posts. Go.", "Suppose that you tag posts. Go."}),
        "order": ("Is it so? Answer at once.", {"Answer at once: is it so?"}),
        "join": ("Mark the option. Answer with a letter.", {"Mark the option, and answer with a letter."}),
        "split": ("Find it and answer with its letter.", {"Find it. Answer with its letter."}),
    }
    assert set(shapes) == set(STRUCTURE)
    for name, (line, expected) in shapes.items():
        found = {STRUCTURE[name](line, random.Random(seed)) for seed in range(40)}
        assert expected <= found
        assert None not in found


@pytest.mark.parametrize(
    ("line", "politely"),
    [("Say if it holds:", "lease say if it holds:"), ("Fill it in: this is a ...", "lease fill it in: this is a ...")],
)
def test_a_colon_or_dots_at_the_end_stay_the_end(line: str, politely: str) -> None:
    found = {STRUCTURE["polite"](line, random.Random(seed)) for seed in range(20)}
    assert f"P{politely}" in found
    assert all(text and text.endswith(line[-3:]) for text in found)


@pytest.mark.parametrize("line", ["The kite hums.", "Letter only.", "Yes or no"])
def test_a_sentence_of_an_unknown_shape_is_left_alone(line: str) -> None:
    assert {rule(line, random.Random(0)) for rule in STRUCTURE.values()} == {None}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("Does the second sentence follow from the first?", "whether the second sentence follows from the first"),
        ("Is this possible in everyday life?", "whether this is possible in everyday life"),
        ("Can the second sentence be concluded from it?", "whether the second sentence can be concluded from it"),
        ("What kind of thing does this word name?", "what kind of thing this word names"),
        ("Which object do you need for this?", "which object you need for this"),
        ("How should this sentence be spelled?", "how this sentence should be spelled"),
        ("What is this message about?", "what this message is about"),
        ("Which option answers it correctly?", "which option answers it correctly"),
        ("Is this film good?", None),
        ("What is the answer to this?", None),
        ("Is it so: yes?", None),
        ("Does the word fit.", None),
    ],
)
def test_indirect_questions(asked: str, told: str | None) -> None:
    assert indirect(asked) == told


def test_the_third_person() -> None:
    verbs = ("follow", "match", "imply", "say", "go", "fix", "have")
    assert [third_person(v) for v in verbs] == ["follows", "matches", "implies", "says", "goes", "fixes", "has"]


def test_synonyms_keep_the_first_letter_large() -> None:
    found = {synonyms("Choose the right answer.", random.Random(seed)) for seed in range(60)} - {None}
    assert "Pick the correct answer." in found
    assert all(text and text[0].isupper() for text in found)


def test_a_phrase_is_in_one_group_of_synonyms() -> None:
    path = Path(__import__("surefoot.paraphrases").paraphrases.__file__).with_name("synonyms.jsonl")
    groups = [json.loads(line)["same"] for line in path.read_text().splitlines()]
    phrases = [phrase for group in groups for phrase in group]
    assert len(phrases) == len(set(phrases))
    assert all(len(group) > 1 for group in groups)


def groups_of(made: Paraphrased) -> dict[str, tuple[Instruction, ...]]:
    return {group.reference.id: group.paraphrases for group in made.groups}


def test_the_seed_decides() -> None:
    first, again, other = (paraphrase_task(DEMO["words"], "rules", filters=OFF, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert texts(first) != texts(other)


@pytest.mark.parametrize("name", ["kinds", "spelling", "topics"])
def test_the_order_of_the_wordings_changes_nothing(name: str) -> None:
    """Asked for many paraphrases, wordings of one text compete for the same ones."""
    task = DEMO[name]
    turned = replace(task, wordings=task.wordings[::-1])
    made, other = (paraphrase_task(one, "rules", filters=OFF, per_wording=16) for one in (task, turned))
    assert made.dropped["identical"] > 5
    assert groups_of(made) == groups_of(other)


def test_a_frame_in_which_only_tested_wordings_stand_is_not_used() -> None:
    task = DEMO["facts"]
    split = split_wordings(task)
    narrow = Split(tuple(w for w in split.training if w.frame != "terse"), split.held_out)
    narrowed = replace(task, wordings=tuple(w for w in task.wordings if w not in split.training or w.frame != "terse"))
    made = paraphrase_task(narrowed, "rules", filters=OFF, split=narrow, per_wording=8)
    frames = {p.frame for g in made.groups for p in g.paraphrases}
    assert "terse" in {w.frame for w in made.tested}
    assert "terse" not in frames
    assert {"dialogue", "polite"} <= frames


def test_paraphrases_of_a_generation_task_never_begin_with_the_options() -> None:
    made = paraphrase_task(DEMO["past"], "rules", filters=OFF, per_wording=8)
    assert "options-first" not in {p.frame for g in made.groups for p in g.paraphrases}
