"""A watermark in what the model writes: green tokens, which a key decides about, are made more probable.

    p^(k) ~ p(k) e^(delta [k is green behind its context])

The text can be recognised by who has the key, without the model (`surefoot detect watermark`). Needs `logits`.
Source: Kirchenbauer et al. 2023 (ICML), arXiv:2301.10226.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from surefoot.errors import BadInput
from surefoot.models.base import LanguageModel
from surefoot.treatments.decoding.decoded import Ruled
from surefoot.watermark.key import Key, read_key
from surefoot.watermark.scheme import check_delta
from surefoot.watermark.tokens import tokens_of

if TYPE_CHECKING:
    from surefoot.decoding.branch import Rule


@dataclass(frozen=True)
class Watermark:
    """`key` is a key file (`surefoot watermark-key` makes one) or a `Key`; `delta` replaces the key's, inf is hard."""

    key: str | Key
    delta: float | None = None

    def __post_init__(self) -> None:
        if self.delta is not None:
            check_delta(self.delta)

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The model that marks what it writes."""
        return WatermarkedModel(model, self)


class WatermarkedModel(Ruled):
    """Scores and choices are those of the marked distribution too."""

    settings: Watermark

    def __init__(self, base: LanguageModel, settings: Watermark) -> None:
        super().__init__(base, "watermark", settings)
        self.key = settings.key if isinstance(settings.key, Key) else read_key(settings.key)
        self.delta = self.key.delta if settings.delta is None else settings.delta
        self.keys: tuple[Key, ...] | None = None
        self._check(self.key)
        self._lists = self.key.lists()

    def at(self, keys: Sequence[Key]) -> WatermarkedModel:
        """The same model with a key of its own for each prompt of a request."""
        for key in keys:
            self._check(key)
        twin = copy.copy(self)
        twin.keys = tuple(keys)
        return twin

    def rule(self) -> Rule:
        from surefoot.watermark.bias import Bias

        if self.keys is None:
            return Bias(self._lists, self.delta)
        lists = {key: key.lists() for key in dict.fromkeys(self.keys)}
        own = [lists[key] for key in self.keys]
        return Bias(own.__getitem__, self.delta)

    def told(self) -> Mapping[str, Any]:
        """The key's fingerprint in its place, so that no record holds a secret."""
        keys = [key.fingerprint for key in self.keys or (self.key,)]
        delta = "inf" if math.isinf(self.delta) else self.delta
        return {"keys": keys, "scheme": asdict(self.key.scheme), "delta": delta}

    def _check(self, key: Key) -> None:
        vocabulary = self.base.vocabulary
        if key.scheme.vocabulary != vocabulary.size:
            raise BadInput(
                f'The key is for {key.scheme.vocabulary} logits and "{self.base.name}" has {vocabulary.size}; '
                "make a key for this model."
            )
        if key.tokenizer:
            key.check(tokens_of(vocabulary.tokenizer))
