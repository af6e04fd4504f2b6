"""The models that a server has: one set of weights, the treatments that are always on, and those that are offered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.errors import BadInput, nearest
from surefoot.models.base import LanguageModel

Applied = Callable[[LanguageModel], LanguageModel]


@dataclass(frozen=True)
class Offer:
    """A treatment that a client may choose: the name it goes by, and how it is applied."""

    name: str
    apply: Applied


class Catalogue:
    """Models by name: `smollm2`, `smollm2+cad`, ... Treated ones are made when they are first asked for, and kept.

    Each is there twice, over the same weights: with the chat template, and plain for texts that are gone on with.
    """

    def __init__(self, name: str, chat: Any, plain: Any, always: Sequence[Applied], offers: Sequence[Offer]) -> None:
        twice = {offer.name for offer in offers if sum(other.name == offer.name for other in offers) > 1}
        if twice:
            raise BadInput(f'The treatment "{min(twice)}" is offered twice; give one of them.')
        self.name = name
        self.offers = {offer.name: offer for offer in offers}
        self._always = tuple(always)
        self._below = {"chat": chat, "plain": plain}
        self._made: dict[tuple[str, tuple[str, ...]], LanguageModel] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """What `/v1/models` lists: the model, and with each offer."""
        return [self.name, *(f"{self.name}+{offer}" for offer in self.offers)]

    def find(self, name: str, treatments: Sequence[str] | None, kind: str) -> LanguageModel:
        """The model of a request. `treatments` overrides what the name says; order is the operator's."""
        base, *wanted = name.split("+") if name != self.name else [name]
        if base != self.name:
            raise BadInput(f'There is no model "{name[:80]}" here.{nearest(name, self.names())}')
        chosen = wanted if treatments is None else list(treatments)
        for offer in chosen:
            if offer not in self.offers:
                told = nearest(offer, self.offers) or " None is."
                raise BadInput(f'The treatment "{offer[:80]}" is not offered here.{told}')
        return self._model(kind, tuple(offer for offer in self.offers if offer in chosen))

    def all(self) -> list[LanguageModel]:
        """The default models, made now, so that a treatment that cannot be applied is seen at the start."""
        made = [self._model(kind, ()) for kind in self._below]
        return made + [self._model(kind, (offer,)) for kind in self._below for offer in self.offers]

    def _model(self, kind: str, offers: tuple[str, ...]) -> LanguageModel:
        with self._lock:
            if (kind, offers) not in self._made:
                model = self._below[kind]
                for apply in (*(self.offers[offer].apply for offer in offers), *self._always):
                    model = apply(model)
                self._made[kind, offers] = model
            return self._made[kind, offers]
