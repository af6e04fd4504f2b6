"""A fixed text behind every word or token that the model writes: the emoji attack on watermarks, at full strength.

A user asks a marked model for an emoji after each word and takes the emojis out again. Then every token behind an emoji
was picked by the emoji's green list and is judged by that of the word before. A strong model does what it is asked.
Here the text is forced, so that the attack can be measured on any model. Formula: `surefoot.decoding.interleaving`; the
edit `surefoot.watermark.attacks.Strip` takes the text out. Needs `logits`.

Source: the emoji attack of Goodside in Kirchenbauer et al. 2023 (arXiv:2301.10226), section 7; the forcing is this
project's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

from surefoot.errors import BadInput, NotAvailable, nearest
from surefoot.models.base import LanguageModel
from surefoot.treatments.decoding.decoded import Ruled
from surefoot.treatments.wrapped import Wrapped

if TYPE_CHECKING:
    from surefoot.decoding.branch import Rule
    from surefoot.decoding.interleaving import Units
    from surefoot.text.prompt import Prompt

Unit = Literal["word", "token"]


@dataclass(frozen=True)
class Interleave:
    """`text` goes behind every `every`th `unit`: words are what stands between white space.

    A small model is thrown off by its own emojis. `hidden` simulates one that is not: the model neither reads nor
    writes the text, and the treatment below, a watermark, decides as if it stood there. What is written is what a user
    has who took the text out.
    """

    text: str = "✨"
    unit: Unit = "word"
    every: int = 1
    hidden: bool = False

    def __post_init__(self) -> None:
        if not self.text or self.text != self.text.strip():
            raise BadInput(f"The text to write is {self.text!r}; give one that neither begins nor ends with a space.")
        if self.unit not in get_args(Unit):
            raise BadInput(f'"{self.unit}" is not a unit of interleave.{nearest(self.unit, get_args(Unit))}')
        if self.every < 1:
            raise BadInput(f"every is {self.every}; write the text behind every 1 or more units.")

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The model that writes the text between its words."""
        return (HiddenModel if self.hidden else InterleavedModel)(model, self)


class InterleavedModel(Ruled):
    """Scores and choices are those of the changed distribution: an answer of several words without the text has
    nearly none.
    """

    settings: Interleave

    def __init__(self, base: LanguageModel, settings: Interleave) -> None:
        _refuse_twice(base)
        super().__init__(base, "interleave", settings)
        words = base.vocabulary
        self.ids = [token for token in words.labels([settings.text])[0] if token not in words.ends]
        if words.decode(self.ids).strip() != settings.text:
            raise BadInput(f'"{base.name}" has no tokens for {settings.text!r}; give a text that it can write.')

    def rule(self) -> Rule:
        from surefoot.decoding.interleaving import Interleaving

        return Interleaving(self.units())

    def units(self) -> Units:
        """Where the text stands."""
        import torch

        from surefoot.decoding.interleaving import Units

        return Units(self.ids, torch.tensor(self._begins), self._units, self.settings.every)

    @cached_property
    def _begins(self) -> list[bool]:
        """Which tokens begin a unit."""
        from surefoot.decoding.pieces import pieces_of

        words = self.vocabulary
        if self.settings.unit == "word":
            return [piece[:1].isspace() for piece in pieces_of(words.decode, words.size)]
        return [token != self.ids[0] and token not in words.ends for token in range(words.size)]

    def _units(self, ids: Sequence[int]) -> int:
        """Complete units; a character of which a part is written is none."""
        text = self.vocabulary.decode(ids)
        if self.settings.unit == "word":
            return 0 if text[-1:].isspace() else len(text.split())
        return 0 if text.endswith("\N{REPLACEMENT CHARACTER}") else len(ids)


class HiddenModel(InterleavedModel):
    """Rules as if the text stood there, over the model below the treatment that it judges by."""

    def __init__(self, base: LanguageModel, settings: Interleave) -> None:
        if not isinstance(base, Ruled):
            raise NotAvailable(
                f'Under "{base.name}" no rule decides about tokens by what stands before; with hidden=true apply '
                "interleave to a watermark."
            )
        super().__init__(base, settings)
        self.judge, self.inner = base, base.inner

    def rule(self) -> Rule:
        from surefoot.decoding.interleaving import Unseen

        return Unseen(self.units(), self.judge.rule())

    def change(self, prompt: Prompt) -> Prompt:
        return self.judge.change(prompt)


def _refuse_twice(model: LanguageModel) -> None:
    below: LanguageModel | None = model
    while isinstance(below, Wrapped):
        if isinstance(below, InterleavedModel):
            raise NotAvailable("interleave does not lie on interleave; write both texts as one.")
        below = below.base
