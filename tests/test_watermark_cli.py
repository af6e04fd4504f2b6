"""`surefoot watermark-key` and `surefoot detect watermark`: a key is made, a marked text is found with it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from command import Place, sentence_of
from surefoot.watermark import Detector, read_key, tokens_of

HUMAN = "".join(np.random.default_rng(9).choice(list("abcdfghijklmpqrtuvwxzABCDFGHIJKLMPQRTUVWXZ0123456789 ,.;-"), 230))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Place:
    return Place(tmp_path, monkeypatch, capsys)


@pytest.fixture
def marked(place: Place) -> str:
    """150 green letters under the key key.json; each of them is a token of the tiny model's tokenizer."""
    ended = place.surefoot("watermark-key", "key.json", "--model", "model", "--gamma", "0.5", "--delta", "inf")
    assert ended.code == 0, ended.err
    tokens, lists, rng = tokens_of("model"), read_key("key.json").lists(), np.random.default_rng(0)
    letters = "abcdfghijklmpqrtuvwxzABCDFGHIJKLMPQRTUVWXZ"
    text = "a"
    while len(text) < 150:
        mask = lists.mask(tokens.ids(text).tolist())
        assert mask is not None
        text += rng.choice([letter for letter in letters if mask[tokens.core.token_to_id(letter)]])
    Path("marked.txt").write_text(text, encoding="utf-8")
    return text


@pytest.mark.usefixtures("marked")
def test_what_is_marked_under_a_key_is_found_under_it_and_under_no_other(place: Place) -> None:
    found = place.surefoot("detect", "watermark", "marked.txt", "--key", "key.json")
    assert found.code == 0, found.err
    assert found.out.startswith("watermarked\n")
    place.surefoot("watermark-key", "other.json", "--model", "model", "--gamma", "0.5", "--delta", "inf")
    told = json.loads(place.surefoot("detect", "watermark", "marked.txt", "--key", "other.json", "--json").out)
    assert told["verdict"] == "no watermark found"
    assert told["p"] > 1e-4


def test_the_json_is_the_detectors_count_and_never_the_secret(place: Place, marked: str) -> None:
    told = json.loads(place.surefoot("detect", "watermark", "marked.txt", "--key", "key.json", "--json").out)
    key = read_key("key.json")
    count = Detector(key, tokens_of("model")).text(marked)
    assert {name: told[name] for name in count.to_dict()} == count.to_dict()
    assert told["key"] == key.fingerprint
    assert isinstance(key.secret, bytes)
    assert key.secret.hex() not in json.dumps(told)


@pytest.mark.usefixtures("marked")
def test_standard_input_is_read_and_a_short_text_gets_no_verdict(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Not much.")))
    found = place.surefoot("detect", "watermark", "-", "--key", "key.json")
    assert found.out.startswith("too short to tell\n")
    assert "Absence can be said from" in found.out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    told = json.loads(place.surefoot("detect", "watermark", "-", "--key", "key.json", "--json").out)
    assert (told["verdict"], told["scored"], told["z"], told["p"]) == ("too short to tell", 0, None, 1.0)


def test_a_marked_part_is_found_with_its_characters(place: Place, marked: str) -> None:
    place.path.joinpath("mixed.txt").write_text(HUMAN + marked + HUMAN, encoding="utf-8")
    told = json.loads(place.surefoot("detect", "watermark", "mixed.txt", "--key", "key.json", "--window", "--json").out)
    start, end = told["span"]["characters"]
    assert told["span"]["watermarked"]
    assert abs(start - len(HUMAN)) < 40
    assert abs(end - len(HUMAN) - len(marked)) < 40
    said = place.surefoot("detect", "watermark", "mixed.txt", "--key", "key.json", "--window").out
    assert f"A part is watermarked: characters {start} to {end}" in said
    place.path.joinpath("human.txt").write_text(HUMAN, encoding="utf-8")
    assert (
        "No part is watermarked"
        in place.surefoot("detect", "watermark", "human.txt", "--key", "key.json", "--window").out
    )


@pytest.mark.usefixtures("marked")
def test_invalid_utf8_is_read_with_a_note_if_asked_for(place: Place) -> None:
    place.path.joinpath("bad.txt").write_bytes(b"a \xff b")
    found = place.surefoot("detect", "watermark", "bad.txt", "--key", "key.json", "--replace-invalid")
    assert found.code == 0
    assert "Note: 1 bytes were not UTF-8" in found.out


def refusals() -> list[tuple[tuple[str, ...], str]]:
    key = ("--key", "key.json")
    return [
        (("detect", "watermarks", "marked.txt", *key), '"watermarks" is nothing to detect. Did you mean "watermark"?'),
        (("detect", "watermark", "none.txt", *key), "There is no file none.txt"),
        (("detect", "watermark", ".", *key), ". cannot be read: Is a directory"),
        (("detect", "watermark", "marked.txt", "--key", "none.json"), "There is no key none.json; make one with"),
        (("detect", "watermark", "marked.txt", "--key", "marked.txt"), "marked.txt is not a key file"),
        (("detect", "watermark", "marked.txt", *key, "--tokenizer", "smollm2"), "The key belongs to another tokenizer"),
        (("detect", "watermark", "marked.txt", *key, "--repeats", "twice"), '"twice" is no way to count repeats'),
        (("detect", "watermark", "marked.txt", *key, "--level", "2"), "The level of the test is 2.0"),
        (("detect", "watermark", "marked.txt", *key, "--normalise", "nfd"), 'Did you mean "nfc"?'),
        (("detect", "watermark", "bad.txt", *key), "not valid UTF-8 at byte 2"),
        (("watermark-key", "key.json", "--model", "model"), "key.json is there already"),
        (("watermark-key", "new.json", "--model", "none"), '"none" has no tokenizer'),
        (("watermark-key", "new.json", "--model", "model", "--hash", "lefthash"), 'Did you mean "left"?'),
        (("watermark-key", "new.json", "--model", "model", "--delta", "0"), "delta is 0.0"),
        (("watermark-key", "no/new.json", "--model", "model"), "The key no/new.json cannot be written"),
    ]


@pytest.mark.usefixtures("marked")
def test_bad_input_is_one_sentence(place: Place) -> None:
    place.path.joinpath("bad.txt").write_bytes(b"a \xff b")
    for words, part in refusals():
        assert part in sentence_of(place.surefoot(*words)), words
    assert not place.path.joinpath("new.json").exists()


@pytest.mark.usefixtures("marked")
def test_detection_needs_no_torch(place: Place) -> None:
    line = ["detect", "watermark", "marked.txt", "--key", "key.json"]
    program = (
        f"import sys; sys.argv = ['surefoot', *{line!r}]\nfrom surefoot.cli import main; main()\n"
        "assert 'torch' not in sys.modules and 'transformers' not in sys.modules"
    )
    done: Any = subprocess.run(
        [sys.executable, "-c", program.replace("main()\n", "\ntry:\n    main()\nexcept SystemExit: pass\n")],
        cwd=place.path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("watermarked\n")
