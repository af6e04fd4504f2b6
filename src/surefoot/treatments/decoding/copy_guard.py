"""A guard against copying: no text that the model writes holds a run of `least` or more words of protected works.

Before a token is picked, those that would complete such a run are ruled out (mode `block`), or the text ends where one
is complete and is cut back to before its last word (mode `stop`). Words are compared without case and punctuation. A
word is judged as it stands, so a token that writes `the` on its way to `theory` is ruled out where `the` would complete
a run. Needs `logits`. What the prompt says is not guarded, nor a paraphrase.

Source: this project; the decoding constraint of Ippolito et al. 2023 (INLG, arXiv:2210.17546), who call it MemFree and
show that it prevents verbatim copies and no others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput, nearest
from surefoot.memorisation.guard import RunIndex
from surefoot.memorisation.guard_tokens import TokenTable
from surefoot.memorisation.works import Work, read_works
from surefoot.models.base import Generation, LanguageModel
from surefoot.text.prompt import Prompt
from surefoot.text.words import words_of
from surefoot.treatments.decoding.decoded import Ruled

if TYPE_CHECKING:
    import torch

    from surefoot.decoding.branch import Rule
    from surefoot.decoding.rows import Row

Mode = Literal["block", "stop"]


@dataclass(frozen=True)
class CopyGuard:
    """`works`: a file of works (`surefoot.memorisation.works`), the bundled ones by default, or works. `least`: words
    in a row that may not be written. `unlicensed` reads works that state no licence."""

    works: str | tuple[Work, ...] = ""
    least: int = 10
    mode: Mode = "block"
    unlicensed: bool = False

    def __post_init__(self) -> None:
        if self.least < 1:
            raise BadInput(f"least is {self.least}; protect runs of at least 1 word.")
        if self.mode not in get_args(Mode):
            raise BadInput(f'"{self.mode}" is not a mode of the guard.{nearest(self.mode, get_args(Mode))}')

    @cached_property
    def protected(self) -> tuple[Work, ...]:
        """The works themselves."""
        if isinstance(self.works, str):
            return read_works(self.works or None, unlicensed=self.unlicensed)
        return self.works

    def apply(self, model: LanguageModel) -> LanguageModel:
        """The model that does not copy."""
        return GuardedModel(model, "copy-guard", self)


class GuardedModel(Ruled):
    """Scores and choices are those of the guarded distribution too: an answer that would complete a run has none."""

    settings: CopyGuard

    def __init__(self, base: LanguageModel, treatment: str, settings: CopyGuard) -> None:
        super().__init__(base, treatment, settings)
        self.index = RunIndex((work.text for work in settings.protected), settings.least)

    def told(self) -> Mapping[str, Any]:
        """A digest in the place of the works."""
        import hashlib

        texts = "\0".join(work.text for work in self.settings.protected)
        digest = hashlib.sha256(texts.encode()).hexdigest()[:16]
        return {"works": digest, "least": self.settings.least, "mode": self.settings.mode}

    def rule(self) -> Rule:
        return self._block if self.settings.mode == "block" else self._stop

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        return [self._cut(text) for text in super().generate(prompts, sampling, begun)]

    @cached_property
    def _tokens(self) -> TokenTable:
        return TokenTable(self.vocabulary.decode, self.vocabulary.size)

    def _block(self, rows: Sequence[Row], logits: torch.Tensor) -> torch.Tensor:
        changed = logits.clone()
        for place, row in enumerate(rows):
            out = sorted(self._tokens.completing(self.vocabulary.decode(row.written), self.index))
            changed[place, out] = -float("inf")
        return changed

    def _stop(self, rows: Sequence[Row], logits: torch.Tensor) -> torch.Tensor:
        changed = logits.clone()
        for place, row in enumerate(rows):
            if self.index.ends(words_of(self.vocabulary.decode(row.written))):
                changed[place] = -float("inf")
                changed[place, sorted(self.vocabulary.ends)] = 0.0
        return changed

    def _cut(self, text: Generation) -> Generation:
        """The text up to the token that completes a run, where one got through: in mode `stop`, and in mode `block`
        where a character was written byte by byte."""
        if not self.index.holds(text.text):
            return text
        end = len(text.token_ids)
        while end and self.index.holds(self.vocabulary.decode(text.token_ids[:end])):
            end -= 1
        names = ("token_ids", "logprobs", "sampled_logprobs", "plain_logprobs")
        lists = {name: getattr(text, name)[:end] for name in names}
        return replace(text, text=self.vocabulary.decode(text.token_ids[:end]), finish_reason="stop", **lists)
