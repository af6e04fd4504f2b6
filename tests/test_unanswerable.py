"""The unanswerable probe: known models, the operating curve by brute force, judged questions from files and a world."""

from __future__ import annotations

import json
from dataclasses import replace
from math import isnan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import surefoot as sf
from surefoot.calibration import calibrate
from surefoot.errors import BadInput
from surefoot.probes.stored import read_reading
from surefoot.probes.unanswerable.calibrations import questions, world
from surefoot.probes.unanswerable.curve import operating_curve
from surefoot.probes.unanswerable.probe import Unanswerable
from surefoot.tasks.lint import errors_of
from surefoot.tasks.loading import load_tasks
from surefoot.tasks.nomiracl import (
    ABSENT,
    PRESENT,
    JudgedQuestion,
    Passage,
    by_position,
    mixed,
    nomiracl_tasks,
    resized,
    without_relevant,
)
from surefoot.tasks.nomiracl_files import read_nomiracl, write_nomiracl
from surefoot.tasks.nomiracl_world import judged_questions

MARGINS = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=12).map(np.array)


def test_the_readings_of_the_calibrations_are_right() -> None:
    lines = calibrate("unanswerable")
    assert [line for line in lines if not line.ok] == []
    assert len(lines) >= 20


# The operating curve


@given(MARGINS, MARGINS)
def test_the_curve_is_monotone_from_always_yes_to_always_no(unanswerable: np.ndarray, answerable: np.ndarray) -> None:
    curve = operating_curve(unanswerable, answerable)
    assert (curve.hallucination[0], curve.error[0]) == (1, 0)
    assert (curve.hallucination[-1], curve.error[-1]) == (0, 1)
    assert (np.diff(curve.hallucination) <= 0).all()
    assert (np.diff(curve.error) >= 0).all()
    for t, h, e in zip(curve.thresholds, curve.hallucination, curve.error, strict=True):
        assert h == pytest.approx(np.mean(unanswerable > t))
        assert e == pytest.approx(np.mean(answerable <= t))


@given(MARGINS, MARGINS)
def test_the_area_is_the_chance_that_an_unanswerable_question_has_the_greater_margin(
    unanswerable: np.ndarray, answerable: np.ndarray
) -> None:
    pairs = [(u > a) + 0.5 * (u == a) for u in unanswerable for a in answerable]
    curve = operating_curve(unanswerable, answerable)
    assert curve.area == pytest.approx(np.mean(pairs))
    allowed = [np.mean(answerable <= t) for t in [-9, *answerable, *unanswerable] if np.mean(unanswerable > t) <= 0.3]
    assert curve.error_at(0.3) == pytest.approx(min(allowed))


def test_the_curve_of_an_empty_subset_is_no_number() -> None:
    curve = operating_curve(np.array([]), np.array([1.0]))
    assert isnan(curve.area)
    assert isnan(curve.error_at(0.5))


# What is measured


def test_rates_are_means_over_languages_of_the_oracle_that_errs_in_one() -> None:
    model = sf.ScriptedModel(
        lambda prompt, _: PRESENT if "told here" in prompt.text and "q0?" not in prompt.text else ABSENT
    )
    found = sf.probe("unanswerable", model, list(world()), answering="generate").summary
    assert found.overall.error.value == pytest.approx(1 / 20 / 3)
    assert {one.name: one.error.value for one in found.languages} == {"en": 0.05, "sw": 0, "th": 0}
    assert {one.name for one in found.groups} == {"high", "low"}
    assert found.variants[0].name == "vanilla"


def test_one_subset_alone_has_no_rate_of_the_other() -> None:
    (task,) = [one for one in world() if one.name == "answerable"]
    found = sf.probe("unanswerable", sf.ScriptedModel(lambda *_: PRESENT), task, answering="generate").summary
    assert isnan(found.overall.hallucination.value)
    assert found.overall.error.value == 0
    asked = found.overall.answerable
    assert found.sentence() == f'"I don\'t know" is said of 0.0 % of the {asked} questions that a passage answers.'


def test_a_share_of_questions_that_all_agree_has_no_interval_of_no_width() -> None:
    """Resampling answers that are alike knows nothing of how they scatter."""
    always = sf.probe("unanswerable", sf.ScriptedModel(lambda *_: PRESENT), list(world()), answering="generate").summary
    asked = always.overall
    assert (asked.hallucination.low, asked.hallucination.high) == (1, 1)
    assert f"is said of 100.0 % of the {asked.unanswerable} questions" in always.sentence()
    assert f"of 0.0 % of the {asked.answerable} that one does." in always.sentence()
    assert "(100.0 to 100.0)" not in str(always.tables())
    assert f"know no language: {', '.join(one.name for one in always.baselines)}." in always.tables()[0].note


