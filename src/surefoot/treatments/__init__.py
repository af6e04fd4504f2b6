"""Treatments: each turns a model into a steadier model with the same interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from surefoot.catalogue import find

if TYPE_CHECKING:
    from surefoot.models.base import LanguageModel


def treat(
    name: str, model: LanguageModel | str, *, watch: Callable[[Any], None] | None = None, **settings: Any
) -> LanguageModel:
    """The model with a treatment of `surefoot list` applied. Treatments stack; `undo` gives the model below back.

    `settings` are the treatment's own (`docs/methods.md` lists them). `watch` is told of each step of a treatment that
    is trained.

    >>> steady = treat("system-prompt", "smollm2", text="Answer with the option only.")  # doctest: +SKIP
    >>> steady = treat("soft-align", "smollm2", task="demo", out="steady/")  # doctest: +SKIP
    """
    from surefoot.models.load import load
    from surefoot.settings import build

    treatment = build(find("treatment", name), settings)
    loaded = load(model) if isinstance(model, str) else model
    treated: LanguageModel = treatment.apply(loaded) if watch is None else treatment.apply(loaded, watch)
    return treated


def undo(model: LanguageModel) -> LanguageModel:
    """The model below the outermost treatment; a model without one is refused."""
    from surefoot.errors import BadInput
    from surefoot.treatments.wrapped import Wrapped

    if not isinstance(model, Wrapped):
        raise BadInput(f'"{model.name}" has no treatment to undo.')
    return model.base
