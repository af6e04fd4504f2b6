"""A model with a trained part, and the folder in which it is kept.

The folder holds the part in PEFT's format (or all weights), and `surefoot.json`: which treatment made it, with which
settings, on which base model, what it was trained on, and a hash of its tensors. `surefoot.load(folder)` reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surefoot.errors import BadInput, NotAvailable
from surefoot.models.base import LanguageModel
from surefoot.models.local import LocalModel
from surefoot.training.adapters import read_adapter
from surefoot.training.adapters.base import Adapter
from surefoot.training.adapters.weights import Weights
from surefoot.treatments.wrapped import Wrapped

RECORD = "surefoot.json"


class Adapted(Wrapped):
    """A local model with a trained part.

    `record` is what `surefoot.json` says: the treatment's settings and its data. `record["trained_on"]` names the
    wordings and items, task by task, that gradients came from, so that a comparison can leave them out. `folder` is
    where the part is kept, None for one that is not.
    """

    def __init__(self, base: LanguageModel, adapter: Adapter, treatment: str, record: Mapping[str, Any]) -> None:
        super().__init__(base, treatment, None, inner=adapter.model)
        self.adapter = adapter
        self.record = dict(record)
        self.fingerprint = tensor_hash(adapter)
        self.folder: Path | None = None

    def told(self) -> Mapping[str, Any]:
        return {"tensors": self.fingerprint, "trained_on": self.record.get("trained_on", {})}

    def save(self, folder: str | Path) -> Path:
        """Write the part and its record; `surefoot.load` and, but for all weights, PEFT read them.

        Raises `NotAvailable` for a part that was trained on top of what no folder can tell (`kept_base`).
        """
        base = kept_base(self.base)
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.adapter.save(folder, base["spec"])
        about = {"treatment": self.treatment, "base": base, "tensors": self.fingerprint, **self.record}
        (folder / RECORD).write_text(json.dumps(about, ensure_ascii=False, indent=2) + "\n")
        self.folder = folder
        return folder


def kept_base(base: LanguageModel) -> dict[str, Any]:
    """What a folder says of the model below its part: the spec that loads it, and what tells it from others.

    That model is one as it was loaded, or one whose weights were all trained and are kept in a folder, which is its
    spec then. Raises `NotAvailable` for others.
    """
    if isinstance(base, LocalModel):
        spec, more = str(base.card.details.get("spec", base.card.name)), {}
    elif isinstance(base, Adapted) and isinstance(base.adapter, Weights) and base.folder is not None:
        spec, more = str(base.folder.resolve()), {"tensors": base.fingerprint}
    else:
        raise NotAvailable(
            f'A part that is trained on top of "{base.name}" cannot be kept in a folder; train it on the untreated '
            "model or on one whose weights were all trained and kept (mode FT with out=...), or leave out=... away "
            "and use it in this session."
        )
    about = {"spec": spec, "name": base.card.name, "revision": base.card.revision}
    return {**about, **reads_as(local_base(base, "soft-align")), **more}


def local_base(model: LanguageModel, treatment: str) -> LocalModel:
    """The model as one whose weights are here and can be trained; others are refused with what to do."""
    if isinstance(model, LocalModel):
        return model
    if isinstance(model, Adapted) and isinstance(model.inner, LocalModel):
        return model.inner
    if isinstance(model, Wrapped):
        raise NotAvailable(
            f'"{treatment}" trains a local model and "{model.name}" has a treatment that is no trained part; apply '
            f'"{treatment}" first and the other treatment on top of it.'
        )
    raise NotAvailable(
        f'"{treatment}" needs gradients, which "{model.name}" does not offer; load the model from local weights.'
    )


def restore(base: LanguageModel, folder: Path) -> Adapted:
    """The part of a folder put onto its base model.

    Raises `BadInput` where the folder is damaged, or was made on a model of another width or with other tokens; the
    sentence names both.
    """
    local = local_base(base, "adapter")
    record = read_record(folder)
    told, own = record.get("base", {}), {"name": base.name, **reads_as(local)}
    own["tensors"] = base.fingerprint if isinstance(base, Adapted) else None
    for key, what in (("width", "a width of"), ("tokens", "the tokenizer"), ("tensors", "trained weights of digest")):
        if key in told and told[key] != own[key]:
            raise BadInput(
                f'The part in "{folder}" was trained on "{told.get("name")}" ({what} {told[key]}); '
                f'"{own["name"]}" has {what} {own[key]}. Load the model that it belongs to.'
            )
    adapter = read_adapter(local, folder)
    adapter.settle()
    kept = {key: value for key, value in record.items() if key not in ("treatment", "base", "tensors")}
    made = Adapted(base, adapter, str(record.get("treatment", "adapter")), kept)
    made.folder = folder
    if "tensors" in record and record["tensors"] != made.fingerprint:
        raise BadInput(f'The tensors in "{folder}" are not those that {RECORD} tells of; the folder is damaged.')
    return made


def read_record(folder: Path) -> dict[str, Any]:
    """`surefoot.json`; empty for a folder that PEFT wrote."""
    if not (folder / RECORD).is_file():
        return {}
    try:
        read = json.loads((folder / RECORD).read_text())
    except ValueError as error:
        raise BadInput(f'"{folder}/{RECORD}" is no JSON ({error}).') from None
    if not isinstance(read, dict):
        raise BadInput(f'"{folder}/{RECORD}" is not an object of settings.')
    return read


def reads_as(model: LocalModel) -> dict[str, Any]:
    """What a trained part depends on: the width of the model, and the ids that its tokenizer gives."""
    vocabulary = sorted(model.encoder.tokenizer.get_vocab().items())
    tokens = hashlib.sha256(repr(vocabulary).encode()).hexdigest()[:16]
    return {"width": int(model.model.get_input_embeddings().embedding_dim), "tokens": tokens}


def tensor_hash(adapter: Adapter) -> str:
    """SHA-256 over the trained tensors in float32, by their shapes and order."""
    found = hashlib.sha256()
    for parameter in adapter.parameters.values():
        found.update(repr(tuple(parameter.shape)).encode())
        found.update(parameter.detach().float().cpu().numpy().tobytes())
    return found.hexdigest()[:16]
