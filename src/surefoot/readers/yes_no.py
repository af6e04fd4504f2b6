"""A reader that says yes or no: a classifier over (context, question), asked as any language model is.

Formula: p(yes, no) = softmax(W2 tanh(W1 h)), with h the encoder's state of the first token of the pair.

    from surefoot.readers.yes_no import YesNoReader
    sf.probe("implicit-reasoning", YesNoReader.new(), task)   # a random head: chance

Source: Geva et al. 2021 (TACL, StrategyQA), section 5 (RoBERTa). It ranks the options yes and no and nothing else: of a
prompt it reads the context and the input, not the instruction, and it cannot write. Trained by
`surefoot.readers.training.train`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NoReturn

import torch
from torch.nn import functional

from surefoot.decoding.sampling import Sampling
from surefoot.errors import NotAvailable
from surefoot.models.base import (
    Choice,
    Generation,
    LanguageModel,
    ModelCard,
    Score,
    Scorer,
    TokenCount,
    best,
    check_scorer,
)
from surefoot.readers.heads import Headed, in_batches
from surefoot.readers.pairs import Pair, PairEncoder, load_encoder, pair_of
from surefoot.readers.rows import YesNoRow
from surefoot.text.prompt import Prompt

ANSWERS = ("yes", "no")  # in the order of the head's two outputs


class YesNoReader(LanguageModel):
    """An encoder with a two-way head as a language model that can `choose` between yes and no. Needs no gradients."""

    can = frozenset({"logprobs"})

    def __init__(self, module: Headed, name: str | None = None) -> None:
        self.module = module
        self.tokens = TokenCount()
        self._name = name or f"{module.pairs.name} yes/no"

    @classmethod
    def new(
        cls, encoder: PairEncoder | str | Path | None = None, *, seed: int = 0, name: str | None = None
    ) -> YesNoReader:
        """An encoder (a folder, MiniLM unless said) under a head of random weights."""
        pairs = encoder if isinstance(encoder, PairEncoder) else load_encoder(encoder)
        return cls(Headed(pairs, by_token=False, seed=seed), name)

    @cached_property
    def card(self) -> ModelCard:
        """What identifies it: a hash of all weights, and where contexts are cut."""
        pairs = self.module.pairs
        details = {"parameters": sum(p.numel() for p in self.module.parameters()), "encoder": pairs.name}
        return ModelCard(
            self._name,
            revision=self.module.digest(),
            dtype="float32",
            device=str(pairs.device),
            format="pair",
            format_digest="context, question",
            determinants={"max_tokens": pairs.max_tokens, "truncate": "context"},
            details=details,
        )

    def logprobs(self, pairs: Sequence[Pair]) -> list[tuple[tuple[float, float], int, bool]]:
        """For each pair log p(yes) and log p(no) in nats, how many tokens were read, and whether its context was cut.

        A pair's result does not depend on those beside it, up to rounding.
        """
        found: dict[int, tuple[tuple[float, float], int, bool]] = {}
        for places in in_batches(pairs):
            own = [pairs[place] for place in places]
            encoded = self.module.pairs.encoded(own)
            with torch.no_grad():
                logs = functional.log_softmax(self.module(encoded), dim=-1).tolist()
            lengths = encoded["attention_mask"].sum(-1).tolist()
            self.tokens.add(sum(lengths), sum(lengths))
            cut = self.module.pairs.was_cut(encoded, own)
            found |= {p: ((yes, no), n, c) for p, (yes, no), n, c in zip(places, logs, lengths, cut, strict=True)}
        return [found[place] for place in range(len(pairs))]

    def choose(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], scorer: Scorer = "sum"
    ) -> list[Choice]:
        """The likelier of yes and no. Raises `NotAvailable` for other options and for the scorer `paper`."""
        check_scorer(scorer)
        if scorer == "paper":
            raise NotAvailable(f'"{self.name}" gives an answer as a whole and no tokens of it; use the scorer sum.')
        places = [[self._place(option) for option in own] for own in options]
        read = self.logprobs([pair_of(prompt) for prompt in prompts])
        found = []
        for own, (logs, length, cut) in zip(places, read, strict=True):
            scores = tuple(logs[place] for place in own)
            found.append(Choice(best(scores), scores, length, cut))
        return found

    def score(self, requests: Sequence[tuple[Prompt | str, str]]) -> list[Score]:
        """The log-probability of yes or of no, as one token."""
        places = [self._place(text) for _, text in requests]
        read = self.logprobs([pair_of(prompt) for prompt, _ in requests])
        return [Score((place,), (logs[place],)) for place, (logs, _, _) in zip(places, read, strict=True)]

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> NoReturn:
        """Refused: a classifier writes nothing."""
        raise NotAvailable(
            f'"{self.name}" says yes or no and writes no text; rank options (answering="sum"), or give it a '
            "reader of spans: surefoot.readers.stepwise.StepwiseReader."
        )

    def show_tokens(self, prompt: Prompt | str) -> list[tuple[int, str]]:
        """Id and text of each token that is read."""
        pairs = self.module.pairs
        ids = pairs.encoded([pair_of(prompt)])["input_ids"][0].tolist()
        return list(zip(ids, pairs.tokenizer.convert_ids_to_tokens(ids), strict=True))

    def render(self, prompt: Prompt | str) -> str:
        """What is read: the pair with the marks around it."""
        return str(self.module.pairs.tokenizer.decode([id for id, _ in self.show_tokens(prompt)]))

    def correct(self, rows: Sequence[YesNoRow]) -> list[bool]:
        """Whether the reader is right, row by row; a tie is yes."""
        read = self.logprobs([row.pair for row in rows])
        return [(logs[0] >= logs[1]) == row.answer for (logs, _, _), row in zip(read, rows, strict=True)]

    def loss(self, rows: Sequence[YesNoRow]) -> torch.Tensor:
        """The mean over rows of -log p(answer | context, question), with gradients."""
        logits = self.module(self.module.pairs.encoded([row.pair for row in rows]))
        gold = torch.tensor([ANSWERS.index("yes" if row.answer else "no") for row in rows], device=logits.device)
        return functional.cross_entropy(logits, gold)

    def copy(self) -> YesNoReader:
        """Another reader with the same weights."""
        return YesNoReader(self.module.copy(), self._name)

    def _place(self, option: str) -> int:
        """Which output an option is."""
        told = option.strip().casefold()
        if told not in ANSWERS:
            raise NotAvailable(f'"{self.name}" says yes or no and cannot rank "{option}"; ask it a yes/no task.')
        return ANSWERS.index(told)
