"""Checkpoints of a training: trained parameters and AdamW's moments as safetensors, swapped in whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from surefoot.errors import BadInput

FOLDER = "checkpoint"
MOMENTS = ("exp_avg", "exp_avg_sq")


class Checkpoint(NamedTuple):
    """The state after `step` steps: tensors by name, what training it belongs to, and the losses of all steps."""

    step: int
    identity: str
    tensors: Mapping[str, torch.Tensor]
    log: tuple[Mapping[str, float], ...] = ()

    @classmethod
    def of(cls, step: int, identity: str, parameters: Mapping[str, nn.Parameter], optimizer: Any) -> Self:
        tensors = {f"parameter/{name}": parameter.detach() for name, parameter in parameters.items()}
        inner = getattr(optimizer, "optimizer", optimizer)
        for name, parameter in parameters.items():
            for moment in MOMENTS:
                tensors[f"{moment}/{name}"] = inner.state[parameter][moment]
        return cls(step, identity, tensors)

    def restore(self, parameters: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
        """Put parameters and moments back in place."""
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(self.tensors[f"parameter/{name}"])
                state = {moment: self.tensors[f"{moment}/{name}"].to(parameter.device) for moment in MOMENTS}
                optimizer.state[parameter] = {"step": torch.tensor(float(self.step)), **state}


def save(out: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint beside the last one, then swap them: a kill at any moment leaves one that is whole."""
    new, old, place = out / f"{FOLDER}.new", out / f"{FOLDER}.old", out / FOLDER
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    new.mkdir(parents=True)
    tensors = {name: tensor.contiguous().cpu() for name, tensor in checkpoint.tensors.items()}
    save_file(tensors, new / "state.safetensors")
    (new / "state.json").write_text(
        json.dumps({"step": checkpoint.step, "identity": checkpoint.identity, "log": checkpoint.log})
    )
    if place.exists():
        os.replace(place, old)
    os.replace(new, place)
    shutil.rmtree(old, ignore_errors=True)


def whole_log(out: Path) -> list[Mapping[str, float]] | None:
    """The losses of all steps up to the last checkpoint, without its tensors; None where there is none."""
    state = out / FOLDER / "state.json"
    return list(json.loads(state.read_text()).get("log", ())) if state.is_file() else None


def latest(out: Path) -> Checkpoint | None:
    """The last whole checkpoint, or None. One that was cut short is refused with its name."""
    for place in (out / FOLDER, out / f"{FOLDER}.old"):  # a kill between the two swaps leaves the old one
        if not (place / "state.json").is_file():
            continue
        try:
            state = json.loads((place / "state.json").read_text())
            tensors, log = load_file(place / "state.safetensors"), tuple(state.get("log", ()))
            return Checkpoint(int(state["step"]), str(state["identity"]), tensors, log)
        except (ValueError, KeyError, OSError, SafetensorError) as error:
            raise BadInput(f'The checkpoint "{place}" is damaged ({error}); delete it to begin again.') from None
    return None