def test_a_stored_run_is_read_and_reported(tmp_path: Path) -> None:
    model = sf.ScriptedModel(lambda *_: PRESENT)
    reading = sf.probe("unanswerable", model, "unanswerable/answerable", limit=3, out=str(tmp_path / "run"))
    again = read_reading(str(tmp_path / "run"))
    assert again.to_dict() == reading.to_dict()
    assert again.save(tmp_path / "report.html").is_file()


def test_another_task_and_another_rule_are_refused() -> None:
    with pytest.raises(BadInput, match="is no subset of the unanswerable probe"):
        sf.probe("unanswerable", sf.ScriptedModel(lambda *_: PRESENT), "demo/reviews", limit=2)
    with pytest.raises(BadInput, match='"count" is not a rule'):
        Unanswerable(rule="count")  # type: ignore[arg-type]


# Judged questions


def test_the_subset_does_not_depend_on_the_order_and_one_flip_moves_one_question() -> None:
    before, after = questions(), questions(flip=True)
    assert [one.subset for one in before] == [replace(one, passages=one.passages[::-1]).subset for one in before]
    assert [a.id for a, b in zip(before, after, strict=True) if a.subset != b.subset] == ["q0"]


def judged(relevant: tuple[int, ...], count: int = 6) -> JudgedQuestion:
    return JudgedQuestion("q", "What?", tuple(Passage(str(n), f"text {n}", n in relevant) for n in range(count)))


def test_resizing_keeps_the_subset_and_puts_the_relevant_passage_where_it_is_wanted() -> None:
    assert [one.id for one in resized(judged((5,)), 3).passages] == ["0", "1", "5"]
    assert [one.id for one in resized(judged((1, 4)), 3, 0).passages] == ["1", "0", "2"]
    assert [one.id for one in resized(judged(()), 2, 1).passages] == ["0", "1"]
    for place, (task,) in by_position([judged((1, 4))], 4).items():
        shown = task.examples[0].fields["contexts"].split("\n\n")
        assert [text.endswith("text 1") for text in shown].index(True) == place
    beside = replace(judged(()), id="u")  # has no passage to put anywhere
    assert [len(tasks) for tasks in by_position([judged((1, 4)), beside], 4).values()] == [1] * 4
    with pytest.raises(BadInput, match="3 passages with the relevant one at 3"):
        resized(judged((1,)), 3, 3)
    with pytest.raises(BadInput, match="has 6 passages that can be shown, and 7"):
        resized(judged(()), 7)
    assert without_relevant(judged((1, 4))).subset == "unanswerable"
    assert sorted(mixed(judged((1,))).passages) == sorted(judged((1,)).passages)


def test_a_file_is_read_back_as_written_and_its_mistakes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "q.jsonl"
    write_nomiracl(path, questions())
    assert read_nomiracl(path) == questions()
    assert [task.name for task in load_tasks(f"nomiracl:{path}")] == ["answerable", "unanswerable"]
    passage = {"docid": "d", "text": "t"}
    record = {"query_id": "1", "query": "Q?", "negative_passages": [passage], "subset": "relevant"}
    for change, part in (
        ({}, 'line 1: the stated subset is "relevant", and by its judgements it is unanswerable'),
        ({"subset": "relevent"}, 'Did you mean "relevant"'),
        ({"query": ""}, 'needs "query"'),
        ({"negative_passages": [{"docid": "d"}]}, 'needs "docid" and "text"'),
        ({"passages": [{**passage, "relevance": 2}]}, "relevance of a passage is 2"),
        ({"negative_passages": []}, "has no passages"),
        ({"negative_passages": passage}, 'line 1: "negative_passages" is {"docid": "d", "text": "t"}, which is not'),
        ({"passages": 3}, 'line 1: "passages" is 3, which is not a list of passages'),
        ({"passages": None}, "has no passages"),
        ({"subset": ["relevant"]}, "is not a subset"),
    ):
        path.write_text(json.dumps({**record, **change}))
        with pytest.raises(BadInput) as caught:
            read_nomiracl(path)
        assert part in str(caught.value)


def test_the_world_has_gold_where_it_says_and_is_the_bundled_suite() -> None:
    made = judged_questions(each=2, languages=("en", "th"))
    assert [(one.language, one.subset) for one in made].count(("th", "answerable")) == 2
    assert all(sum(p.relevant for p in one.passages) == (one.subset == "answerable") for one in made)
    assert all(len(one.passages) == 5 for one in made)
    assert [errors_of(task) for task in nomiracl_tasks(made)] == [[], []]
