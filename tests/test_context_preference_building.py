"""Contexts that are found, written, matched, cut and changed for the context-preference probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import surefoot as sf
from surefoot.errors import BadInput, NotAvailable
from surefoot.probes.context_preference.building import (
    Draft,
    context_pairs,
    generated_contexts,
    length_difference,
    matched,
    nearest_length,
    without_opening,
)
from surefoot.probes.context_preference.calibrations import Shown, by_side, copier, world
from surefoot.probes.context_preference.filters import occurs, sift
from surefoot.probes.context_preference.interventions import (
    complete_as,
    counter_memory,
    exchanged,
    shift,
    with_question,
)
from surefoot.probes.context_preference.probe import ContextPreference
from surefoot.probes.context_preference.similarity import sentence_jaccard
from surefoot.probes.context_preference.splitting import word_count
from surefoot.probes.context_preference.studies import generator_table, variant_table
from surefoot.probes.context_preference.units import Unit, units_of
from surefoot.questions.question import Question
from surefoot.retrieval.retriever import Document, Hit
from surefoot.runs.source import Rows
from surefoot.tasks.contexts import ContextPair, context_tasks

PAIR = ContextPair(
    "1", "Who made it?", ("Bert",), "Anna made it. She is old.", "It was Bert's. Bert made it, of course!"
)


def writer(prompt: sf.Prompt, _: object) -> str:
    """Writes three words fewer than it is asked for, about what it must say."""
    asked = int(next(word for word in prompt.text.split() if word.isdigit()))
    said = prompt.text.split("must say this: ")[-1].split("\n")[0] if "must say" in prompt.text else "Rain."
    return " ".join([said, *["word"] * (asked - 3 - word_count(said))])


class Shelf:
    """Finds the document that is named after the question's last word."""

    digest = "shelf"

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        named = {"it?": " ".join(["Anna made it."] + ["so"] * 17), "him?": " ".join(["No one."] + ["so"] * 48)}
        last = (query.split()[-1] for query in queries)
        return [[Hit(Document(word, "", named[word]), 1.0)][:k] if word in named else [] for word in last]


# Building


def test_contexts_are_found_written_and_matched_in_length() -> None:
    questions = [Question("a", "Who made it?", ("Bert",)), Question("b", "Who met him?", ("Cy",))]
    pairs = context_pairs(questions, Shelf(), sf.ScriptedModel(writer), (23, 40, 53), {"a": ("Bert", "Anna")})
    assert [pair.retrieved[:7] for pair in pairs] == ["Anna ma", "No one."]
    assert [word_count(pair.generated) for pair in pairs] == [20, 50]
    assert [word_count(pair.retrieved) for pair in pairs] == [20, 50]
    assert abs(length_difference(pairs)) <= 0.05
    assert [pair.options for pair in pairs] == [("Bert", "Anna"), ()]


def test_each_target_gets_a_draft_that_supports_what_it_is_to_state() -> None:
    drafts = generated_contexts(sf.ScriptedModel(writer), ["Who?", "When?"], (10, 20), stating=["Bert did.", "Now."])
    assert [[draft.target for draft in own] for own in drafts] == [[10, 20]] * 2
    assert [[word_count(draft.text) for draft in own] for own in drafts] == [[7, 17]] * 2
    assert all(draft.text.startswith("Bert did.") for draft in drafts[0])


def test_what_a_model_leaves_empty_is_no_draft_and_drops_the_question() -> None:
    drafts = generated_contexts(sf.ScriptedModel(lambda *_: " "), ["Who made it?"], (10,))
    assert drafts == ((),)
    assert matched([PAIR], drafts) == ()


@given(st.lists(st.integers(1, 60), min_size=1, max_size=6), st.integers(1, 60))
def test_the_nearest_draft_is_that_of_an_exhaustive_search(lengths: list[int], target: int) -> None:
    drafts = [Draft(n, "word " * n) for n in lengths]
    found = nearest_length(drafts, target)
    assert all(abs(word_count(found.text) - target) <= abs(n - target) for n in lengths)
    assert found == min(drafts, key=lambda draft: (abs(draft.target - target), drafts.index(draft)))  # the first such


