"""What can go wrong between a question and its documents, from the command line: a sentence each, or a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import surefoot as sf
import tiny
from command import Place, sentence_of
from retrieving import BagEncoder, written
from surefoot.errors import BadInput, NotAvailable
from surefoot.models.scripted import ScriptedModel
from surefoot.retrieval.index import build_index, open_index
from surefoot.retrieval.retriever import Document

GROUNDED = ("rag", "flare", "ircot")
PAGES = [Document(str(n), f"Sea {n}", f"The sea of Oslo has number {n}.") for n in range(4)]
QUESTION = "Which number has the sea of Oslo?"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    found = Place(tmp_path, monkeypatch, capsys)
    written(tmp_path / "corpus.jsonl", PAGES)
    return found


@pytest.fixture
def index(tmp_path: Path) -> str:
    build_index(written(tmp_path / "corpus.jsonl", PAGES), tmp_path / "idx")
    return str(tmp_path / "idx")


def ask(place: Place, *words: str) -> str:
    return sentence_of(place.surefoot("ask", QUESTION, "--model", "model", *words))


# The corpus and its index


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", '"corpus.jsonl" holds no documents'),
        (b'{"id": "1", "text": "a"}\n{"id": "1", "text": "b"}\n', 'corpus.jsonl, line 2: the id "1" is also that of'),
        (b'{"id": "1", "text": "a"}\n{"id": "2", "text": "caf\xe9"}\n', "corpus.jsonl, line 2: not UTF-8 text"),
    ],
    ids=["empty", "duplicate id", "broken encoding"],
)
def test_a_corpus_that_is_none_is_one_sentence_and_leaves_no_index(raw: bytes, said: str, place: Place) -> None:
    (place.path / "corpus.jsonl").write_bytes(raw)
    assert said in sentence_of(place.surefoot("index", "corpus.jsonl", "--out", "idx", "--quiet"))
    assert "idx" in ask(place, "--by", "rag", "--index", "idx")


@pytest.mark.usefixtures("index")
def test_a_corpus_that_changed_behind_its_index_is_not_asked(place: Place) -> None:
    written(place.path / "corpus.jsonl", [*PAGES, Document("9", "", "New.")])
    for way in GROUNDED:
        assert "has changed since" in ask(place, "--by", way, "--index", "idx")


def test_an_index_of_another_encoder_is_not_asked(tmp_path: Path) -> None:
    build_index(written(tmp_path / "corpus.jsonl", PAGES), tmp_path / "idx", kind="dense", encoder=BagEncoder())
    with pytest.raises(BadInput, match="encoder of your own; give it"):
        sf.ask(QUESTION, tiny.causal(), by=("rag",), index=str(tmp_path / "idx"))
    with pytest.raises(BadInput, match="made with another encoder"):
        open_index(tmp_path / "idx", encoder=BagEncoder(seed=1))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "rag", "--index", "nowhere"), "nowhere"),
        (("--by", "rag"), "rag searches an index and none was given"),
        (("--by", "bare", "--by", "rga"), 'Did you mean "rag"'),
        (("--by", "rag:k=0", "--index", "idx"), "k is 0"),
        (("--max-new-tokens", "0"), "max_new_tokens is 0"),
        (("--wording", "long"), 'no wording "long"'),
    ],
)
@pytest.mark.usefixtures("index")
def test_a_mistake_is_named_before_the_model_is_loaded(words: tuple[str, ...], said: str, place: Place) -> None:
    place.patch.setattr("surefoot.models.load.load", lambda *_, **__: pytest.fail("the model was loaded"))
    assert said in ask(place, *words)


def test_answers_are_printed_where_their_page_cannot_be_written(place: Place) -> None:
    place.patch.setattr("surefoot.models.load.load", lambda *_, **__: endless())
    (place.path / "folder").write_text("a file")
    ended = place.surefoot("ask", QUESTION, "--html", "folder/page.html", "--max-new-tokens", "9")
    assert "folder/page.html" in sentence_of(ended)
    assert "It is so." in ended.out


def test_each_way_is_named_as_it_begins(place: Place, index: str) -> None:
    place.patch.setattr("surefoot.models.load.load", lambda *_, **__: endless())
    ended = place.surefoot("ask", QUESTION, "--index", index, "--by", "bare", "--by", "rag:k=1")
    assert [line for line in ended.err.splitlines() if "asking" in line] == ["asking bare", "asking rag (k=1)"]


def test_a_way_without_an_index_is_named(place: Place) -> None:
    for way in GROUNDED:
        assert f"{way} searches an index and none was given" in ask(place, "--by", way)


# The question and what is read


@pytest.mark.parametrize("way", GROUNDED)
def test_more_documents_than_there_are_is_all_of_them_once(way: str, index: str) -> None:
    model = ScriptedModel(lambda *_: "So the answer is: 3.", can=frozenset({"generate", "logprobs"}))
    (told,) = sf.ask(QUESTION, model, by=((way, {"k": 99}),), index=index)
    assert told.trace is not None
    assert sorted(told.trace.documents) == ["0", "1", "2", "3"]
    assert told.answer == "3"


@pytest.mark.parametrize("way", GROUNDED)
def test_a_question_longer_than_the_budget_is_refused_with_both_numbers(way: str, place: Place, index: str) -> None:
    said = ask(place, "--by", f"{way}:budget=9", "--index", index)
    taken = int(said.split(" tokens and the budget is 9")[0].rsplit(" ", 1)[1])
    assert taken > 9


# The reader


def test_a_model_without_probabilities_is_refused_for_flare_with_the_mode_that_needs_none(index: str) -> None:
    deaf = ScriptedModel(lambda *_: "So it is.", can=frozenset({"generate"}))
    with pytest.raises(NotAvailable, match=r'needs logprobs .* use mode="previous-sentence"'):
        sf.ask(QUESTION, deaf, by=("flare",), index=index)
    (told,) = sf.ask(QUESTION, deaf, by=(("flare", {"mode": "previous-sentence"}),), index=index)
    assert told.trace is not None


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("rag", "the limit of tokens"),
        ("flare", "max_new_tokens 40 reached"),
        ("flare:max_steps=3,theta=1,look_ahead=2", "max_steps 3 reached"),
        ("ircot:max_sentences=2", "the limit of 2 sentences"),
    ],
)
def test_a_reader_that_never_stops_is_stopped_and_told_by_which_limit(
    way: str, said: str, place: Place, index: str
) -> None:
    """A script goes on for ever; the page and the terminal name the limit that ended it."""
    words = ["--by", way, "--index", index, "--max-new-tokens", "40", "--html", "page.html"]
    place.patch.setattr("surefoot.models.load.load", lambda *_, **__: endless())
    ended = place.surefoot("ask", QUESTION, *words)
    assert ended.code == 0, ended.err
    assert f"stopped [{said}]" in ended.out
    assert said in (place.path / "page.html").read_text()


def endless() -> ScriptedModel:
    return ScriptedModel(lambda *_: "It is so. " * 99)


def test_the_answer_as_json_has_the_end_of_every_trace(place: Place, index: str) -> None:
    words = [part for way in GROUNDED for part in ("--by", way)]
    place.patch.setattr("surefoot.models.load.load", lambda *_, **__: endless())
    found = json.loads(place.surefoot("ask", QUESTION, "--index", index, "--json", *words).out)
    assert [told["trace"]["events"][-1]["kind"] for told in found["told"]] == ["stop"] * 3
