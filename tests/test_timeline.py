"""The timeline of a trace: every event in its order, escaped, on the page and in the terminal."""

from __future__ import annotations

import io
import re
from html import unescape
from pathlib import Path

from rich.console import Console

import surefoot as sf
from surefoot import report
from surefoot.models.trace import Event, Shown, Trace
from surefoot.probes.multi_hop.calibrations import PlantedReader, first_hop, gold, questions, world
from surefoot.report.multi_hop import examples
from surefoot.report.timeline import STYLE, Told, moments, terminal_timeline, timeline
from surefoot.runs.source import Rows

ONE, TWO = Shown("1", "First <b>", "One & only."), Shown("2", "", "Second text.")
TRACE = Trace(
    (
        Event("search", queries=("who <leads>?",), documents=(ONE, TWO)),
        Event("draft", "He is", tokens=("He", " is"), probabilities=(0.95, 0.1)),
        Event("decide", note="a token below 0.2"),
        Event("search", queries=("is",), documents=(TWO,)),
        Event("write", "He leads.", documents=(ONE,)),
        Event("read", "Bela", documents=(ONE, TWO)),
        Event("stop", note="the marker"),
    ),
    calls=3,
    searches=2,
    tokens=1,
)
HOSTILE = "<script>alert('x')</script>\u202egnp"


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def test_every_event_stands_there_once_and_in_its_order() -> None:
    shown = [(moment.kind, moment.verb) for moment in moments(TRACE)]
    assert [kind for kind, _ in shown] == [event.kind for event in TRACE.events]
    text = text_of(str(timeline("Who?", [Told("m", "Bela", trace=TRACE)])))
    places = [text.index(part) for part in ("who <leads>?", "a token below 0.2", "He leads.", "the marker")]
    assert places == sorted(places)
    assert "3 calls, 2 searches, 1 token" in text


def test_a_document_is_new_where_it_first_comes_into_a_prompt_not_where_it_is_found() -> None:
    found = [[paper.is_new for paper in moment.papers] for moment in moments(TRACE)]
    assert found == [[True, True], [], [], [False], [True], [False, True], []]
    assert [[paper.is_gold for paper in moment.papers] for moment in moments(TRACE, {"2"})][5] == [False, True]


def test_a_tokens_mark_is_the_fifth_of_its_probability() -> None:
    edges = (0.0, 0.19, 0.2, 0.4, 0.79, 0.8, 1.0)
    trace = Trace((Event("draft", tokens=("x",) * 7, probabilities=edges),))
    assert [piece.level for piece in moments(trace)[0].pieces] == ["p0", "p0", "p1", "p2", "p3", "p4", "p4"]


def test_documents_of_one_title_are_told_apart_and_those_without_one_are_named_by_id() -> None:
    papers = tuple(
        Shown(id, title, "x") for id, title in (("1", "Ana"), ("2", "Ana"), ("3", "Bela"), ("4", ""), ("5", ""))
    )
    (moment,) = moments(Trace((Event("search", documents=papers),)))
    assert [paper.name for paper in moment.papers] == ["Ana (1)", "Ana (2)", "Bela", "4", "5"]


def test_a_search_that_found_nothing_says_so_and_a_text_behind_no_documents_does_not() -> None:
    trace = Trace((Event("search", queries=("zyx",)), Event("write", "Who knows.")))
    told = [Told("m", "Who knows.", trace=trace)]
    assert text_of(str(timeline("Who?", told))).count("found nothing") == 1
    assert [line for line in printed(*told).splitlines() if "nothing" in line] == ["      found: nothing"]


def test_a_text_with_line_breaks_is_one_paragraph_in_the_terminal() -> None:
    tokens = ("\n", "\n", "One", ".\n", "\n", "Two ", " three")
    event = Event("write", "".join(tokens), tokens=tokens, probabilities=(0.9,) * len(tokens))
    lines = printed(Told("m", "One.", trace=Trace((event,)))).splitlines()
    assert [line for line in lines if "wrote" in line] == ["   1. wrote: One. Two three"]
    assert lines[-1] == "   1. wrote: One. Two three"


