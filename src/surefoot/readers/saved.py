"""Readers on disk: the encoder and its tokenizer as transformers keeps them, the head beside them, as safetensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput

if TYPE_CHECKING:
    from surefoot.models.base import LanguageModel
    from surefoot.readers.spans import SpanReader
    from surefoot.readers.stepwise import StepwiseReader
    from surefoot.readers.yes_no import YesNoReader

SETTINGS, HEAD = "reader.json", "head.safetensors"


def save_reader(reader: YesNoReader | SpanReader | StepwiseReader, folder: str | Path) -> None:
    """Writes what `load_reader` reads back to a reader with the same outputs; a stepwise one as two folders in one."""
    from safetensors.torch import save_file

    from surefoot.models.weights import quiet
    from surefoot.readers.spans import SpanReader
    from surefoot.readers.stepwise import StepwiseReader

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    if isinstance(reader, StepwiseReader):
        save_reader(reader.last, place / "last")
        save_reader(reader.steps, place / "steps")
        told: dict[str, Any] = {"reader": "stepwise", "name": reader.name}
    else:
        pairs = reader.module.pairs
        told = {"max_tokens": pairs.max_tokens, "encoder": pairs.name}
        if isinstance(reader, SpanReader):
            told |= {"reader": "spans", "longest": reader.longest}
        else:
            told |= {"reader": "yes-no", "name": reader.name}
        with quiet():
            pairs.weights.save_pretrained(place)
            pairs.tokenizer.save_pretrained(place)
        head = {name: tensor.contiguous().cpu() for name, tensor in reader.module.head.state_dict().items()}
        save_file(head, place / HEAD)
    (place / SETTINGS).write_text(json.dumps(told, indent=1), encoding="utf-8")


def load_reader(folder: str | Path, *, device: str = "cpu") -> YesNoReader | SpanReader | StepwiseReader:
    """The reader of a folder. Raises `BadInput` for a folder that `save_reader` did not write or that is not whole."""
    from dataclasses import replace

    from safetensors.torch import load_file

    from surefoot.models.weights import check_safetensors
    from surefoot.readers.heads import Headed
    from surefoot.readers.pairs import load_encoder
    from surefoot.readers.spans import SpanReader
    from surefoot.readers.stepwise import StepwiseReader
    from surefoot.readers.yes_no import YesNoReader

    place = Path(folder)
    told = _settings(place)
    if told["reader"] == "stepwise":
        last, steps = (load_reader(place / part, device=device) for part in ("last", "steps"))
        assert isinstance(last, YesNoReader)
        assert isinstance(steps, SpanReader)
        return StepwiseReader(last, steps, told["name"])
    by_token = told["reader"] == "spans"
    pairs = replace(load_encoder(place, max_tokens=told["max_tokens"], device=device), name=told["encoder"])
    module = Headed(pairs, by_token=by_token)
    check_safetensors(place / HEAD)
    module.head.load_state_dict(load_file(place / HEAD, device=device))
    return SpanReader(module, told["longest"]) if by_token else YesNoReader(module, told["name"])


def load_model(folder: str | Path, *, device: str = "cpu") -> LanguageModel:
    """As `load_reader`, where a model is wanted. Raises `BadInput` for a reader of spans alone, which is none."""
    from surefoot.models.base import LanguageModel

    reader = load_reader(folder, device=device)
    if not isinstance(reader, LanguageModel):
        raise BadInput(
            f"The folder {folder} holds a reader of spans, which says no yes or no; join it in a StepwiseReader."
        )
    return reader


def _settings(place: Path) -> dict[str, Any]:
    if not (place / SETTINGS).is_file():
        raise BadInput(f"The folder {place} holds no {SETTINGS}; name a folder that save_reader made.")
    try:
        told: dict[str, Any] = json.loads((place / SETTINGS).read_text(encoding="utf-8"))
        told["reader"]
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{place / SETTINGS} does not say what reader it is; save the reader anew.") from None
    return told
