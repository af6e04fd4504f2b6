"""The report of a comparison: it shows the comparison's numbers, escapes what it is given, and needs nothing else."""

from __future__ import annotations

import math
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import surefoot
from compared import coins, made
from surefoot.comparison import Comparison
from surefoot.comparison.result import Effect, WordingChange
from surefoot.errors import BadInput
from surefoot.report.comparison import report_html
from surefoot.report.comparison_charts import forest, scale, scatter, steps
from surefoot.report.numbers import percent, signed_points
from surefoot.stats.intervals import Interval

KLASSES = ["right"] * 5 + ["negated", "negated", "nonsense"]
VOID = {"meta", "circle", "rect", "path", "line", "use", "br"}


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    one = {name: coins(30, 8, 0.4, k) for k, name in enumerate("abc")}
    others = [{name: coins(30, 8, 0.4 + 0.2 * m, 10 * m + k) for k, name in enumerate("abc")} for m in (1, 2)]
    return surefoot.compare(*(made(s, KLASSES, f"model {i}") for i, s in enumerate((one, *others))))


class Page(HTMLParser):
    """Tags must nest; text, identifiers and links are collected."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()
        self.uses: list[dict[str, str | None]] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        self.ids += [given["id"]] if given.get("id") else []
        self.links += [value for name, value in attrs if name in ("href", "src") and value]
        self.uses += [given] if tag == "use" else []
        assert "style" not in given
        assert not any(name.startswith("on") for name in given)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open):
            self.text += f"{data} "


def test_the_report_shows_every_difference_with_its_verdict(comparison: Comparison) -> None:
    text = " ".join(Page(report_html(comparison)).text.split())
    for pair in comparison.pairs:
        for change in (pair.overall, *pair.tasks):
            for effect in (change.mean, change.spread, change.worst):
                assert effect is not None
                ends = f"{signed_points(effect.difference.low)} to {signed_points(effect.difference.high)}"
                assert f"{effect.verdict} {signed_points(effect.difference.value)} {ends}" in text
        for sentence in (*pair.sentences, *pair.warnings):
            assert " ".join(sentence.split()) in text
        assert percent(pair.overall.mean.after) in text


def test_the_report_is_one_file_that_links_to_nothing_outside(comparison: Comparison, tmp_path: Path) -> None:
    page = Page(comparison.save(tmp_path / "x.html").read_text(encoding="utf-8"))
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert not page.tags & {"script", "link", "img", "iframe", "object"}
    assert report_html(comparison) == report_html(comparison)
    with pytest.raises(BadInput, match="is a folder"):
        comparison.save(tmp_path)


def test_whatever_a_run_names_is_escaped() -> None:
    bad = '<script>alert("x")</script>\u202e'
    one, other = ({bad: coins(12, 3, 0.5, k)} for k in (1, 2))
    record = {"determinants": {"model": {"name": bad}, bad: bad}, "arguments": {bad: bad}}
    found = surefoot.compare(made(one, model=bad, **record), made(other, model="m"))
    for html in (report_html(found), found._repr_html_()):
        page = Page(html)
        assert "script" not in page.tags
        assert "\u202e" not in html
        assert "alert" in page.text
    assert "\u202e" not in str(found)


def test_the_notebook_shows_the_tables_of_the_terminal(comparison: Comparison) -> None:
    html = " ".join(Page(comparison._repr_html_()).text.split())
    printed = str(comparison)
    for pair in comparison.pairs:
        assert pair.after in html
        for value in (pair.overall.mean.difference.value, pair.tasks[0].mean.difference.value):
            assert signed_points(value) in html
            assert signed_points(value) in printed


def test_items_stand_worst_first_and_how_many_are_not_shown_is_said() -> None:
    before, after = np.ones((90, 4)), coins(90, 4, np.linspace(0.1, 0.9, 90)[:, None], 3)
    found = surefoot.compare(made({"t": before}), made({"t": after}))
    html = report_html(found)
    section = html[html.index('<section id="flips"') : html.index('<section id="noise"')]
    changes = [float(x) for x in re.findall(r"</bdi></td><td>−(\d+\.\d)</td>", section)]
    assert changes == sorted(changes, reverse=True)
    assert len(changes) == 40
    lost = sum(flip.after < flip.before for flip in found.pairs[0].flips)
    assert f"{lost - 40} more items" in section


def effect(value: float, low: float, high: float, verdict: str = "better") -> Effect:
    return Effect(0.5, 0.5 + value, Interval(value, low, high), 0.01, 0.02, verdict)  # type: ignore[arg-type]


def at(text: str) -> float:
    return float(text.rstrip("%")) / 100


def test_a_forest_places_every_difference_on_one_scale_that_holds_zero() -> None:
    lines = [("a", effect(0.03, 0.01, 0.05)), ("b", effect(0.08, -0.012, 0.13, "no difference shown"))]
    drawn = forest(lines)
    (zero, first) = at(drawn.zero), drawn.lines[0]
    unit = (at(first.at) - zero) / 0.03
    for line, (_, given) in zip(drawn.lines, lines, strict=True):
        for place, value in ((line.at, given.difference.value), (line.low, given.difference.low)):
            assert at(place) == pytest.approx(zero + unit * value, abs=1e-4)
        assert 0 <= at(line.low) <= at(line.at) <= at(line.high) <= 1
    assert [line.shown for line in drawn.lines] == ["better", "none"]
    assert "0.0" in {tick.label for tick in drawn.ticks} or "0" in {tick.label for tick in drawn.ticks}


@pytest.mark.parametrize(
    ("low", "high"), [(0, 0), (-0.001, 0.002), (-1, 1), (0.1, 0.37), (-0.5, 0.0), (0.25, 0.25), (0.0, 0.61)]
)
def test_a_scale_holds_its_values_with_few_even_marks(low: float, high: float) -> None:
    first, last, step = scale(low, high)
    marks = steps(first, last, step)
    assert first <= low + 1e-9
    assert last >= high - 1e-9
    assert last > first
    assert 2 <= len(marks) <= 6
    assert all(b - a == pytest.approx(step) for a, b in pairwise(marks))
    assert math.isclose(marks[-1], last)


def test_a_wording_that_did_not_change_lies_on_the_diagonal_and_a_better_one_above() -> None:
    same, better = WordingChange("t", "w0", "right", 0.3, 0.3), WordingChange("t", "w1", "negated", 0.3, 0.5)
    drawn = scatter("t", [same, better])
    points = {point.klass: point for point in drawn.points}
    assert at(points["right"].x) == pytest.approx(1 - at(points["right"].y))
    assert at(points["negated"].y) < at(points["right"].y)
    assert "1 higher after, 0 lower" in drawn.label
