"""Trainable parts: what may move while the model is frozen. One file a kind, one table, PEFT's formats on disk."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from surefoot.errors import BadInput, nearest
from surefoot.models.local import LocalModel
from surefoot.training.adapters.base import Adapter, adapter_config

KINDS = {
    "prompt": "surefoot.training.adapters.prompt:PromptAdapter",
    "prefix": "surefoot.training.adapters.prefix:PrefixAdapter",
    "lora": "surefoot.training.adapters.lora:LoraAdapter",
    "weights": "surefoot.training.adapters.weights:Weights",
}
RATES = {"prompt": 1e-2, "prefix": 1e-2, "lora": 2e-4, "weights": 2e-5}
"""Learning rates that suit each kind with AdamW, where none is given."""
PEFT_TYPES = {"PROMPT_TUNING": "prompt", "PREFIX_TUNING": "prefix", "LORA": "lora"}


@dataclass(frozen=True)
class AdapterSettings:
    """`kind`: a soft `prompt` at the input, a `prefix` of keys and values in every layer, `lora`, or all `weights`.

    `tokens` is the number of virtual tokens (prompt, prefix; 0 changes nothing), `initial` where they begin: embeddings
    of `vocabulary` words, the `mean` embedding, or `random` at the embeddings' scale. `rank` is LoRA's.
    """

    kind: Literal["prompt", "prefix", "lora", "weights"] = "prompt"
    tokens: int = 10
    initial: Literal["vocabulary", "mean", "random"] = "vocabulary"
    rank: int = 8

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadInput(f'"{self.kind}" is not a trainable part.{nearest(self.kind, KINDS)}')
        if self.initial not in ("vocabulary", "mean", "random"):
            raise BadInput(f'"{self.initial}" is not a beginning for virtual tokens; use vocabulary, mean or random.')
        if self.tokens < 0 or self.rank < 1:
            raise BadInput(f"tokens is {self.tokens} and rank {self.rank}; give at least 0 and 1.")


def new_adapter(base: LocalModel, settings: AdapterSettings, seed: int = 0) -> Adapter:
    """A trainable part at its beginning. The base model's own weights and modules stay as they are."""
    made: Adapter = _kind(settings.kind).new(base, settings, seed)
    return made


def read_adapter(base: LocalModel, folder: Path) -> Adapter:
    """A trained part from a folder in PEFT's format, or from one with all weights.

    Raises `BadInput` for a folder that holds neither, pickled weights, or a part of a model of another shape.
    """
    if not (folder / "adapter_config.json").is_file():
        if (folder / "model.safetensors").is_file():
            return _kind("weights").read(base, folder)  # type: ignore[no-any-return]
        raise BadInput(f'"{folder}" holds no adapter_config.json and no model.safetensors; give a trained folder.')
    name = str(adapter_config(folder).get("peft_type"))
    if name not in PEFT_TYPES:
        raise BadInput(f'"{folder}" is an adapter of the type {name}; {", ".join(PEFT_TYPES)} can be read.')
    if not (folder / "adapter_model.safetensors").is_file():
        raise BadInput(f'"{folder}" has no adapter_model.safetensors; pickled weights are not read, convert them.')
    return _kind(PEFT_TYPES[name]).read(base, folder)  # type: ignore[no-any-return]


def _kind(name: str) -> Any:
    module, _, attribute = KINDS[name].partition(":")
    return getattr(import_module(module), attribute)
