"""The memorisation probe on models whose copying is known."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import surefoot as sf
from command import Place, sentence_of
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, NotAvailable
from surefoot.memorisation.asking import works_task
from surefoot.memorisation.works import Work
from surefoot.models.base import Generation
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.memorisation.calibrations import PREFIX, WORDS, babble, reader, world
from surefoot.probes.memorisation.words import sentence
from surefoot.probes.stored import read_reading
from surefoot.tasks.loading import load_tasks
from surefoot.text.prompt import Prompt

TASK = world()


def told(model: ScriptedModel, prompt: Prompt) -> str:
    return model.generate([prompt], Sampling(max_new_tokens=WORDS))[0].text


def kinds_of(reading: object) -> dict[str, object]:
    return {kind.wording: kind for kind in reading.summary.kinds}  # type: ignore[attr-defined]


def test_a_model_that_knows_two_works_is_found_out_on_these_two() -> None:
    known = (TASK.examples[2], TASK.examples[7])
    two = reader(replace(TASK, examples=known), str, "two")
    model = ScriptedModel(lambda prompt, _: told(two, prompt) or babble(prompt.text), "two")
    summary = sf.probe("memorisation", model, TASK).summary
    assert {work.work for work in summary.reproduced} == {example.id for example in known}
    assert {work.run for work in summary.significant} == {WORDS}
    assert all(work.excess < 2 for work in summary.works[2:])
    assert summary.works[0].p == pytest.approx(1 / (summary.windows + 1))


def test_controls_read_chance_where_the_right_prompts_read_all() -> None:
    kinds = kinds_of(sf.probe("memorisation", reader(TASK, str, "verbatim"), TASK))
    assert kinds["prefix-10"].level.mean.ratio == 1
    assert kinds["prefix-10"].level.mean.run_words == WORDS - PREFIX
    for control in ("unrelated-prefix-10", "wrong-title"):
        level = kinds[control].level
        assert not kinds[control].is_right
        assert abs(level.mean.run - level.chance.run) < 0.5
        assert abs(level.mean.subsequence - level.chance.subsequence) < 2
        assert level.chance.run < 3  # the work that was asked for is not among the unrelated ones


class Drawing(ScriptedModel):
    """Reproduces more words the higher the seed; a greedy answer is empty."""

    def __init__(self, task: object) -> None:
        self.whole = reader(task, str, "whole")  # type: ignore[arg-type]
        super().__init__(lambda *_: "", "drawing")

    def generate(self, prompts, sampling=None, begun=None):  # type: ignore[no-untyped-def]
        one = [sampling] * len(prompts) if not isinstance(sampling, list) else sampling
        texts = [generation.text for generation in self.whole.generate(prompts, Sampling(max_new_tokens=WORDS))]
        cut = [
            " ".join(text.split()[: 10 * (each.seed + 1) if each.temperature else 0])
            for text, each in zip(texts, one, strict=True)
        ]
        return [Generation(text, (), (), "stop", 7) for text in cut]


def test_samples_are_reported_by_their_mean_and_their_largest() -> None:
    reading = sf.probe("memorisation", Drawing(TASK), TASK, samples=3)
    level = kinds_of(reading)["direct-opening"].level
    assert (level.mean.run, level.best.run) == (20, 30)
    row = next(row for row in reading.rows.to_pylist() if row["wording"] == "direct-opening")
    assert [len(text.split()) for text in row["samples"]] == [10, 20, 30]
    assert (row["longest_run"], row["score"], row["text"]) == (20, 20 / WORDS, "")
    assert len(row["predicted"].split()) == 30


def test_an_inclusive_budget_takes_the_prompts_tokens_off() -> None:
    whole = reader(TASK, str, "whole")
    rows = sf.probe("memorisation", whole, TASK, budget="inclusive").rows.to_pylist()
    assert {(row["wording"], row["longest_run"]) for row in rows if "direct" in row["wording"]} == {
        ("direct-opening", WORDS - 10)  # its prompt has 10 words
    }
    tight = replace(TASK, max_new_tokens=9)
    rows = sf.probe("memorisation", whole, tight, budget="inclusive", recheck=0).rows.to_pylist()
    assert {row["outcome"] for row in rows} == {"unparsed"}


def test_answers_that_change_when_computed_again_are_counted() -> None:
    calls: list[int] = []

    def script(*_: object) -> str:
        calls.append(1)
        return f"answer {len(calls)}" if len(calls) > len(TASK.examples) * len(TASK.wordings) else "answer"

    summary = sf.probe("memorisation", ScriptedModel(script), TASK, recheck=0.1).summary
    assert summary.changed == summary.rechecked == 5
    assert any("5 of 5 rechecked answers became another text" in text for text in summary.warnings())
    assert sf.probe("memorisation", reader(TASK, str, "same"), TASK, recheck=0.1).summary.changed == 0


def test_popularity_is_correlated_with_what_is_reproduced() -> None:
    """Work k is popular k and its first 3 k words are written."""
    works = [
        Work(f"w{k}", f"T{k:02d}", " ".join(f"w{k}-{n}" for n in range(60)), "x", "y", popularity={"editions": k})
        for k in range(8)
    ]
    task = works_task(works, prefixes=[10])
    whole = reader(task, str, "whole")

    def script(prompt: Prompt, _: object) -> str:
        text = told(whole, prompt)
        place = int(text[1 : text.index("-")]) if text else 0
        return " ".join(text.split()[: 3 * place])

    (found,) = sf.probe("memorisation", ScriptedModel(script), task, normalise="false").summary.popularity
    assert (found.field, found.works, found.rho, found.low, found.high) == ("editions", 8, 1.0, 1.0, 1.0)
    assert found.p < 0.01


def test_a_users_own_column_of_a_table_is_correlated_where_it_is_known(tmp_path: Path) -> None:
    """Work k is written in 3 k words; the column has ranks with one exchange, and nothing for two works."""
    known = ["", 1, 3, 2, 4, 5, 6, ""]
    lines = ["id,title,text,licence,source,popularity,popularity_same"]
    texts = [" ".join(f"w{k}-{n}" for n in range(60)) for k in range(8)]
    lines += [f"w{k},T{k:02d},{texts[k]},x,y,{known[k]},7" for k in range(8)]
    file = tmp_path / "works.csv"
    file.write_text("\n".join(lines))
    (task,) = load_tasks(f"works:{file}?prefix=10")
    whole = reader(task, str, "whole")

    def script(prompt: Prompt, _: object) -> str:
        text = told(whole, prompt)
        return " ".join(text.split()[: 3 * (int(text[1 : text.index("-")]) if text else 0)])

    summary = sf.probe("memorisation", ScriptedModel(script), task, normalise="false").summary
    own, same = sorted(summary.popularity, key=lambda found: found.works)
    assert (own.field, own.works, own.rho) == ("popularity", 6, pytest.approx(1 - 6 * 2 / (6 * 35)))
    assert -1 < own.low < own.rho < own.high < 1
    assert (same.field, same.works) == ("same", 8)
    assert np.isnan([same.rho, same.low, same.high, same.p]).all()
    (shown,) = (table for table in summary.tables() if table.title == "Popularity")
    interval = f"{own.rho:+.2f} ({own.low:+.2f} to {own.high:+.2f})"
    assert dict(zip(shown.columns, shown.rows[1], strict=True))["rho"] == interval


def test_thresholds_stand_beside_what_chance_gives() -> None:
    rows = sf.probe("memorisation", reader(TASK, str, "verbatim"), TASK).summary.thresholds
    by_words = {row.words: row for row in rows}
    assert by_words[25].by_run == by_words[50].by_run == len(TASK.examples)
    assert by_words[300].possible == by_words[300].by_run == by_words[300].by_subsequence == 0
    assert by_words[25].chance_run == 0


def test_unseen_works_are_set_against_the_others() -> None:
    examples = tuple(
        replace(e, fields={**e.fields, "group": "unseen" if k % 2 else "known"}) for k, e in enumerate(TASK.examples)
    )
    task = replace(TASK, examples=examples)
    known = replace(task, examples=examples[::2])
    whole = reader(known, str, "known")
    model = ScriptedModel(lambda prompt, _: told(whole, prompt) or babble(prompt.text))
    summary = sf.probe("memorisation", model, task, null="unseen").summary
    (found,) = summary.differences
    assert found.group == "known"
    assert found.difference > 40
    assert found.p < 0.01


def test_a_run_is_stored_read_and_reported(tmp_path: Path) -> None:
    works = tmp_path / "works.jsonl"
    records = [
        {"id": n, "title": f"T {n}", "text": f"{n} " + "and so on " * 20, "licence": "x", "source": "y"} for n in "abc"
    ]
    works.write_text("".join(json.dumps(record) + "\n" for record in records))
    model = ScriptedModel(lambda prompt, _: prompt.text + " and then")
    spec = f"works:{works}?prefix=10"
    reading = sf.probe("memorisation", model, spec, out=str(tmp_path / "run"), window=20)
    again = read_reading(str(tmp_path / "run"))
    assert again.to_dict() == reading.to_dict()
    assert sentence(again.summary) in again.save(tmp_path / "report.html").read_text().replace("&#39;", "'")


def test_two_runs_are_compared_by_the_share_of_the_reference_in_the_longest_run() -> None:
    before = sf.probe("memorisation", reader(TASK, str, "whole"), TASK)
    after = sf.probe("memorisation", ScriptedModel(lambda *_: "", "silent"), TASK)
    change = sf.compare(before, after).pairs[0].overall
    assert change.mean.before == pytest.approx(1)
    assert change.mean.after == pytest.approx(0)


def test_bad_input_is_refused_with_the_fix() -> None:
    model = ScriptedModel(lambda *_: "yes")
    with pytest.raises(BadInput, match='The task "reviews" is not made of works; give --works FILE'):
        sf.probe("memorisation", model, "demo/reviews", limit=2)
    with pytest.raises(BadInput, match=r"no text unrelated to .*null=bundled"):
        sf.probe("memorisation", model, TASK, limit=1)
    with pytest.raises(BadInput, match=r'"others " is not a value of null\. Did you mean "others"'):
        sf.probe("memorisation", model, TASK, null="others ")
    with pytest.raises(BadInput, match="samples differ only above 0"):
        sf.probe("memorisation", model, TASK, samples=2, temperature=0.0)
    with pytest.raises(BadInput, match="window is 0"):
        sf.probe("memorisation", model, TASK, window=0)
    with pytest.raises(NotAvailable, match="needs generate"):
        sf.probe("memorisation", ScriptedModel(lambda *_: "", can=frozenset({"logprobs"})), TASK)


def test_too_few_windows_for_so_many_works_are_said_to_be_too_few() -> None:
    summary = sf.probe("memorisation", reader(TASK, str, "verbatim"), TASK, nulls=20).summary
    assert not summary.significant
    assert any("no corrected p-value can reach 0.05" in text for text in summary.warnings())


def test_the_command_line_takes_a_file_of_works_goes_on_and_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = Place(tmp_path, monkeypatch, capsys)
    texts = {name: " ".join(f"{name} is here" for _ in range(6)) for name in "abc"}
    place.lines(
        "works.jsonl",
        [{"id": n, "title": f"T {n}", "text": text, "licence": "x", "source": "y"} for n, text in texts.items()],
    )
    words = ("probe", "memorisation", "--model", "model", "--works", "works.jsonl?prefix=3&tokens=6", "--out", "run")
    first = place.surefoot(*words)
    assert first.code == 0, first.err
    assert "Ways to ask" in first.out
    assert (tmp_path / "run" / "report.html").is_file()
    again = place.surefoot(*words)
    assert (again.code, again.out) == (0, first.out)
    assert place.surefoot("report", "run").code == 0
    refused = place.surefoot(*words, "--task", "demo")
    assert "--works works.jsonl?prefix=3&tokens=6 names the task already" in sentence_of(refused)
