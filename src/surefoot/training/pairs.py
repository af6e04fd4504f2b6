"""Tunes a model on pairs of a prompt and its answer, by the cross-entropy on the answer's tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.text.prompt import Prompt

if TYPE_CHECKING:
    from surefoot.training.adapters import AdapterSettings
    from surefoot.training.fit import FitSettings, FitStep


def tune_on_pairs(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    answers: Sequence[str],
    *,
    part: AdapterSettings | None = None,
    descent: FitSettings | None = None,
    out: Path | None = None,
    watch: Callable[[FitStep], None] | None = None,
) -> LanguageModel:
    """The model with a part (LoRA unless said) that was trained to write these answers, each closed by the end token.

    Loss: the mean over an answer's tokens of -log p(token | prompt, tokens before it). `descent` is 300 steps of 16
    pairs unless said. `model` itself stays as it is. With `out` the training goes on where it was stopped. Raises
    `BadInput` for a model whose weights are not here, and for prompts and answers that do not pair.
    """
    from surefoot.models.local import LocalModel
    from surefoot.training.adapters import RATES, AdapterSettings, new_adapter
    from surefoot.training.fit import FitSettings, fit
    from surefoot.training.groups import Group, Variant
    from surefoot.training.losses import Alignment
    from surefoot.training.objective import AlignmentObjective

    if not isinstance(model, LocalModel):
        raise BadInput(f'"{model.name}" has no weights here to train; give a local model.')
    if not prompts or len(prompts) != len(answers):
        raise BadInput(f"{len(prompts)} prompts have {len(answers)} answers; give at least one pair, and all in pairs.")
    part, descent = part or AdapterSettings("lora"), descent or FitSettings(steps=300, batch=16)
    descent = replace(descent, learning_rate=descent.learning_rate or RATES[part.kind])
    adapter = new_adapter(model, part, descent.seed)
    end = (min(adapter.model.ends),) if adapter.model.ends else ()
    pairs = adapter.model.pairs(list(prompts), list(answers))
    groups = [Group((Variant(tuple(prompt), (*answer, *end)),)) for prompt, answer in pairs]
    fit(AlignmentObjective(adapter, model, groups, Alignment(weight=0.0)), descent, out=out, watch=watch)
    adapter.settle()
    return adapter.model
