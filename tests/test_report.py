"""The report shows what the summary says, lets nothing of the run act, and needs nothing but itself."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import math
import random
import re
import subprocess
import sys
from dataclasses import fields, replace
from html.parser import HTMLParser
from itertools import combinations, pairwise
from pathlib import Path
from statistics import mean, stdev

import pytest

from surefoot.errors import BadInput, OutOfSpace
from surefoot.probes.class_comparison import ClassComparison
from surefoot.probes.phrasing.summary import (
    ClassScore,
    Guard,
    Interval,
    ItemFlips,
    NoiseFloor,
    PhrasingSummary,
    Spread,
    TaskSummary,
    VarianceShare,
    WordingScore,
)
from surefoot.report import FirstPrompt, summary_html, summary_text, write_report
from surefoot.report.flipmap import flip_map, outcome_path, short_names, thin
from surefoot.report.headline import range_of_normals
from surefoot.report.html import report_html
from surefoot.report.numbers import percent, points, signed_points, visible
from surefoot.report.prompts import prompt_views
from surefoot.report.strip import band, lanes, levels
from surefoot.stats.exact import SignTest
from surefoot.stats.gaps import MeanGap, TaskGap
from surefoot.text.instruction import RIGHT

CHOICES = (
    "entailment",
    "odd-one-out",
    "opposites",
    "next-in-series",
    "safe-or-not",
    "which-is-larger",
    "tone",
    "topic",
)
FRAMES = ("definition", "q-a", "dialogue", "imperative", "after-options")
TEXTS = (
    "Which of these is meant? Answer with the letter of the right option.",
    "You are given a short passage and several options. Read the passage with care, then choose the option that fits.",
    "Pick one.",
    "Choose the answer that a careful reader would give, and write nothing else.",
)
PLAIN = {"right": 12, "incorrect": 4, "negated": 4, "nonsense": 4}
RECORD = {
    "argv": [
        "/opt/env/bin/surefoot",
        "probe",
        "phrasing",
        "--model",
        "smollm2",
        "--task",
        "demo",
        "--out",
        "runs/my run",
    ],
    "model": {"name": "smollm2", "revision": "0.1.2", "chat_template": "{% for m in messages %}<|im_start|>" * 8},
    "versions": {"surefoot": "0.1.0", "torch": "2.13.0"},
    "seeds": [0, 1],
    "limit": None,
    "complete": True,
}


def summary_of(tasks: int = 8, items: int = 100, classes: dict[str, int] = PLAIN, seed: int = 0) -> PhrasingSummary:
    """A summary whose numbers hang together: scores, flips and class means come from one table of answers."""
    draw = random.Random(seed)
    found = tuple(_task(draw, CHOICES[i % 8] + ("" if i < 8 else f"-{i}"), items, classes) for i in range(tasks))
    overall = tuple(_over_tasks(klass, found) for klass in classes)
    right = [task.spread.mean.value for task in found if task.spread]
    return PhrasingSummary(
        model="smollm2",
        tasks=found,
        classes=overall,
        mean=_around(mean(right), 0.02),
        mean_sd=mean(task.spread.sd.value for task in found if task.spread),
        mean_range=mean(task.spread.range for task in found if task.spread),
        guard=found[0].guard,
        noise=NoiseFloor(240, 1, 3.25e-4),
        items=tasks * items,
        rows=sum(len(task.wordings) * items for task in found),
        unparsed=sum(task.unparsed for task in found),
        truncated=0,
        complete=True,
    )


def _task(draw: random.Random, name: str, items: int, classes: dict[str, int]) -> TaskSummary:
    ease = [draw.gauss(0, 1.2) for _ in range(items)]
    level = draw.uniform(-0.2, 1.0)
    table: dict[str, list[str]] = {}
    wordings = []
    for klass, n in classes.items():
        for k in range(n):
            shift = level + draw.gauss(0, 0.6) - (0.0 if klass in RIGHT else draw.uniform(0.3, 1.6))
            table[f"{klass}/{k}"] = outcomes = [_outcome(draw, e + shift) for e in ease]
            wordings.append(_wording(draw, f"{klass}/{k}", klass, outcomes))
    right = [w for w in wordings if w.klass in RIGHT]
    scores = tuple(_class_score(klass, wordings) for klass in classes)
    drops = {s.klass: scores[0].mean.value - s.mean.value for s in scores}
    return TaskSummary(
        task=name,
        kind="multiple_choice",
        metric="accuracy",
        items=items,
        chance=draw.choice((0.25, 0.5)),
        classes=scores,
        spread=_spread(right),
        wordings=tuple(wordings),
        flip_rate=mean(len({table[w.id][i] == "right" for w in right}) == 2 for i in range(items)),
        pair_flip_rate=_pair_rate([table[w.id] for w in right], items),
        flips=tuple(_flips(f"{name}/{i}", [table[w.id][i] for w in right]) for i in range(items)),
        variance=_variance(draw),
        guard=_guard(drops),
        unparsed=sum(w.unparsed for w in wordings),
        truncated=0,
    )


def _outcome(draw: random.Random, logit: float) -> str:
    if draw.random() < 0.01:
        return "unparsed"
    return "right" if draw.random() < 1 / (1 + math.exp(-logit)) else "wrong"


def _wording(draw: random.Random, id: str, klass: str, outcomes: list[str]) -> WordingScore:
    n, share = len(outcomes), outcomes.count("right") / len(outcomes)
    text = draw.choice(TEXTS) + f" ({id})"
    return WordingScore(id, klass, draw.choice(FRAMES), text, _around(share, 0.09), n, outcomes.count("unparsed"), 0)


def _class_score(klass: str, wordings: list[WordingScore]) -> ClassScore:
    own = [w.accuracy.value for w in wordings if w.klass == klass]
    sd = stdev(own) if len(own) > 1 else math.nan
    return ClassScore(klass, len(own), _around(mean(own), 0.05), sd, min(own), max(own))


def _over_tasks(klass: str, tasks: tuple[TaskSummary, ...]) -> ClassScore:
    own = [score for task in tasks for score in task.classes if score.klass == klass]
    return ClassScore(
        klass,
        sum(s.wordings for s in own),
        _around(mean(s.mean.value for s in own), 0.02),
        mean(s.sd for s in own),
        min(s.worst for s in own),
        max(s.best for s in own),
    )


def _spread(right: list[WordingScore]) -> Spread | None:
    if len(right) < 2:
        return None
    values = [w.accuracy.value for w in right]
    worst, best = (pick(right, key=lambda w: w.accuracy.value) for pick in (min, max))
    sd = stdev(values)
    return Spread(
        mean=_around(mean(values), 0.06),
        sd=Interval(sd, 0.8 * sd, 1.2 * sd),
        worst=worst,
        best=best,
        range=best.accuracy.value - worst.accuracy.value,
        noise_sd=0.035,
        p_value=0.0004 if sd > 0.06 else 0.21,
    )


def _flips(item: str, outcomes: list[str]) -> ItemFlips:
    return ItemFlips(item, outcomes.count("right") / max(len(outcomes), 1), tuple(outcomes))


def _pair_rate(rows: list[list[str]], items: int) -> float:
    pairs = list(combinations(rows, 2))
    return mean((a[i] == "right") != (b[i] == "right") for a, b in pairs for i in range(items)) if pairs else 0.0


def _variance(draw: random.Random) -> tuple[VarianceShare, ...]:
    weights = [draw.uniform(0.2, 1) * scale for scale in (0.1, 0.15, 0.8, 1)]
    names = ("frame", "wording", "item", "residual")
    return tuple(VarianceShare(n, _around(w / sum(weights), 0.03)) for n, w in zip(names, weights, strict=True))


def _guard(drops: dict[str, float]) -> Guard:
    found = {
        name: _around(drops[name], 0.06, 0) if name in drops else None for name in ("negated", "nonsense", "incorrect")
    }
    sentence = "Accuracy falls when the instruction is negated or replaced, so it is read."
    return Guard(False, sentence, found["negated"], found["nonsense"], found["incorrect"], 0.05)


def _around(value: float, half: float, least: float | None = 0.0) -> Interval:
    low = value - half if least is None else max(least, value - half)
    return Interval(value, low, value + half)


def prompts_of(summary: PhrasingSummary, words: int = 150) -> tuple[FirstPrompt, ...]:
    """A first prompt for each wording, `words` tokens of about four characters."""
    found = []
    for task in summary.tasks:
        for wording in task.wordings:
            text = "<|im_start|>user\n" + wording.text + "\n\nQuestion: " + "which one " * (words // 2)
            pieces = tuple(re.findall(r"<\|[a-z_]+\|>|\s?\w{1,6}|\s?\S|\s", text))[:words]
            ids = tuple(100 + i for i in range(len(pieces)))
            found.append(FirstPrompt(task.task, wording.id, wording.klass, "".join(pieces), ids, pieces))
    return tuple(found)


class Node:
    """An element of a parsed page."""

    def __init__(self, tag: str, attributes: dict[str, str | None]) -> None:
        self.tag, self.attributes = tag, attributes
        self.children: list[Node | str] = []

    @property
    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text for child in self.children)

    def all(self, tag: str = "", css: str = "") -> list[Node]:
        """Elements below, in reading order, of this tag and class."""
        found = []
        for child in self.children:
            if isinstance(child, Node):
                if tag in ("", child.tag) and (not css or css in (child.attributes.get("class") or "").split()):
                    found.append(child)
                found.extend(child.all(tag, css))
        return found


class Page(HTMLParser):
    """A parser that refuses elements closed in the wrong order."""

    VOID = ("meta", "link", "br", "hr", "img", "input")

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self.stack = [self.root]
        self.feed(html)
        self.close()
        assert self.stack == [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        node = Node(tag, dict(attrs))
        self.stack[-1].children.append(node)
        if tag not in self.VOID:
            self.stack.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.stack[-1].children.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self.stack[-1].children.append(data)


def parsed(summary: PhrasingSummary, **given: object) -> Node:
    return Page(report_html(summary, **{"record": RECORD, **given})).root  # type: ignore[arg-type]


def section(page: Node, id: str) -> Node:
    return next(node for node in page.all("section") if node.attributes["id"] == id)


def flat(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def summary() -> PhrasingSummary:
    drawn = summary_of(tasks=3, items=40)
    chances = zip(drawn.tasks, (0.2, 0.25, 0.5), strict=True)
    return replace(drawn, tasks=tuple(replace(task, chance=chance) for task, chance in chances))


@pytest.fixture(scope="module")
def page(summary: PhrasingSummary) -> Node:
    return parsed(summary, first_prompts=prompts_of(summary, 30), rows=rows_of(summary))


def rows_of(summary: PhrasingSummary) -> object:
    """Rows in which every choice is the first option, gold is spread over four places, and one answer is unparsed."""
    import pyarrow as pa

    from surefoot.runs.rows import ROW_SCHEMA

    names = {"model": summary.model, "frame": "", "recheck": False, "truncated": False}
    rows = [
        {**names, "task": task.task, "wording": wording.id, "klass": wording.klass, "item": str(i)}
        | {"outcome": "right" if i % 4 == 0 else "wrong", "predicted_index": 0, "gold_index": i % 4}
        for task in summary.tasks
        for wording in task.wordings
        for i in range(8)
    ]
    rows[3] |= {"outcome": "unparsed", "predicted_index": None, "text": "I cannot say <b>"}
    return pa.Table.from_pylist(rows, schema=ROW_SCHEMA)


def test_the_headline_gives_mean_worst_and_best_over_tasks(summary: PhrasingSummary, page: Node) -> None:
    spreads = [task.spread for task in summary.tasks if task.spread]
    worst, best = (mean(getattr(s, end).accuracy.value for s in spreads) for end in ("worst", "best"))
    finding = flat(page.all("p", "finding")[0].text)
    assert finding == (
        f"Accuracy is {percent(summary.mean.value)} on average, but from {percent(worst)} to {percent(best)} "
        "depending only on the wording."
    )


def test_a_spread_within_noise_is_not_sold_as_an_effect_of_wording(summary: PhrasingSummary) -> None:
    calm = tuple(replace(t, spread=replace(t.spread, p_value=0.03)) for t in summary.tasks)  # type: ignore[type-var]
    text = flat(parsed(replace(summary, tasks=calm)).all("p", "finding")[0].text)
    assert "not shown to be more than chance" in text  # 3 x 0.03 is above 5 %
    assert "depending only on the wording" not in text
    assert "not shown to be more than chance" in summary_text(replace(summary, tasks=calm), width=400)
    assert "not shown to be more than chance" in summary_html(replace(summary, tasks=calm))
    one = replace(calm[0], spread=replace(calm[0].spread, p_value=0.016))  # type: ignore[type-var]
    assert "depending only on the wording" in parsed(replace(summary, tasks=(one, *calm[1:]))).text


def test_tasks_on_which_the_guard_is_raised_are_counted_beside_the_overall_verdict(summary: PhrasingSummary) -> None:
    first = replace(summary.tasks[0], guard=replace(summary.tasks[0].guard, raised=True))
    page = parsed(replace(summary, tasks=(first, *summary.tasks[1:])))
    assert "Task by task it is raised on 1 of 3." in page.all("header")[0].text
    assert "Task by task" not in parsed(summary).text


def test_the_headline_quotes_the_widest_tasks_worst_and_best_wording(summary: PhrasingSummary, page: Node) -> None:
    task = max(summary.tasks, key=lambda t: t.spread.range if t.spread else 0)
    assert task.spread is not None
    quotes = [flat(node.text) for node in page.all("figure")[:2]]
    for quote, wording in zip(quotes, (task.spread.worst, task.spread.best), strict=True):
        assert percent(wording.accuracy.value) in quote
        assert wording.id in quote
        assert wording.text in quote


def test_every_wording_stands_in_the_report_with_its_score_interval_and_text(
    summary: PhrasingSummary, page: Node
) -> None:
    blocks = section(page, "wordings").all("details", "task")
    assert len(blocks) == len(summary.tasks)
    for block, task in zip(blocks, summary.tasks, strict=True):
        rows = {row.all("bdi", "id")[0].text: row for row in block.all("tbody")[0].all("tr")}
        assert set(rows) == {wording.id for wording in task.wordings}
        for wording in task.wordings:
            row = rows[wording.id]
            assert row.all("span", "value")[0].text == percent(wording.accuracy.value)
            low, high = points(wording.accuracy.low), points(wording.accuracy.high)
            assert row.all("span", "ends")[0].text == f"{low} to {high}"
            assert row.all("div", "text")[0].text == wording.text


def test_right_wordings_come_first_and_the_best_is_on_top(page: Node) -> None:
    for block in section(page, "wordings").all("details", "task"):
        rows = [(row.all("span", "klass")[0].text, row.all("span", "value")[0].text) for row in block.all("tr")[1:]]
        right = [float(score.rstrip(" %")) for klass, score in rows if klass == "right"]
        assert [klass for klass, _ in rows[: len(right)]] == ["right"] * len(right)
        assert right == sorted(right, reverse=True)


def test_every_wording_is_a_dot_at_its_score_in_the_lane_of_its_class(summary: PhrasingSummary, page: Node) -> None:
    figures = {f.all("h3")[0].text: f for f in section(page, "spread").all("figure", "strip")}
    for task in summary.tasks:
        for klass in PLAIN:
            scale = figures[task.task].all("svg", f"k-{klass}")[1]  # the first is the mark beside the name
            drawn = sorted(float((use.attributes["x"] or "").rstrip("%")) for use in scale.all("use"))
            want = sorted(100 * w.accuracy.value for w in task.wordings if w.klass == klass)
            assert drawn == pytest.approx(want, abs=0.01)
            assert {use.attributes["href"] for use in scale.all("use")} == {f"#m-{klass}"}
            chance = scale.all("line", "chance")[0].attributes["x1"]
            assert chance == f"{100 * (task.chance or 0):g}%"


def test_class_means_guard_and_variance_show_the_numbers_of_the_summary(summary: PhrasingSummary, page: Node) -> None:
    classes, guard = (section(page, id).all("tbody")[0].all("tr") for id in ("classes", "guard"))
    variance = section(page, "variance").all("tbody")
    over = [cell.all("span", "value")[0].text for cell in classes[0].all("td")[:-1]]
    assert over == [percent(score.mean.value) for score in summary.classes]
    for task, row, drops, shares in zip(summary.tasks, classes[1:], guard[1:], variance, strict=True):
        assert [v.text for v in row.all("span", "value")] == [percent(score.mean.value) for score in task.classes]
        found = (task.guard.drop_negated, task.guard.drop_nonsense, task.guard.drop_incorrect)
        assert [v.text for v in drops.all("span", "value")] == [signed_points(d.value) for d in found if d]
        assert [v.text for v in shares.all("span", "value")] == [percent(s.share.value) for s in task.variance]


def test_the_tokens_of_the_first_prompt_join_to_its_text_and_carry_their_ids(summary: PhrasingSummary) -> None:
    prompts = prompts_of(summary, 30)
    blocks = parsed(summary, first_prompts=prompts).all("div", "tokens")
    by_text = {block.text: block for block in blocks}
    assert len(blocks) == len(prompts)
    for prompt in prompts:
        ids = [int(token.attributes["title"] or "") for token in by_text[prompt.text].all("i")]
        assert ids == list(prompt.token_ids)


def test_prompts_past_the_budget_are_text_and_say_what_is_left_out() -> None:
    prompts = [FirstPrompt("t", str(i), "right", "ab" * 30_000, (1, 2), ("ab" * 15_000,) * 2) for i in range(2)]
    prompts.append(FirstPrompt("t", "short", "right", "ab", (1, 2), ("a", "b")))
    prompts.append(FirstPrompt("t", "past", "right", "ab", (1, 2), ("a", "b")))
    views = prompt_views(prompts, token_budget=3)
    assert views["t", "0"].pieces == ()
    assert len(views["t", "0"].text) + views["t", "0"].left_out == 60_000
    assert views["t", "short"].pieces == ((1, "a"), (2, "b"))
    assert (views["t", "past"].pieces, views["t", "past"].text) == ((), "ab")


def test_option_places_show_a_model_that_always_takes_the_first(page: Node) -> None:
    cells = [v.text for v in section(page, "answers").all("tbody")[0].all("tr")[1].all("span", "value")]
    assert cells == ["100.0 %", "0.0 %", "0.0 %", "0.0 %"]
    assert "I cannot say <b>" in section(page, "answers").text


def test_settings_show_every_value_and_the_command_without_the_place_of_the_program(page: Node) -> None:
    text = section(page, "settings").text
    assert section(page, "settings").all("code")[0].text == (
        "surefoot probe phrasing --model smollm2 --task demo --out 'runs/my run'"
    )
    for value in ("0.1.2", "2.13.0", "0, 1", "null", "true", "<|im_start|>" * 1):
        assert value in text


def test_a_run_from_a_notebook_gets_no_command() -> None:
    page = parsed(summary_of(1, 10), record={"argv": ["/x/ipykernel_launcher.py", "-f"]})
    assert not section(page, "settings").all("code")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"complete": False}, "not complete"),
        ({"unparsed": 12, "rows": 48}, "12 answers (25.0 % of all) could not be parsed"),
        ({"truncated": 1}, "1 prompt did not fit"),
    ],
)
def test_what_weakens_the_numbers_is_said_at_the_top(
    summary: PhrasingSummary, change: dict[str, int], words: str
) -> None:
    clean = replace(summary, unparsed=0, truncated=0, complete=True)
    assert not parsed(clean).all("p", "notice")
    (notice,) = parsed(replace(clean, **change)).all("p", "notice")  # type: ignore[arg-type]
    assert words in notice.text
    assert words in summary_text(replace(clean, **change), width=400)  # type: ignore[arg-type]


def test_a_raised_guard_is_a_notice_with_its_sentence(summary: PhrasingSummary) -> None:
    raised = replace(summary, unparsed=0, guard=replace(summary.guard, raised=True, sentence="It does not read."))
    (notice,) = parsed(raised).all("p", "notice")
    assert flat(notice.text) == "Guard: raised. It does not read."


def test_observed_and_unobserved_are_set_side_by_side() -> None:
    summary = summary_of(2, 20, {"observed": 5, "unobserved": 4, "default": 1})
    section_ = section(parsed(summary), "two-classes")
    assert section_.all("h2")[0].text == "Observed and unobserved wordings"
    for row, task in zip(section_.all("tbody")[0].all("tr"), summary.tasks, strict=True):
        a, b = (score.mean.value for score in task.classes[:2])
        assert row.all("td")[0].text == signed_points(b - a)


def test_a_comparison_of_classes_brings_intervals_and_the_sign_test() -> None:
    summary = summary_of(2, 20)
    names = [task.task for task in summary.tasks]
    gaps = tuple(TaskGap(name, 0.6, 0.1, 0.3, 0.5, 0.1, 0.3, -0.1) for name in names)
    comparison = ClassComparison(
        left="right",
        right="negated",
        tasks=gaps,
        gaps=(Interval(-0.1, -0.2, -0.01), Interval(-0.123, -0.3, 0.05)),
        mean=MeanGap(0.612, 0.1, 0.3, 0.5, 0.1, 0.3, -0.112),
        gap=Interval(-0.112, -0.18, -0.04),
        sign=SignTest(2, 0, 0, 0.25, 0.5),
        skipped=(),
    )
    found = section(parsed(summary, comparison=comparison), "two-classes")
    assert [flat(row.all("td")[0].text) for row in found.all("tbody")[0].all("tr")] == [
        "−11.2 −18.0 to −4.0",
        "−10.0 −20.0 to −1.0",
        "−12.3 −30.0 to +5.0",
    ]
    assert "one-sided p = 0.250" in found.text
    assert "61.2 %" in found.text


@pytest.mark.parametrize(
    ("raised", "threshold", "low", "verdict"),
    [
        (True, 0.1, 0.0, "raised"),
        (False, 0.1, 0.15, "not raised"),
        (False, 0.1, 0.05, "no verdict"),  # it was not raised, and yet no drop reaches the threshold: not above chance
        (False, -0.1, -0.05, "no verdict"),  # below chance there is no threshold to reach
    ],
)
def test_a_guard_that_could_not_decide_is_not_called_passed(
    summary: PhrasingSummary, raised: bool, threshold: float, low: float, verdict: str
) -> None:
    guard = Guard(raised, "Said.", Interval(0.2, low, 0.3), None, None, threshold)
    page = parsed(replace(summary, unparsed=0, guard=guard))
    assert f"Guard: {verdict}. Said." in flat(page.all("header")[0].text)
    assert section(page, "guard").all("tbody")[0].all("tr")[0].all("td")[0].text == verdict


def test_without_two_classes_of_right_wordings_none_are_set_side_by_side(page: Node) -> None:
    assert "two-classes" not in [node.attributes["id"] for node in page.all("section")]


HOSTILE = (
    "</style></title><script>alert(1)</script><img src=https://evil.example/x onerror=alert(1)>"
    "'\"><svg onload=alert(1)>{{ 7*7 }}{% raise %}&lt;&#60;\u202egnp.exe\u2066\x00\x1b[31m\r\ufeff]]>--><!--"
)


def infected(value: object, skip: tuple[str, ...]) -> object:
    """The value with every string in it replaced by a hostile one that stays unique."""
    if isinstance(value, str):
        return value + HOSTILE
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        return tuple(infected(v, skip) for v in value)
    if isinstance(value, dict):
        return {infected(k, skip): infected(v, skip) for k, v in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        names = [field.name for field in fields(value) if field.name not in skip]
        return replace(value, **{name: infected(getattr(value, name), skip) for name in names})  # type: ignore[type-var]
    return value


NAMES = """
html head meta title style body svg defs g circle rect path use line text main header nav
section p h1 h2 h3 b bdi i span strong div figure figcaption blockquote dl dt dd ul
ol li a details summary table thead tbody tr th td pre code var sub sup
"""
TAGS = frozenset(NAMES.split())


@pytest.mark.parametrize("skip", [("klass", "outcomes"), ()])
def test_hostile_text_in_every_field_is_shown_and_does_nothing(skip: tuple[str, ...]) -> None:
    import pyarrow as pa

    clean = summary_of(2, 12)
    bad = infected(clean, skip)
    prompts = infected(prompts_of(clean, 12), skip)
    names = ("model", "task", "wording", "item", "text")
    rows = pa.Table.from_pylist(
        [
            {**row, **{name: f"{row[name]}{HOSTILE}" for name in names}}
            for row in rows_of(clean).to_pylist()  # type: ignore[attr-defined]
        ]
    )
    html = report_html(bad, record=infected(RECORD, ()), first_prompts=prompts, rows=rows)  # type: ignore[arg-type]
    page = Page(html).root
    check_inert(page, html)
    assert {node.tag for node in page.all()} <= TAGS
    shown = page.all("div", "text")
    assert any(visible(HOSTILE) in node.text for node in shown)
    assert "49" not in {flat(node.text) for node in shown}
    fragment = summary_html(bad)  # type: ignore[arg-type]
    Page(fragment)
    assert {node.tag for node in Page(fragment).root.all()} <= TAGS - {"style", "html", "body"}


def check_inert(page: Node, html: str) -> None:
    """Nothing in the page can run or be fetched, and no character is left that hides or turns others."""
    assert len(page.all("style")) == 1
    for node in page.all():
        for name, value in node.attributes.items():
            assert not name.startswith("on")
            assert name not in ("style", "src", "srcset", "action", "formaction", "data", "poster", "xlink:href")
            assert name != "href" or (value or "").startswith("#")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", html)
    css = page.all("style")[0].text
    assert "url(" not in css
    assert "@import" not in css


def test_a_lone_surrogate_and_a_null_byte_can_be_written_to_a_file(tmp_path: Path) -> None:
    summary = replace(summary_of(1, 10), model="m\ud800\x00")
    text = write_report(tmp_path / "r.html", summary, record={"a": "\udfff"}).read_text(encoding="utf-8")
    assert "m⟨U+D800⟩␀" in text
    assert "⟨U+DFFF⟩" in text


def test_a_long_text_is_shown_whole(summary: PhrasingSummary) -> None:
    task = summary.tasks[0]
    long = replace(task.wordings[0], text="0123456789" * 1_000 + " end")
    changed = replace(summary, tasks=(replace(task, wordings=(long, *task.wordings[1:])), *summary.tasks[1:]))
    boxes = parsed(changed).all("div", "long")
    assert [box.text for box in boxes] == [long.text]
    assert boxes[0].attributes["tabindex"] == "0"


def test_the_policy_allows_the_one_style_sheet_and_nothing_else(page: Node) -> None:
    (meta,) = [m for m in page.all("meta") if m.attributes.get("http-equiv") == "Content-Security-Policy"]
    digest = base64.b64encode(hashlib.sha256(page.all("style")[0].text.encode()).digest()).decode()
    assert meta.attributes["content"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert page.all("head")[0].all()[:2][1] is meta  # before anything that it governs


def test_nothing_outside_the_file_is_named(page: Node, summary: PhrasingSummary) -> None:
    html = report_html(summary, record=RECORD, first_prompts=prompts_of(summary, 30))
    check_inert(page, html)
    assert "http:" not in html
    assert "https:" not in html
    ids = {node.attributes["id"] for node in page.all() if "id" in node.attributes}
    assert {(n.attributes["href"] or "")[1:] for n in page.all() if "href" in n.attributes} <= ids


def test_headings_descend_one_level_at_a_time_and_drawings_have_words(page: Node) -> None:
    levels_ = [int(node.tag[1]) for node in page.all() if re.fullmatch("h[1-6]", node.tag)]
    assert levels_[0] == 1
    assert levels_.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels_))
    hidden = {id(svg) for node in page.all() if node.attributes.get("aria-hidden") == "true" for svg in node.all("svg")}
    for svg in page.all("svg"):
        assert id(svg) in hidden or svg.attributes.get("aria-hidden") == "true" or svg.attributes.get("aria-label")
    for head in page.all("th"):
        assert head.attributes["scope"] in ("col", "row", "rowgroup")


def test_text_and_marks_have_enough_contrast_in_light_and_dark() -> None:
    css = (Path(__file__).parent.parent / "src/surefoot/report/surefoot.css").read_text(encoding="utf-8")
    themes = css.split("* {")[0].split("@media screen")
    assert len(themes) == 2
    for theme in themes:
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})\b", theme))
        for text in ("ink", "soft", "accent"):
            for ground in ("paper", "wash"):
                assert contrast(colours[text], colours[ground]) >= 4.5
        for ground in ("token", "notice"):
            assert contrast(colours["ink"], colours[ground]) >= 4.5
        for mark in ("right", "unobserved", "default", "incorrect", "negated", "nonsense"):
            assert contrast(colours[mark], colours["paper"]) >= 3
        for one, other in combinations(("o-right", "o-wrong", "o-unparsed"), 2):
            assert contrast(colours[one], colours[other]) >= 1.3


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast ratio of two colours."""
    a, b = sorted((luminance(one), luminance(other)))
    return (b + 0.05) / (a + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_a_report_of_8_tasks_100_items_and_24_wordings_is_below_2_megabytes() -> None:
    summary = summary_of(tasks=8, items=100)
    html = report_html(summary, record=RECORD, first_prompts=prompts_of(summary, 250), rows=rows_of(summary))
    assert len(html.encode()) < 2_000_000


def test_the_same_input_gives_the_same_bytes(tmp_path: Path, summary: PhrasingSummary) -> None:
    files = [
        write_report(tmp_path / name, summary, record=RECORD, first_prompts=prompts_of(summary, 20)).read_bytes()
        for name in ("a.html", "b.html")
    ]
    assert files[0] == files[1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.html", "b.html"]


def test_missing_values_are_dashes_and_never_nan() -> None:
    summary = summary_of(2, 10, {"right": 2, "negated": 1})
    nothing = Interval(math.nan, math.nan, math.nan)
    task = summary.tasks[0]
    blank = replace(task.wordings[0], accuracy=nothing, items=0)
    guard = replace(task.guard, drop_negated=None)
    first = replace(
        task, chance=None, spread=None, variance=(), guard=guard, wordings=(blank, *task.wordings[1:]), metric="rouge-l"
    )
    changed = replace(summary, tasks=(first, summary.tasks[1]), noise=NoiseFloor(0, 0, 0.0))
    text = flat(parsed(changed).all("body")[0].text)
    assert not re.search(r"\b(nan|None|inf)\b", text)
    assert "Score is" in text
    assert "No spread can be given for entailment" in text
    assert "nan" not in summary_text(changed)
    assert "nan" not in summary_html(changed)


def test_a_run_without_any_row_still_gives_a_report() -> None:
    summary = summary_of(1, 10)
    nothing = Interval(math.nan, math.nan, math.nan)
    empty = replace(summary, tasks=(), classes=(), mean=nothing, rows=0, items=0, unparsed=0, complete=False)
    assert "not complete" in parsed(empty, rows=rows_of(summary)).text
    assert "smollm2" in summary_text(empty)
    assert "smollm2" in summary_html(empty)


def test_the_fragment_and_the_terminal_show_the_spread_of_each_task(summary: PhrasingSummary) -> None:
    rows = [row.text for row in Page(summary_html(summary)).root.all("tbody")[0].all("tr")]
    lines = summary_text(summary).splitlines()
    for task, row in zip(summary.tasks, rows, strict=True):
        assert task.spread is not None
        line = next(line for line in lines if line.startswith(task.task))
        for value in (task.spread.mean, task.spread.worst.accuracy, task.spread.best.accuracy):
            assert percent(value.value) in row
            assert percent(value.value) in line


@pytest.mark.parametrize(("p", "written"), [(1.0, "1.000"), (0.0321, "0.032"), (0.0004, "< 0.001")])
def test_a_column_of_p_values_holds_numbers_without_an_equals_sign(
    summary: PhrasingSummary, p: float, written: str
) -> None:
    tasks = tuple(replace(t, spread=replace(t.spread, p_value=p)) for t in summary.tasks)  # type: ignore[type-var]
    (table, *_) = Page(summary_html(replace(summary, tasks=tasks))).root.all("table")
    column = [cell.text for cell in table.all("th")].index("p")
    for row in table.all("tbody")[0].all("tr"):
        assert [cell.text for cell in (*row.all("th"), *row.all("td"))][column] == written


def test_names_cannot_style_or_steer_the_terminal(summary: PhrasingSummary) -> None:
    from rich.console import Console

    from surefoot.report import summary_table

    task = replace(summary.tasks[0], task="[bold]x[/bold]\x1b[2J")
    console = Console(file=io.StringIO(), force_terminal=True, width=160)
    console.print(summary_table(replace(summary, model="m\x1b[2J", tasks=(task,))))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "[bold]x[/bold]␛[2J" in text
    assert "\x1b[2J" not in text


@pytest.mark.parametrize("columns", [12, 7])
def test_the_flip_map_paints_every_cell_once_in_the_colour_of_its_outcome(columns: int) -> None:
    draw = random.Random(3)
    task = summary_of(1, 12).tasks[0]
    flips = tuple(
        replace(f, outcomes=tuple(draw.choice(("right", "wrong", "unparsed", "missing")) for _ in f.outcomes))
        for f in task.flips
    )
    found = flip_map(replace(task, flips=flips), columns)
    assert found is not None
    right = [w for w in task.wordings if w.klass == "right"]
    order = sorted(right, key=lambda w: (-w.accuracy.value, w.id))
    items = thin(sorted(flips, key=lambda f: (-f.right_rate, f.item)), columns)
    assert found.wordings == tuple(order)
    painted: dict[tuple[int, int], str] = {}
    for outcome, path in found.paths:
        assert re.fullmatch(r"(M\d+ \d+\.5h\d+)+", path)
        for x, y, length in re.findall(r"M(\d+) (\d+)\.5h(\d+)", path):
            for column in range(int(x), int(x) + int(length)):
                assert (column, int(y)) not in painted
                painted[column, int(y)] = outcome
    for y, wording in enumerate(order):
        for x, item in enumerate(items):
            assert painted[x, y] == item.outcomes[right.index(wording)]


def test_names_in_the_map_leave_out_the_path_that_all_share() -> None:
    assert short_names(["demo/q-a/1", "demo/q-b/1"]) == ("q-a/1", "q-b/1")
    assert short_names(["ab", "ac"]) == ("ab", "ac")
    assert short_names(["demo/one"]) == ("demo/one",)


def test_thinning_keeps_the_ends_and_the_order() -> None:
    items = [ItemFlips(str(i), 1 - i / 1_000, ("right",)) for i in range(1_000)]
    kept = [int(item.item) for item in thin(items, 240)]
    assert (kept[0], kept[-1], len(kept)) == (0, 999, 240)
    assert kept == sorted(set(kept))


def test_runs_of_equal_cells_are_one_stroke() -> None:
    assert outcome_path([["a", "a", "b"], ["b", "a", "a"]], "a") == "M0 0.5h2M1 1.5h2"


def test_no_two_dots_of_a_row_touch() -> None:
    draw = random.Random(5)
    values = sorted(draw.random() for _ in range(60))
    rows: dict[int, list[float]] = {}
    for value, row in zip(values, levels(values), strict=True):
        rows.setdefault(row, []).append(value)
    assert all(b - a >= 0.018 for row in rows.values() for a, b in pairwise(row))
    assert levels([0.5] * 3) == (0, 1, -1)
    assert max(map(abs, levels([0.5] * 100))) == 4


def test_the_noise_band_is_the_mean_and_196_noise_sds_cut_at_the_scale() -> None:
    spread = summary_of(1, 20).tasks[0].spread
    assert spread is not None
    found = band(replace(spread, mean=Interval(0.5, 0, 1), noise_sd=0.05))
    assert found is not None
    assert (found.x, found.width) == ("40.2%", "19.6%")
    cut = band(replace(spread, mean=Interval(0.95, 0, 1), noise_sd=0.05))
    assert cut is not None
    assert float(cut.x[:-1]) + float(cut.width[:-1]) == pytest.approx(100)


def test_lanes_stay_low_where_all_wordings_score_the_same() -> None:
    task = summary_of(1, 10).tasks[0]
    same = replace(task, wordings=tuple(replace(w, accuracy=Interval(0.5, 0.4, 0.6)) for w in task.wordings))
    assert all(float(lane.height) <= 100 for lane in lanes(same))


@pytest.mark.parametrize(("k", "d"), [(1, 0), (2, 1.12838), (3, 1.69257), (5, 2.32593), (10, 3.07751), (25, 3.93063)])
def test_the_expected_range_of_normals_is_the_published_d2(k: int, d: float) -> None:
    # d2 of the control chart tables; 2 / sqrt(pi) for k = 2
    assert range_of_normals(k) == pytest.approx(d, abs=1e-4)


def test_numbers_are_written_one_way() -> None:
    assert (percent(0.41249), percent(None), percent(math.nan), percent(-0.0001)) == ("41.2 %", "–", "–", "0.0 %")
    assert (signed_points(0.041), signed_points(-0.041), signed_points(-0.0001)) == ("+4.1", "−4.1", "0.0")
    assert visible("a\x00\x1b\r\u202eb\n\t\u200dé") == "a␀␛␍⟨U+202E⟩b\n\t\u200dé"


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path, summary: PhrasingSummary) -> None:
    (tmp_path / "file").write_text("")
    for path, words in ((tmp_path, "is a folder"), (tmp_path / "file" / "report.html", "cannot be written")):
        with pytest.raises(BadInput, match=f"{re.escape(str(path))}.*{words}"):
            write_report(path, summary, record={})


def test_a_full_disk_is_said_and_leaves_the_old_report(
    tmp_path: Path, summary: PhrasingSummary, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r.html").write_text("old")

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutOfSpace, match="disk is full"):
        write_report(tmp_path / "r.html", summary, record={})
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("r.html", "old")]


def test_importing_the_report_loads_nothing_heavy() -> None:
    heavy = ("torch", "pyarrow", "jinja2", "rich", "scipy", "altair")
    code = f"import sys, surefoot.report; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
