"""Puts a trained part onto a model: a soft prompt, a prefix, LoRA or all weights, from this project or from PEFT."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.treatments.weights.adapted import restore


@dataclass(frozen=True)
class AdapterTreatment:
    """`path` is a folder with `adapter_config.json` and `adapter_model.safetensors`, or with all weights."""

    path: str

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The model with the part in its place."""
        folder = Path(self.path).expanduser()
        if not folder.is_dir():
            raise BadInput(f'There is no folder "{self.path}"; give one that holds a trained part.')
        return restore(model, folder)
