"""Indexes on disk: equal to those in memory, gone on with after a stop, and refused where they no longer fit."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retrieving import BagEncoder, made, written
from surefoot.errors import BadInput
from surefoot.retrieval import building
from surefoot.retrieval.bm25 import BM25
from surefoot.retrieval.counts import count, together
from surefoot.retrieval.dense import Dense
from surefoot.retrieval.hybrid import Hybrid, Ranker
from surefoot.retrieval.index import build_index, open_index
from surefoot.retrieval.retriever import Document

QUERIES = ["ab cd", "yz", "nothing", "kl kl mn"]
CORPUS = made(70)


def in_memory(kind: str) -> Ranker:
    members = {"bm25": BM25.of(CORPUS, 1.2, 0.5), "dense": Dense.of(CORPUS, BagEncoder())}
    return Hybrid((members["bm25"], members["dense"]), "weighted") if kind == "hybrid" else members[kind]


def build(folder: Path, kind: str, **more: Any) -> Ranker:
    corpus = folder / "corpus.jsonl"
    if not corpus.exists():
        written(corpus, CORPUS)
    return build_index(corpus, folder / "idx", **{"kind": kind, "k1": 1.2, "b": 0.5, "fusion": "weighted", **more})


@pytest.mark.parametrize("kind", ["bm25", "dense", "hybrid"])
def test_an_index_on_disk_finds_what_one_in_memory_finds(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "PART", 9)
    monkeypatch.setattr(building, "BATCH", 9)
    built = build(tmp_path, kind, encoder=BagEncoder())
    memory = in_memory(kind)
    for index in (built, open_index(tmp_path / "idx", encoder=BagEncoder())):
        assert index.search(QUERIES, 11) == memory.search(QUERIES, 11)
        assert index.digest == memory.digest


def test_arrays_and_documents_are_mapped_and_not_loaded(tmp_path: Path) -> None:
    index = build(tmp_path, "hybrid", encoder=BagEncoder())
    assert isinstance(index, Hybrid)
    bm25, dense = index.members
    assert isinstance(bm25, BM25)
    assert isinstance(dense, Dense)
    assert isinstance(dense.vectors, np.memmap)
    assert isinstance(bm25.index.scores["data"], np.memmap)


def test_the_arrays_are_read_by_bm25s_itself(tmp_path: Path) -> None:
    import bm25s

    build(tmp_path, "bm25")
    loaded = bm25s.BM25.load(tmp_path / "idx" / "bm25")
    np.testing.assert_array_equal(loaded.get_scores(["ab"]), BM25.of(CORPUS, 1.2, 0.5).index.get_scores(["ab"]))


def test_counts_of_parts_are_the_counts_of_the_whole() -> None:
    whole = count(CORPUS)
    for size in (1, 7, 70):
        parts = [count(CORPUS[start : start + size]) for start in range(0, 70, size)]
        joined = together([building.unpacked(building.packed(part)) for part in parts])
        assert list(joined.words) == list(whole.words)
        assert (joined.matrix.toarray() == whole.matrix.toarray()).all()
        assert (joined.lengths == whole.lengths).all()


class Killed(Exception):
    pass


@pytest.mark.parametrize("stop", range(1, 14, 2))
def test_a_build_that_was_stopped_goes_on_and_does_nothing_twice(
    stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "PART", 12)
    monkeypatch.setattr(building, "BATCH", 12)
    counted: list[int] = []
    monkeypatch.setattr(building, "count", lambda documents: counted.append(len(documents)) or count(documents))
    encoder, told = BagEncoder(), []

    def tell(*said: Any) -> None:
        told.append(said)
        if len(told) == stop:
            raise Killed

    with pytest.raises(Killed):
        build(tmp_path, "hybrid", encoder=encoder, told=tell)
    with pytest.raises(BadInput, match="was not finished; give the same command again"):
        open_index(tmp_path / "idx")
    index = build(tmp_path, "hybrid", encoder=encoder)
    assert index.search(QUERIES, 9) == in_memory("hybrid").search(QUERIES, 9)
    assert sum(counted) == len(CORPUS)
    checked = 8  # documents encoded again when the index is opened
    assert encoder.seen - len(QUERIES) - checked == len(CORPUS)


def test_the_same_call_finds_the_index_that_is_there(tmp_path: Path) -> None:
    told: list[Any] = []
    build(tmp_path, "bm25")
    build(tmp_path, "bm25", told=lambda *said: told.append(said))
    assert told == []
    os.utime(tmp_path / "corpus.jsonl")  # another time of change, the same documents
    assert build(tmp_path, "bm25").digest == open_index(tmp_path / "idx").digest


def test_an_index_of_something_else_is_not_overwritten(tmp_path: Path) -> None:
    build(tmp_path, "bm25")
    for more in ({"kind": "dense"}, {"k1": 2.0}, {"b": 0.1}):
        with pytest.raises(BadInput, match="holds an index of another corpus or with other settings"):
            build(tmp_path, **{"kind": "bm25", **more})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("Dear")
    with pytest.raises(BadInput, match=r'holds other files \("letter.txt"\)'):
        build_index(tmp_path / "corpus.jsonl", tmp_path / "other")
    with pytest.raises(BadInput, match="is not there; make one"):
        open_index(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r'no kind of index "bm26"\. Did you mean "bm25"'):
        build_index(tmp_path / "corpus.jsonl", tmp_path / "idx", kind="bm26")


def test_a_corpus_that_was_refused_and_mended_goes_into_the_same_folder(tmp_path: Path) -> None:
    corpus = written(tmp_path / "corpus.jsonl", [*CORPUS, CORPUS[0]])
    with pytest.raises(BadInput, match="is also that of"):
        build_index(corpus, tmp_path / "idx")
    written(corpus, CORPUS)
    mended = build(tmp_path, "bm25")
    assert mended.search(QUERIES, 9) == in_memory("bm25").search(QUERIES, 9)
    assert not list((tmp_path / "idx").glob("*.tmp"))
    with pytest.raises(BadInput, match="holds an index of another corpus or with other settings"):
        build(tmp_path, "bm25", k1=2.0)


def test_documents_that_are_stored_are_not_given_up_for_another_corpus(tmp_path: Path) -> None:
    def stop(what: str, *_: Any) -> None:
        if what == "documents counted":
            raise Killed

    with pytest.raises(Killed):
        build(tmp_path, "bm25", told=stop)
    written(tmp_path / "other.jsonl", CORPUS[:5])
    with pytest.raises(BadInput, match="holds an unfinished index of another corpus"):
        build_index(tmp_path / "other.jsonl", tmp_path / "idx")


def test_what_cannot_be_built_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    corpus = written(tmp_path / "c.jsonl", CORPUS)
    for settings, said in (
        ({"kind": "hybrid", "fusion": "ranks"}, 'no fusion "ranks"'),
        ({"kind": "dense", "encoder": tmp_path / "no-such-encoder"}, "no-such-encoder"),
        ({"k1": -1.0}, "k1 is -1.0"),
    ):
        with pytest.raises(BadInput, match=said):
            build_index(corpus, tmp_path / "idx", **settings)  # type: ignore[arg-type]
        assert not (tmp_path / "idx").exists()
    with pytest.raises(BadInput, match="cannot be made a folder"):
        build_index(corpus, corpus)


@pytest.mark.parametrize("damage", ["gone", "empty", "cut"])
def test_an_index_that_misses_any_of_its_bytes_is_called_damaged(damage: str, tmp_path: Path) -> None:
    build(tmp_path, "hybrid", encoder=BagEncoder())
    files = [file for file in (tmp_path / "idx").rglob("*") if file.is_file() and file.suffix]
    read = {file.name for file in files if file.name not in ("index.json", "plan.json", "source.json", "vectors.json")}
    assert read >= {"documents.arrow", "vectors.npy", "vocab.index.json", "params.index.json", "data.csc.index.npy"}
    for file in files:
        if file.name not in read | {"index.json"} or (file.name, damage) == ("index.json", "gone"):
            continue
        raw = file.read_bytes()
        file.unlink() if damage == "gone" else file.write_bytes(raw[: len(raw) // 2] if damage == "cut" else b"")
        with pytest.raises(BadInput, match="is damaged"):
            open_index(tmp_path / "idx", encoder=BagEncoder())
        file.write_bytes(raw)
    assert open_index(tmp_path / "idx", encoder=BagEncoder()).search(["ab"], 1)


def test_a_corpus_that_has_changed_is_refused_and_one_that_is_gone_is_not(tmp_path: Path) -> None:
    build(tmp_path, "bm25")
    raw = (tmp_path / "corpus.jsonl").read_bytes()
    written(tmp_path / "corpus.jsonl", [*CORPUS[:-1], Document(CORPUS[-1].id, "", "changed")])
    for again in (lambda: open_index(tmp_path / "idx"), lambda: build(tmp_path, "bm25")):
        with pytest.raises(BadInput, match=r"has changed since|holds an index of another corpus"):
            again()
    (tmp_path / "corpus.jsonl").write_bytes(raw)
    assert open_index(tmp_path / "idx")
    (tmp_path / "corpus.jsonl").unlink()
    shutil.move(tmp_path / "idx", tmp_path / "moved")
    assert open_index(tmp_path / "moved").search(["ab"], 1) == in_memory("bm25").search(["ab"], 1)


def test_an_index_is_not_searched_with_another_encoder(tmp_path: Path) -> None:
    build(tmp_path, "dense", encoder=BagEncoder())
    with pytest.raises(BadInput, match="encoder of your own; give it"):
        open_index(tmp_path / "idx")
    with pytest.raises(BadInput, match="made with another encoder"):
        open_index(tmp_path / "idx", encoder=BagEncoder(seed=1))


def test_minilm_is_named_and_found_again(tmp_path: Path) -> None:
    corpus = written(tmp_path / "c.jsonl", CORPUS[:9])
    build_index(corpus, tmp_path / "idx", kind="dense")
    assert json.loads((tmp_path / "idx" / "index.json").read_text())["dense"] == {"encoder": "all-MiniLM-L6-v2"}
    hits = open_index(tmp_path / "idx").search([CORPUS[3].text], 1)
    assert hits[0][0].document.text == CORPUS[3].text
    with pytest.raises(BadInput, match="made with another encoder"):
        open_index(tmp_path / "idx", encoder=BagEncoder())


def test_a_corpus_without_any_term_finds_nothing(tmp_path: Path) -> None:
    index = build_index(
        written(tmp_path / "c.jsonl", [Document("1", "", "..."), Document("2", "", "")]), tmp_path / "i"
    )
    assert index.search(["anything", ""], 3) == [[], []]


def test_the_command_makes_an_index_and_says_what_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from surefoot.cli import main

    def surefoot(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["surefoot", "index", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    corpus, out = str(written(tmp_path / "c.jsonl", CORPUS)), str(tmp_path / "idx")
    code, said, _ = surefoot(corpus, "--out", out, "--k1", "1.2", "--b", "0.5", "--try", "ab cd")
    assert code == 0
    first, *found = said.splitlines()
    assert first.startswith(f"Index: {out} (bm25, 70 documents, digest {in_memory('bm25').digest[:12]}")
    expected = in_memory("bm25").search(["ab cd"], 3)[0]
    assert [line.split()[:2] for line in found] == [[f"{hit.score:.4f}", hit.document.id] for hit in expected]
    code, said, err = surefoot(corpus, "--out", out, "--kind", "dense")
    assert (code, said) == (2, "")
    assert err.startswith("surefoot: ")
    assert "give another folder" in err