def test_of_two_drafts_as_near_the_first_is_kept_and_what_counts_is_the_retrieved_context() -> None:
    drafts = [Draft(8, "a b c d e f g h"), Draft(4, "a b c d"), Draft(6, "a b c d e f")]
    assert [nearest_length(own, 6) for own in (drafts[:2], drafts[1::-1])] == [drafts[0], drafts[1]]
    assert [pair.generated for pair in matched([PAIR], [drafts])] == ["a b c d e f"]  # six words were retrieved
    assert length_difference([PAIR]) == pytest.approx((8 - 6) / 6)
    assert length_difference([PAIR, replace(PAIR, retrieved="one two")]) == pytest.approx((16 - 8) / 8)


def test_a_draft_has_room_for_two_tokens_a_word() -> None:
    class Watched(sf.ScriptedModel):
        def generate(self, prompts: Sequence[sf.Prompt | str], sampling: Any = None, begun: Any = None) -> Any:
            rooms.append(sampling.max_new_tokens)
            return super().generate(prompts, sampling, begun)

    rooms: list[int] = []
    generated_contexts(Watched(writer), ["Who?"], (10, 25))
    assert rooms == [20, 50]


def test_an_opening_goes_and_a_paragraph_stays() -> None:
    assert without_opening("Sure, here it is:\n\nBert made it.") == "Bert made it."
    assert without_opening("Bert made it.\n\nHe was old.") == "Bert made it.\n\nHe was old."
    assert without_opening("Sure:\n\n") == "Sure:"


# Counter-memory


def test_a_counter_memory_context_names_the_substitute_and_not_the_belief() -> None:
    found = counter_memory([PAIR], {"1": "bert"}, {"1": "Carl Roe"})
    assert found.pairs[0].generated == "It was Carl Roe's. Carl Roe made it, of course!"
    assert not occurs("Bert", found.pairs[0].generated)
    assert found.pairs[0] == replace(PAIR, generated=found.pairs[0].generated)


@pytest.mark.parametrize("writes", ["Carl Roe made it.", "Carl Roe and Bert made it.", "Nobody made it."])
def test_a_written_counter_memory_context_is_checked_and_else_exchanged(writes: str) -> None:
    found = counter_memory([PAIR], {"1": "Bert"}, {"1": "Carl Roe"}, sf.ScriptedModel(lambda *_: writes))
    expected = writes if writes == "Carl Roe made it." else "It was Carl Roe's. Carl Roe made it, of course!"
    assert [pair.generated for pair in found.pairs] == [expected]


@pytest.mark.parametrize(("belief", "substitute"), [("Dora", "Carl"), ("Bert", "Bert Roe"), ("", "Carl")])
def test_a_context_that_cannot_be_turned_is_dropped_with_a_reason(belief: str, substitute: str) -> None:
    found = counter_memory([PAIR], {"1": belief}, {"1": substitute})
    assert found.pairs == ()
    assert substitute in found.dropped["1"]


def test_an_exchange_keeps_to_whole_words_whatever_their_case_and_marks() -> None:
    assert exchanged("Ann-Lee, ANN  LEE and Annlee or Ann Leeds.", "Ann Lee", "X") == "X, X and Annlee or Ann Leeds."
    assert exchanged("It", "...", "X") == "It"
    assert exchanged("a b", "b", r"\1") == r"a \1"


# Completeness


def test_the_variants_are_cut_to_what_was_retrieved() -> None:
    pair = replace(PAIR, retrieved="one two three four five")
    texts = {name: complete_as([pair], name).pairs[0].generated for name in ("nature", "truncation", "s-truncation")}
    assert texts == {
        "nature": pair.generated,
        "truncation": "It was Bert's. Bert made",
        "s-truncation": "It was Bert's.",
    }
    short = complete_as([replace(pair, retrieved="one")], "s-truncation")
    assert (short.pairs, list(short.dropped)) == ((), ["1"])


# The question's words before one context


