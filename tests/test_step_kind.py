"""The classifier of steps against Bayes' rule by enumeration, on a world, and on published steps."""

from __future__ import annotations

from fractions import Fraction
from math import log
from pathlib import Path

import pytest

from surefoot.errors import BadInput
from surefoot.questions.measures import StepKind, implicitness, is_implicit
from surefoot.questions.question import Question, Step
from surefoot.questions.step_kind import StepClassifier, accuracy, features, marked_steps
from surefoot.questions.strategyqa import read_strategyqa
from surefoot.worlds.corpora import QuestionWorld

SHARED = Path(__file__).parents[2] / "shared" / "data" / "strategyqa"
SEEN: list[tuple[str, StepKind]] = [
    ("Where was Ana born?", "retrieval"),
    ("When was #1 founded?", "retrieval"),
    ("Is #1 before #2?", "operation"),
    ("Where is Bel?", "retrieval"),
]


def test_log_odds_are_those_of_bayes_rule_by_enumeration() -> None:
    vocabulary = {feature for text, _ in SEEN for feature in features(text)}

    def joint(text: str, kind: str) -> Fraction:
        own = [feature for told, k in SEEN for feature in features(told) if k == kind]
        probability = Fraction(sum(k == kind for _, k in SEEN), len(SEEN))
        for feature in features(text):
            if feature in vocabulary:
                probability *= Fraction(own.count(feature) + 1, len(own) + len(vocabulary))
        return probability

    found = StepClassifier.fit(SEEN)
    for text in ("Is Ana before #1?", "Where was #1?", "Unknown words alone", "", "is is is #1 #2 #3"):
        assert found.log_odds(text) == pytest.approx(log(joint(text, "operation") / joint(text, "retrieval")))


def test_where_both_kinds_are_as_likely_a_step_is_searched_for() -> None:
    assert [StepClassifier(prior, {}).kind("Is it?") for prior in (-0.1, 0.0, 0.1)] == [*["retrieval"] * 2, "operation"]


def test_features_are_words_the_first_one_and_how_many_answers_are_named() -> None:
    assert features("Is #2 before #12, is it?") == ["is", "before", "is", "it", "first:is", "names:2"]
    assert features("#1 or #2 or #3 or #1") == ["or", "or", "or", "first:or", "names:2"]
    assert features("#1?") == ["names:1"]


def test_the_kinds_of_a_worlds_steps_are_told_in_another_world_without_a_mistake() -> None:
    found = StepClassifier.fit(marked_steps(QuestionWorld(1, 1000, ("implicit",), 40).questions))
    others = marked_steps(QuestionWorld(2, 1000, ("implicit",), 60).questions)
    assert {kind for _, kind in others} == {"retrieval", "operation"}
    assert accuracy(found, others) == 1


@pytest.mark.skipif(not SHARED.is_dir(), reason="the rows of StrategyQA are not beside the checkout")
def test_published_steps_are_told_apart_far_better_than_by_the_more_frequent_kind() -> None:
    seen, held = (marked_steps(read_strategyqa(SHARED / name)) for name in ("train_sample.jsonl", "dev.jsonl"))
    share = sum(kind == "retrieval" for _, kind in held) / len(held)
    assert accuracy(StepClassifier.fit(seen), held) > max(share, 1 - share) + 0.15


def test_what_nothing_can_be_learnt_from_is_refused() -> None:
    with pytest.raises(BadInput, match='of the kind "operation"'):
        StepClassifier.fit([("Where?", "retrieval")])
    with pytest.raises(BadInput, match='"search" is no kind'):
        StepClassifier.fit([("Where?", "search")])  # type: ignore[list-item]
    with pytest.raises(BadInput, match="No steps"):
        accuracy(StepClassifier.fit(SEEN), [])


def test_a_question_is_implicit_where_its_steps_need_words_of_their_own() -> None:
    asked = "Did the painters of Rome use planes?"
    own = Question("q", asked, steps=(Step("Which painter was of Rome?"), Step("Did #1 use a plane?")))
    new = Question("q", asked, steps=(Step("When did the painters live?"), Step("When were planes invented?")))
    assert (is_implicit(own), is_implicit(new)) == (False, True)
    assert implicitness(own) == 0 < implicitness(new)
    assert not is_implicit(Question("q", asked, steps=(Step("Is it #1?"),)))
