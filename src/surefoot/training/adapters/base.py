"""What every trainable part offers."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from surefoot.errors import BadInput
from surefoot.models.local import LocalModel


class Adapter(ABC):
    """A trainable part in its place: `model` reads with it, `parameters` are all that gradients reach.

    `autocast` asks for matrix products in bfloat16 while training, where parameters are kept in float32.
    """

    model: LocalModel
    parameters: Mapping[str, nn.Parameter]
    autocast: bool = False

    @abstractmethod
    def save(self, folder: Path, base: str) -> None:
        """Write the part into the folder; `base` is the spec of the model that it belongs to."""

    def settle(self) -> None:
        """Called after training: bring the model to the form in which it is used."""
        self.model.model.eval()

    @property
    def trainable(self) -> int:
        """Number of trained values."""
        return sum(parameter.numel() for parameter in self.parameters.values())


def freeze(model: Any) -> Any:
    """The model with all its parameters out of reach of gradients (they are shared with the base model's)."""
    return model.requires_grad_(False)


def virtual_ids(model: Any, count: int) -> tuple[int, ...]:
    """The first `count` ids beyond the vocabulary."""
    size = int(model.get_input_embeddings().num_embeddings)
    return tuple(range(size, size + count))


def adapter_config(folder: Path) -> dict[str, Any]:
    """PEFT's settings of a saved part."""
    try:
        read = json.loads((folder / "adapter_config.json").read_text())
    except ValueError as error:
        raise BadInput(f'"{folder}/adapter_config.json" is no JSON ({error}).') from None
    if not isinstance(read, dict):
        raise BadInput(f'"{folder}/adapter_config.json" is not an object of settings.')
    return read


def read_tensor(folder: Path, name: str) -> torch.Tensor:
    """One tensor of a saved part, float32."""
    from safetensors.torch import load_file

    try:
        tensors = load_file(folder / "adapter_model.safetensors")
    except (OSError, SafetensorError) as error:
        raise BadInput(f'"{folder}/adapter_model.safetensors" cannot be read ({error}).') from None
    if name not in tensors:
        raise BadInput(f'"{folder}/adapter_model.safetensors" has no tensor "{name}"; it holds {sorted(tensors)[:3]}.')
    return tensors[name].float()


def refuse_other_shape(base: LocalModel, folder: Path, what: str, found: int, wanted: int) -> None:
    """Refuse a part that was trained on a model of another shape, naming both."""
    if found != wanted:
        owner = adapter_config(folder).get("base_model_name_or_path") or "another model"
        raise BadInput(
            f'The part in "{folder}" was trained on "{owner}" ({what} {found}); "{base.name}" has {what} {wanted}.'
        )


def write_virtual(folder: Path, config: Any, embeddings: torch.Tensor) -> None:
    """PEFT's two files for virtual tokens."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(str(folder))
    save_file({"prompt_embeddings": embeddings.contiguous()}, folder / "adapter_model.safetensors")