def kept(pairs: Sequence[ContextPair], model: sf.ScriptedModel) -> tuple[list[Unit], float]:
    tasks = [task.shuffled() for task in context_tasks(pairs)]
    reading = ContextPreference(recheck=0).measure(model, tasks)
    units = [unit for own in sift(units_of(Rows.of(reading.rows), tasks, model.name)).kept.values() for unit in own]
    return units, reading.summary.preference("all").diff_gr.value


@pytest.mark.parametrize("side", ["generated", "retrieved"])
def test_the_questions_words_draw_the_similarity_copier_and_leave_the_loyal_one(side: str) -> None:
    def by_sentence(shown: Sequence[Shown]) -> Shown:
        return max(shown, key=lambda one: sentence_jaccard(one.question, one.text))

    pairs = world()[0][:40]
    told = with_question(pairs, side)  # type: ignore[arg-type]
    found = {}
    for name, pick in (("similar", by_sentence), ("loyal", by_side("generated"))):
        before, after = (kept(own, copier(pick, own))[0] for own in (pairs, told))
        found[name] = shift(before, after, side)  # type: ignore[arg-type]
    assert found["similar"].questions == found["loyal"].questions == 40
    assert found["similar"].before < 0.8
    assert found["similar"].after == 1  # the question itself is the most similar sentence there is
    assert found["similar"].change.low > 0
    assert found["similar"].p < 0.001
    assert (found["loyal"].change.value, found["loyal"].p) == (0, 1)


def test_a_shift_is_paired_by_question_and_wording() -> None:
    pairs = world()[0][:12]
    units, _ = kept(pairs, copier(by_side("generated"), pairs))
    other, _ = kept(pairs[4:], copier(by_side("retrieved"), pairs))
    found = shift(units, other[::-1], "generated")
    assert (found.questions, found.before, found.after, found.change.value) == (8, 1, 0, -1)
    assert found.p == pytest.approx(2 / 2**8)
    with pytest.raises(BadInput, match="no question in common"):
        shift(units[:2], other, "generated")


# Tables


def test_the_tables_hold_each_reading_in_its_place() -> None:
    tasks = [task.sample(40) for task in world()[1]]
    own = {
        side: ContextPreference(recheck=0).measure(copier(by_side(side), world()[0]), tasks).summary
        for side in ("generated", "retrieved")
    }
    table = generator_table({("a", "x"): own["generated"], ("b", "y"): own["retrieved"]})
    assert table.columns == ("generator", "x", "y")
    assert [tuple(cell[:5] for cell in row) for row in table.rows] == [("a", "+1.00", "–"), ("b", "–", "-1.00")]
    lines = variant_table({"nature": own["generated"], "truncation": own["retrieved"]}).rows
    assert [(line[0], line[3][:5], line[4][:5]) for line in lines] == [
        ("nature", "+1.00", "+1.00"),
        ("truncation", "-1.00", "-1.00"),
    ]


# Bad input


def test_bad_arguments_are_refused_with_a_sentence() -> None:
    model = sf.ScriptedModel(writer)
    with pytest.raises(BadInput, match=r"target_words is \(0,\)"):
        generated_contexts(model, ["Who?"], (0,))
    with pytest.raises(NotAvailable, match="Writing contexts needs generate"):
        generated_contexts(sf.ScriptedModel(writer, can=frozenset({"logprobs"})), ["Who?"])
    with pytest.raises(BadInput, match='Nothing was found for "Who met her'):
        context_pairs([Question("a", "Who met her?", ("Bert",))], Shelf(), model)
    with pytest.raises(BadInput, match="no draft to choose from"):
        nearest_length([], 3)
    with pytest.raises(BadInput, match=r'"natur" is not a kind of completeness\. Did you mean "nature"'):
        complete_as([PAIR], "natur")
    with pytest.raises(BadInput, match=r'"generate" is not a side\. Did you mean "generated"'):
        with_question([PAIR], "generate")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match='The question "1" has no substitute'):
        counter_memory([PAIR], {"1": "Bert"}, {})
    with pytest.raises(BadInput, match="no summary"):
        generator_table({})
