"""Where a local model's files are, its tokenizer, and what is said of files that cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from surefoot.errors import BadInput, NotAvailable, SurefootError


class Place(NamedTuple):
    """Where the weights are (a folder or a hub name), a revision, the name that reports show, and the lasting spec."""

    source: str
    revision: str | None
    name: str
    spec: str


def resolve(spec: str, weights: bool = True) -> Place:
    """The place that a model's spec names; with `weights`, a folder's files are checked.

    Raises `BadInput` for a spec that names no model, `NotAvailable` for a package that is not at hand.
    """
    from surefoot.models import weights as files

    if spec == "smollm2":
        return Place(str(files.unpacked(files.smollm2_gguf())), None, "SmolLM2-135M-Instruct", spec)
    if spec.startswith("hf:"):
        name, _, revision = spec.removeprefix("hf:").partition("@")
        return Place(name, revision or None, name, spec)
    path = Path(spec).expanduser()
    if path.suffix == ".gguf":
        if not path.is_file():
            raise BadInput(f"There is no file {path}; give the path of a GGUF file.")
        return Place(str(files.unpacked(path)), None, path.stem, str(path.resolve()))
    if path.is_dir():
        if weights:
            files.check_folder(path)
        return Place(str(path), None, path.resolve().name, str(path.resolve()))
    raise BadInput(
        f'"{spec}" is not a model: there is no such folder or file; use smollm2, a folder, a .gguf file or hf:org/name.'
    )


def load_tokenizer(spec: str) -> Any:
    """The tokenizer of what `surefoot.load` takes, without the weights."""
    from transformers import AutoTokenizer

    from surefoot.models.weights import quiet

    found = resolve(spec, weights=False)
    with quiet():
        try:
            return AutoTokenizer.from_pretrained(
                found.source, **({"revision": found.revision} if found.revision else {})
            )
        except Exception as error:  # the libraries raise whatever a damaged file leads them to
            raise unreadable(found.name, found.source, error) from error


def unreadable(name: str, source: str, error: Exception) -> Exception:
    """What a library raised when it read a model, as a sentence with the fix."""
    if isinstance(error, SurefootError):
        return error
    first = (str(error).strip().splitlines() or [""])[0]
    if "trust_remote_code" in str(error):
        return BadInput(f'"{name}" brings its own code, which is not run; if you trust it, set trust_remote_code.')
    if Path(source).is_dir():
        return BadInput(f"The model in {source} cannot be read: {first}")
    return NotAvailable(
        f'"{name}" could not be fetched from the hub or its cache ({first}); name a local folder instead.'
    )
