"""Asking one question in several ways: who read what is told as it was."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path

import pytest
from typer.testing import CliRunner

import surefoot as sf
from surefoot.catalogue import ENTRIES, Entry
from surefoot.errors import BadInput
from surefoot.models.scripted import ScriptedModel
from surefoot.probes.multi_hop.calibrations import documents, questions
from surefoot.retrieval.retriever import Document, Hit
from surefoot.side_by_side import label_of, prompt_of
from surefoot.text.prompt import Prompt

QUESTION = questions()[0]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """`rag` has its name, whether or not the catalogue of this version lists it."""
    entry = Entry("treatment", "rag", "surefoot.treatments.retrieval.rag:Rag", "s", "docs/rag.md", "s")
    if all((one.kind, one.name) != ("treatment", "rag") for one in ENTRIES):
        monkeypatch.setattr("surefoot.catalogue.ENTRIES", (*ENTRIES, entry))


class WordOverlap:
    """Ranks documents by the words they share with the query."""

    digest = "words"

    def __init__(self, corpus: Sequence[Document]) -> None:
        self.corpus = corpus
        self.asked: list[str] = []

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        self.asked += queries
        return [self._ranked(set(re.findall(r"\w+", query)))[:k] for query in queries]

    def _ranked(self, words: set[str]) -> list[Hit]:
        scored = [Hit(d, float(len(words & set(re.findall(r"\w+", d.text))))) for d in self.corpus]
        return sorted((hit for hit in scored if hit.score), key=lambda hit: -hit.score)


def reader(prompt: Prompt, _: object) -> str:
    """Says the leader if the document that names one stands before it, else where the person was born."""
    led = re.search(r"Barville is led by (\w+)", prompt.text)
    born = re.search(r"Barek Amo was born in (\w+)", prompt.text)
    return f"So the answer is: {led[1]}." if led else f"So the answer is: {born[1]}." if born else "I cannot know."


def test_the_bare_model_reads_nothing_and_rag_what_was_found() -> None:
    index = WordOverlap(documents())
    found = sf.ask(
        QUESTION.text, ScriptedModel(reader), by=("bare", ("rag", {"k": 1})), index=index, answers=["Barora"]
    )
    bare, rag = found
    assert (bare.model, bare.answer, bare.outcome, bare.trace) == ("bare", "I cannot know.", "wrong", None)
    assert (rag.model, rag.answer, rag.outcome) == ("rag (k=1)", "Barville", "wrong")
    assert rag.trace is not None
    assert rag.trace.documents == ("Bar-1",)
    assert repr(sf.treat("rag", ScriptedModel(reader, "plain"), index=index)) == "<model plain + rag>"
    assert index.asked == [QUESTION.text]


def test_a_wider_search_finds_the_second_document_only_where_the_words_lead_to_it() -> None:
    near = [
        *documents(),
        Document("Bar-3", "Barek Amo", "The place where Barek Amo was born: Barville is led by Barora."),
    ]
    found = sf.ask(QUESTION.text, ScriptedModel(reader), by=("rag",), index=WordOverlap(near), answers=["Barora"])
    assert found.told[0].outcome == "right"


def test_every_way_is_asked_the_prompt_of_the_probe() -> None:
    seen: list[str] = []

    def script(prompt: Prompt, _: object) -> str:
        seen.append(prompt.without("context").text)
        return "x"

    sf.ask(QUESTION.text, ScriptedModel(script), by=("bare", "rag"), index=WordOverlap(documents()))
    assert set(seen) == {prompt_of(QUESTION.text).text}
    assert prompt_of(QUESTION.text).only("input").text.strip().endswith(QUESTION.text)


def test_the_page_and_the_terminal_name_every_way_and_document(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    found = sf.ask(hostile, ScriptedModel(lambda *_: hostile), by=("bare", "rag"), index=WordOverlap(documents()))
    page = found.save(tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert hostile in unescape(page)
    assert page.count("<h1") == 1
    assert "<nav" not in page  # one section needs no table of contents
    shown = sf.ask(QUESTION.text, ScriptedModel(reader), by=("bare", "rag"), index=WordOverlap(documents()))
    text = unescape(shown.save(tmp_path / "page.html").read_text())
    for part in ("bare", "rag", "Barek Amo was born in Barville.", "I cannot know.", "asked of <bdi>scripted</bdi>"):
        assert part in text
    assert text.count(QUESTION.text) >= 2  # the title, and what was searched for
    assert text.index(QUESTION.text, text.index("<main")) < text.index("I cannot know.")
    assert "reading: Barek Amo" in str(shown)
    assert repr(shown) == f"<bare, rag, asked: {QUESTION.text}>"
    assert unescape(shown._repr_html_()).strip() == f'<pre dir="auto">{shown}</pre>'
    assert "<script" not in found._repr_html_()
    assert json.loads(json.dumps(shown.to_dict()))["told"][1]["trace"]["searches"] == 1


@pytest.mark.parametrize(
    ("question", "settings", "sentence"),
    [
        ("  ", {}, "question is empty"),
        ("Who?", {"by": ()}, "No way to ask"),
        ("Who?", {"by": ("rag",)}, "rag searches an index and none was given"),
        ("Who?", {"by": ("rug",), "index": WordOverlap(())}, 'Did you mean "rag"'),
        ("Who?", {"by": (("bare", {"k": 3}),)}, "no settings"),
        ("Who?", {"wording": "long"}, 'no wording "long"'),
    ],
)
def test_what_cannot_be_asked_is_refused(question: str, settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        sf.ask(question, ScriptedModel(reader), **settings)  # type: ignore[arg-type]


def test_a_way_is_named_with_its_settings() -> None:
    assert [label_of(way) for way in ("rag", ("rag", {}), ("rag", {"k": 3, "layout": "wikipedia"}))] == [
        "rag",
        "rag",
        "rag (k=3, layout=wikipedia)",
    ]


def test_the_command_asks_and_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import surefoot.cli  # noqa: F401 - the verbs
    from surefoot.cli.app import app

    monkeypatch.setattr("surefoot.models.load.load", lambda *_, **__: ScriptedModel(reader))
    monkeypatch.setattr("surefoot.side_by_side.opened", lambda _: WordOverlap(documents()))
    page = tmp_path / "page.html"
    words = ["ask", QUESTION.text, "--index", "idx", "--by", "bare", "--by", "rag:k=1", "--html", str(page)]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0, ran.output
    assert "rag (k=1)" in ran.output
    assert "answer: Barville" in ran.output
    assert "Barek Amo was born in Barville." in page.read_text()