def test_an_end_without_words_is_told_in_words() -> None:
    trace = Trace(tuple(Event("stop", note=note) for note in ("stop", "length", "the limit of 3 sentences")))
    ends = ["the model ended the text", "the limit of tokens", "the limit of 3 sentences"]
    assert [moment.note for moment in moments(trace)] == ends


def test_marks_are_explained_where_there_are_any() -> None:
    plain = Trace((Event("write", "He is"),))
    assert ["are marked" in str(timeline("?", [Told("m", "", trace=trace)])) for trace in (TRACE, plain)] == [
        True,
        False,
    ]


def test_what_a_model_without_a_trace_wrote_is_counted() -> None:
    assert [Told("m", "", tokens=n).cost for n in (0, 1, 14)] == ["", "1 call, 1 token", "1 call, 14 tokens"]
    assert "1 call, 14 tokens" in text_of(str(timeline("?", [Told("m", "Ana", "Ana", tokens=14)])))


def test_tokens_without_probabilities_are_shown_as_text() -> None:
    (moment,) = moments(Trace((Event("write", " All of it. ", tokens=("All", " of")),)))
    assert [(piece.text, piece.level) for piece in moment.pieces] == [("All of it.", "")]


def test_whatever_a_model_a_corpus_or_a_user_wrote_is_escaped() -> None:
    shown = Shown(HOSTILE, HOSTILE, HOSTILE)
    events = (
        Event("search", queries=(HOSTILE,), documents=(shown,), note=HOSTILE),
        Event("draft", tokens=(HOSTILE,), probabilities=(0.1,)),
        Event("write", HOSTILE, documents=(shown,)),
    )
    html = str(timeline(HOSTILE, [Told(HOSTILE, HOSTILE, HOSTILE, "wrong", Trace(events)), Told("m", "", HOSTILE)]))
    assert "<script" not in html
    assert "\u202e" not in html
    assert html.count("&lt;script&gt;") >= 9


def test_a_mark_joins_letters_and_keeps_their_direction() -> None:
    """A token is part of a word; an isolated one is shaped by itself and set from left to right within Arabic."""
    style = (Path(report.__file__).parent / STYLE).read_text(encoding="utf-8")
    rules = [rule for rule in style.split("}") if re.search(r"\.moment (i|\.p\d)", rule.partition("{")[0])]
    assert len(rules) >= 4
    assert not [rule for rule in rules if re.search(r"bidi|direction|display|padding|margin|border-(left|right)", rule)]


def printed(*told: Told) -> str:
    file = io.StringIO()
    Console(file=file, width=100, color_system=None).print(terminal_timeline("Who?", told, ["Bela"], {"2"}))
    return file.getvalue()


def test_the_terminal_shows_the_same_events_and_marks_gold_documents() -> None:
    lines = printed(Told("treated", "Bela", outcome="right", trace=TRACE), Told("bare", "", "I guess Ana."))
    numbered = [line.split(".")[0].strip() for line in lines.splitlines() if re.match(r"\s+\d+\. ", line)]
    assert numbered == [str(n + 1) for n in range(len(TRACE.events))]
    assert "*2" in lines
    assert "read nothing, and wrote: I guess Ana." in lines


def test_the_report_shows_right_and_wrong_answers_in_turn_with_what_was_read(tmp_path: Path) -> None:
    half = {question.id for question in questions()[::2]}
    reader = PlantedReader(lambda question: gold(question) if question.id in half else first_hop(question))
    reading = sf.probe("multi-hop", reader, world(), out=str(tmp_path / "run"))
    chosen = examples(Rows(str(tmp_path / "run")), reading.summary)
    assert [row["outcome"] for row in chosen] == ["right", "wrong", "right", "wrong"]
    page = text_of(reading.save(tmp_path / "report.html").read_text())
    assert "What was read and written, and when" in page
    for row in chosen:
        assert row["question"] in page


def test_a_model_that_reads_nothing_is_shown_by_what_it_wrote(tmp_path: Path) -> None:
    reading = sf.probe("multi-hop", PlantedReader(gold, traced=False), world())
    page = text_of(reading.save(tmp_path / "report.html").read_text())
    assert "It read nothing and wrote:" in page
