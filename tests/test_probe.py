"""The layer under every probe: cells to rows, filling, the preflight, and readings kept and read again."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import surefoot
import tiny
from surefoot.errors import BadInput
from surefoot.models.base import Choice, Generation, LanguageModel
from surefoot.models.local import LocalModel
from surefoot.models.scripted import Reply, ScriptedModel
from surefoot.probes.asking import Cell, ask, chosen_row, first_line, written_row
from surefoot.probes.filling import Filling, Memory, Step, every_cell, fill, planned, rechecked
from surefoot.probes.fitting import ground_of, overlong
from surefoot.probes.phrasing.probe import Phrasing
from surefoot.probes.preflight import Preflight, preflight
from surefoot.probes.representation.probe import Representation
from surefoot.probes.stored import read_reading
from surefoot.progress import Progress, _Clock, _stored
from surefoot.runs import Run
from surefoot.tasks.task import Example, Query, Task
from surefoot.text.instruction import Instruction
from surefoot.text.prompt import Prompt
from surefoot.treatments import treat

EXAMPLES = tuple(Example(str(n), {"input": f"Is {n} odd?"}, ("yes", "no"), (n + 1) % 2) for n in range(6))
WORDINGS = (
    Instruction("a", "Yes or no?\n{{ input }}\n"),
    Instruction("b", "{{ input }}\nSay yes or no:"),
    Instruction("n", "Say the wrong one of yes and no.\n{{ input }}\n", "negated"),
)
TASK = Task("odd", "binary", EXAMPLES, WORDINGS, fixed_options=True)
FREE = Task(
    "capital",
    "generation",
    (Example("0", {"input": "France?"}, answers=("Paris", "paris city")),),
    (Instruction("a", "Capital of {{ input }}"),),
    metric="exact_match",
    max_new_tokens=5,
)
QUERY = Query(Prompt.of("x"), ("yes", "no"), 1, ())
MODELS = {"causal": tiny.causal, "chat": lambda: tiny.causal(chat=True), "t5": tiny.t5}


def test_an_option_is_right_wrong_or_unparsed() -> None:
    assert chosen_row(QUERY, Choice(1, (-2.0, -1.0)))["outcome"] == "right"
    wrong = chosen_row(QUERY, Choice(0, (-1.0, -2.0)))
    assert (wrong["outcome"], wrong["score"], wrong["predicted"], wrong["gold"]) == ("wrong", 0.0, "yes", "no")
    none = chosen_row(QUERY, Choice(None, (math.nan, math.nan)))
    assert (none["outcome"], none["score"], none["predicted"]) == ("unparsed", None, None)


@pytest.mark.parametrize(
    ("text", "outcome"), [("no", "right"), ("Yes.", "wrong"), ("No, it is not.", "right"), ("perhaps", "unparsed")]
)
def test_a_written_label_is_parsed(text: str, outcome: str) -> None:
    row = written_row(TASK, QUERY, Generation(text, (), (), "stop", 7, True))
    assert (row["outcome"], row["text"], row["truncated"], row["prompt_tokens"]) == (outcome, text, True, 7)
    assert row["option_scores"] is None


@pytest.mark.parametrize(
    ("text", "outcome", "score"),
    [
        ("Paris", "right", 1.0),
        ("\n paris city \nYes", "right", 1.0),
        ("Rome", "wrong", 0.0),
        (" \n", "unparsed", None),
    ],
)
def test_a_free_answer_is_its_first_line(text: str, outcome: str, score: float | None) -> None:
    (row,) = ask(ScriptedModel(lambda *_: text), [Cell(FREE, FREE.wordings[0], FREE.examples[0])], "sum")
    assert (row["outcome"], row["score"], row["gold"]) == (outcome, score, "Paris")
    assert first_line(" a \nb") == "a"


def test_rows_come_in_the_order_of_their_cells_whatever_way_they_are_answered() -> None:
    long = replace(FREE, name="long", max_new_tokens=9)
    cells = [
        Cell(task, task.wordings[0], task.examples[0]) for task in (long, TASK, FREE, replace(TASK, name="again"), long)
    ]
    rows = ask(ScriptedModel(lambda *_: "no"), cells, "sum")
    assert [row["task"] for row in rows] == ["long", "odd", "capital", "again", "long"]
    assert [row.get("predicted_index") for row in rows] == [None, 1, None, 1, None]


def test_a_choice_task_can_be_answered_in_writing() -> None:
    reading = surefoot.probe("phrasing", ScriptedModel(lambda *_: "The answer is no."), TASK, answering="generate")
    right = [row for row in reading.rows.to_pylist() if row["klass"] == "right" and not row["recheck"]]
    assert Counter(row["outcome"] for row in right) == {"right": 6, "wrong": 6}
    assert {row["finish_reason"] for row in right} == {"stop"}


def test_an_unknown_scorer_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadInput, match=r'"generat" is not a scorer. Did you mean "generate"'):
        surefoot.probe("phrasing", tiny.causal(), TASK, answering="generat")


def test_filling_asks_each_missing_cell_once_and_tells_of_every_batch() -> None:
    sink, steps = Memory(), list[Step]()
    whole = Filling(recheck=0.25, batch_cells=4)
    fill(tiny.causal(), [TASK], sink, whole, steps.append)
    assert len(sink.rows) == planned([TASK], whole) == 18 + 4
    assert [step.cells for step in steps] == [4, 6, 10, 12, 16, 18, 22]
    assert steps[-1].computed > steps[0].computed > 0
    kept, sink.rows = sink.rows, sink.rows[3:11]
    steps.clear()
    fill(tiny.causal(), [TASK], sink, whole, steps.append)
    assert steps[-1].cells == 22 - 8
    names = [tuple(row[k] for k in ("wording", "item", "recheck")) for row in sink.rows]
    assert len(set(names)) == len(names) == len(kept)


def test_the_noise_floor_is_a_fixed_share_that_depends_on_the_seed_and_not_on_order() -> None:
    def chosen(task: Task, seed: int, share: float = 0.3) -> set[tuple[str, str]]:
        return {(cell.wording.id, cell.example.id) for cell in rechecked([task], Filling("sum", share, seed))}

    turned = replace(TASK, examples=EXAMPLES[::-1], wordings=WORDINGS[::-1])
    assert len(chosen(TASK, 0)) == round(0.3 * 18)
    assert chosen(TASK, 0) == chosen(turned, 0)
    assert chosen(TASK, 0) != chosen(TASK, 1)
    assert chosen(TASK, 0, 0) == set()
    assert len(chosen(TASK, 0, 1)) == len(list(every_cell([TASK]))) == 18


@pytest.mark.parametrize("settings", [{"recheck": -0.1}, {"recheck": 1.1}, {"batch_cells": 0}])
def test_settings_that_would_measure_nothing_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=f"{next(iter(settings))} is "):
        surefoot.probe("phrasing", tiny.causal(), TASK, **settings)


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("answering", ["sum", "paper", "generate"])
def test_the_preflight_estimates_what_a_run_asks_for(kind: str, answering: Any) -> None:
    model: LocalModel = MODELS[kind]()  # type: ignore[operator]
    found = preflight(model, [TASK], answering, measure=False)
    before = model.tokens.asked
    surefoot.probe("phrasing", model, TASK, answering=answering, recheck=0)
    spent = model.tokens.asked - before
    assert found.cells == 18
    assert 0.6 * spent <= found.asked <= 1.6 * spent
    assert found.computed <= found.asked
    assert found.minutes is None


@pytest.mark.parametrize("kind", MODELS)
def test_the_preflight_counts_the_second_reading_of_prompts_for_their_states(kind: str) -> None:
    model: LocalModel = MODELS[kind]()  # type: ignore[operator]
    instrument = Representation(recheck=0)
    found = preflight(model, [TASK], "sum", measure=False, states=instrument.filling.states)
    once = preflight(model, [TASK], "sum", measure=False)
    read = sum(len(row) for row in model.encode([cell.query.prompt for cell in every_cell([TASK])]))
    assert [found.asked - once.asked, found.computed - once.computed] == pytest.approx([read, read], abs=18)
    before = model.tokens.computed
    instrument.measure(model, [TASK])
    spent = model.tokens.computed - before
    assert 0.7 * spent <= found.computed <= 1.4 * spent


def test_progress_starts_with_an_estimate_that_knows_of_the_states(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    once = preflight(tiny.causal(), [TASK], "sum", measure=False)

    def spy(*_: Any, states: bool) -> Preflight:
        asked.append(states)
        return once

    monkeypatch.setattr("surefoot.probes.preflight.preflight", spy)
    for instrument in (Representation(), Phrasing()):
        with Progress(quiet=True) as progress:
            progress.watch(tiny.causal(), [TASK], instrument.filling, "nowhere")
    assert asked == [True, False]


def test_the_preflight_of_a_treated_model_counts_the_treatment() -> None:
    bare = preflight(tiny.causal(), [TASK], "sum", measure=False)
    treated = preflight(treat("system-prompt", tiny.causal(), text=50 * "x"), [TASK], "sum", measure=False)
    assert treated.asked == bare.asked + 18 * 2 * 52  # two options, 50 letters and two line ends


def test_the_preflight_measures_speed_within_a_small_context() -> None:
    rate = preflight(tiny.causal(), [TASK], "sum").tokens_per_second
    assert rate is not None
    assert rate > 0


def test_the_preflight_of_a_scripted_model_counts_cells_only() -> None:
    assert preflight(ScriptedModel({}), [TASK], "sum").cells == 18


def test_the_preflight_names_what_looks_wrong() -> None:
    def sentences(model: LanguageModel, task: Task = TASK, answering: Any = "sum") -> str:
        found = preflight(model, [task], answering, measure=False).findings
        return "\n".join(f"{finding.level}: {finding.sentence}" for finding in found)

    assert "warning: The model has a chat template and the format is plain" in sentences(tiny.causal())
    assert "chat template" not in sentences(tiny.causal(chat=True))
    first = replace(TASK, examples=tuple(replace(example, gold=0) for example in EXAMPLES))
    assert "always stands in place 1" in sentences(tiny.causal(), first)
    words = replace(TASK, examples=tuple(replace(e, options=("animal", "no")) for e in EXAMPLES))
    assert 'up to 6 tokens ("animal"), and sums favour short ones' in sentences(tiny.causal(), words)
    assert "favour" not in sentences(tiny.causal(), words, "mean")
    long = replace(TASK, examples=(*EXAMPLES, replace(EXAMPLES[0], id="6", fields={"input": 300 * "x"})))
    assert "error: odd: 3 of 21 prompts do not fit into 256 tokens" in sentences(tiny.causal(), long)
    assert "warning: odd: 3 of 21 prompts" in sentences(tiny.causal(truncate="left"), long)


@pytest.mark.parametrize("answering", ["sum", "generate"])
def test_overlong_prompts_are_counted_as_brute_force_counts_them(answering: Any) -> None:
    sizes = range(200, 260, 3)
    task = replace(TASK, examples=tuple(Example(str(n), {"input": n * "x"}, ("yes", "no"), 0) for n in sizes))
    model = tiny.causal(chat=True)
    room = task.max_new_tokens if answering == "generate" else 1  # both labels are one token
    lengths = [len(model.encode([cell.query.prompt])[0]) for cell in every_cell([task])]
    ground = ground_of(model)
    assert ground is not None
    found = overlong(ground, [task], answering)
    assert found.misfits == sum(length + room > 256 for length in lengths) > 0
    assert found.longest == max(lengths)
    assert found.item == f"odd/{sizes[-1]}"
    with pytest.raises(BadInput, match=f"{found.misfits} of {len(lengths)} prompts"):
        surefoot.probe("phrasing", model, task, answering=answering)


def test_a_prompt_that_just_fits_is_neither_refused_nor_cut() -> None:
    model = tiny.causal()
    frame = len(model.encode([TASK.query(EXAMPLES[0], WORDINGS[0]).prompt])[0]) - len("Is 0 odd?")
    just = replace(EXAMPLES[0], fields={"input": (256 - 1 - frame) * "x"})
    fits = replace(TASK, examples=(just,), wordings=WORDINGS[:1])
    assert surefoot.probe("phrasing", model, fits).rows["truncated"].to_pylist() == [False, False]
    over = replace(fits, examples=(replace(just, fields={"input": (256 - frame) * "x"}),))
    with pytest.raises(BadInput, match="do not fit"):
        surefoot.probe("phrasing", model, over)


def test_a_reading_from_the_folder_is_the_reading_that_was_given(tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    model = ScriptedModel(lambda *_: "yes", name="said")
    reading = surefoot.probe("phrasing", model, "demo/facts", limit=3, out=out)
    again = read_reading(out)
    assert again.to_dict() == reading.to_dict()
    assert again.first_prompts == reading.first_prompts
    assert again.path == out
    assert again.summary.model == "said"


def test_a_reading_of_task_objects_says_why_it_cannot_be_read_again(tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    surefoot.probe("phrasing", tiny.causal(), TASK, out=out)
    with pytest.raises(BadInput, match="made from task objects in Python"):
        read_reading(out)


def test_a_summary_of_half_a_run_is_of_what_is_there() -> None:
    from surefoot.probes.phrasing.probe import Phrasing

    tasks = [TASK, replace(TASK, name="later")]
    rows = surefoot.probe("phrasing", tiny.causal(), tasks, recheck=0).rows
    for stored in (1, 6, 8, 18, 19):
        summary = Phrasing(recheck=0).summarise(rows.slice(0, stored), tasks, "tiny")
        assert not summary.complete
        assert [task.task for task in summary.tasks] == (["odd", "later"] if stored > 18 else ["odd"])
    assert Phrasing(recheck=0).summarise(rows, tasks, "tiny").complete


def test_a_run_without_rows_has_no_reading(tmp_path: Path) -> None:
    from surefoot.probes.phrasing.probe import Phrasing

    out = tmp_path / "run"
    with Run.open(out, Phrasing().settings(tiny.causal(), [TASK], {})):
        pass
    with pytest.raises(BadInput, match="has no rows yet"):
        read_reading(str(out))


def test_memory_and_a_run_folder_hold_the_same_rows(tmp_path: Path) -> None:
    kept = surefoot.probe("phrasing", tiny.causal(), TASK, out=str(tmp_path / "run"))
    memory = surefoot.probe("phrasing", tiny.causal(), TASK)
    assert kept.rows.drop_columns(["run"]).equals(memory.rows)
    assert kept.to_dict() == memory.to_dict()


def test_a_reading_shows_itself(tmp_path: Path) -> None:
    hostile = replace(TASK, name="<script>alert(1)</script>")
    reading = surefoot.probe("phrasing", tiny.causal(), hostile)
    shown = reading._repr_html_()
    assert "<script>alert" not in shown
    assert "&lt;script&gt;" in shown
    assert repr(reading) == "<Reading of tiny by the phrasing probe>"
    assert "tiny" in str(reading)
    assert reading.save(tmp_path / "x.json").read_text().startswith("{")
    assert "<script>alert(1)" not in reading.save(tmp_path / "x.html").read_text()


def test_scripts_that_differ_have_other_revisions() -> None:
    revisions = {
        ScriptedModel(script).card.revision
        for script in (lambda *_: "yes", lambda *_: "no", {"a": "yes"}, {"a": "no"}, ["yes"])
    }
    assert len(revisions) == 5
    assert ScriptedModel({"a": "b"}).card.revision == ScriptedModel({"a": "b"}).card.revision


def test_a_script_that_has_no_reply_says_so() -> None:
    with pytest.raises(BadInput, match='no reply to "b"; add one'):
        ScriptedModel({"a": "x"}).generate(["b"])
    with pytest.raises(BadInput, match="has 1 replies and was asked once more"):
        ScriptedModel(["x"]).generate(["a", "b"])
    assert ScriptedModel([Reply("a", {"b": -1.0})]).choose(["?"], [["a", "b"]])[0].index == 1


def test_remaining_time_begins_with_the_estimate_and_ends_with_the_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("surefoot.progress.time.monotonic", lambda: now[0])
    clock = _Clock(100, 60.0)
    assert clock.remaining() == "1:00 left"
    now[0] = 10.0
    clock.note(50, 2000)
    assert clock.left() == pytest.approx(10)
    assert clock.speed() == "200 tokens/s"
    now[0] = 20.0
    clock.note(100, 4000)
    assert clock.left() == 0
    assert _Clock(0, None).remaining() == "0:00 left"
    assert _Clock(9, None).remaining() == ""


@pytest.mark.parametrize("name", ["a-run", "run2", "x/run"])
def test_stored_rows_are_those_of_the_folder_itself(tmp_path: Path, name: str) -> None:
    surefoot.probe("phrasing", tiny.causal(), TASK, out=str(tmp_path / name))
    assert _stored(str(tmp_path / name)) == _stored(f"{tmp_path / name}/") == 19
    assert _stored(str(tmp_path / "run")) == 0


def test_stored_rows_of_a_remote_folder_are_counted() -> None:
    surefoot.probe("phrasing", tiny.causal(), TASK, out="memory://probe/run")
    assert _stored("memory://probe/run") == 19
    assert _stored("memory://probe/other") == 0


def test_progress_tells_of_findings_and_of_rows_that_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    for expected in (["0 % of 19 rows"], ["19 of 19 rows are there already", "100 % of 19 rows"]):
        with Progress() as progress:
            watch = progress.watch(tiny.causal(), [TASK], Filling(), out)
            surefoot.probe("phrasing", tiny.causal(), TASK, out=out, watch=watch)
        told = capsys.readouterr().err
        assert all(line in told for line in expected)
        assert ("\n0 % of" in told) == (len(expected) == 1)
        assert "warning: The model has a chat template" in told
    with Progress(quiet=True) as progress:
        progress.watch(tiny.causal(), [TASK], Filling(), out)
    assert capsys.readouterr().err == ""


def test_smollm2_reads_one_beginning_and_no_prompt_is_cut(smollm2: LocalModel) -> None:
    reading = surefoot.probe("phrasing", smollm2, "demo/facts", limit=1, recheck=0)
    bos = smollm2.encoder.tokenizer.bos_token_id
    for prompt in reading.first_prompts:
        assert prompt.token_ids[0] == bos
        assert prompt.token_ids[:2].count(bos) == 1
        assert "".join(prompt.token_strings) == prompt.text
    assert not any(reading.rows["truncated"].to_pylist())
