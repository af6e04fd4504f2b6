"""What decoder-only and encoder-decoder models of the transformers library have in common."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch

from surefoot.decoding.branch import Branch, Continuation
from surefoot.decoding.forced import Forced
from surefoot.decoding.rows import Vocabulary
from surefoot.decoding.sampling import Sampling
from surefoot.errors import BadInput
from surefoot.models.base import (
    Choice,
    Generation,
    LanguageModel,
    ModelCard,
    Score,
    Scorer,
    TokenCount,
    check_scorer,
    ranked,
)
from surefoot.models.paper_scorer import step_product
from surefoot.models.writing import generate
from surefoot.text.formats import PromptEncoder
from surefoot.text.prompt import Prompt

Truncate = Literal["error", "left"]
WRITING = 8  # times the token budget of scoring: each step computes one token a row, and wide steps cost little more
PAPER_MAX_TOKENS = 512  # Sun et al. (2024): right truncation of the prompt


class LocalModel(LanguageModel):
    """A local model. `truncate` says what becomes of a prompt that does not fit: an error, or cut from the left.

    The methods here turn text into token ids and back; subclasses compute on ids.
    """

    can = frozenset({"logprobs", "logits", "hidden_states", "gradients", "generate"})

    def __init__(
        self,
        model: Any,
        encoder: PromptEncoder,
        card: ModelCard,
        *,
        truncate: Truncate = "error",
        batch_tokens: int = 0,
    ) -> None:
        self.model = model.eval()
        self.encoder = encoder
        self._card = card
        self.truncate = truncate
        self.batch_tokens = batch_tokens or (16384 if model.device.type == "cuda" else 2048)
        self.tokens = TokenCount()

    @property
    def card(self) -> ModelCard:
        return self._card

    @property
    def context(self) -> int | None:
        """Longest input in tokens; None where positions are relative and unbounded."""
        return getattr(self.model.config, "max_position_embeddings", None)

    def adapted(self, model: Any, virtual: Sequence[int] = ()) -> Self:
        """The same reader over another module; `virtual` ids stand in front of every prompt."""
        twin = copy.copy(self)
        twin.model, twin.tokens = model.eval(), TokenCount()
        twin.__dict__.pop("vocabulary", None)
        twin.encoder = replace(self.encoder, virtual=(*virtual, *self.encoder.virtual))
        return twin

    def render(self, prompt: Prompt | str) -> str:
        return self.encoder.format.render(Prompt.of(prompt))

    def encode(self, prompts: Sequence[Prompt | str]) -> list[list[int]]:
        return self.encoder.prompts([Prompt.of(prompt) for prompt in prompts])

    def show_tokens(self, prompt: Prompt | str) -> list[tuple[int, str]]:
        ids, own = self.encode([prompt])[0], len(self.encoder.virtual)
        virtual = [(token, f"[virtual {k}]") for k, token in enumerate(ids[:own], start=1)]
        return virtual + [(token, str(self.encoder.tokenizer.decode([token]))) for token in ids[own:]]

    def score(self, requests: Sequence[tuple[Prompt | str, str]]) -> list[Score]:
        prompts = [Prompt.of(prompt) for prompt, _ in requests]
        ids, forks, _ = self._forks(prompts, [[text] for _, text in requests])
        return [
            Score(tuple(fork[0]), tuple(logprobs[0]))
            for fork, logprobs in zip(forks, self._logprobs(ids, forks), strict=True)
        ]

    def choose(
        self, prompts: Sequence[Prompt | str], options: Sequence[Sequence[str]], scorer: Scorer = "sum"
    ) -> list[Choice]:
        check_scorer(scorer)
        if scorer == "paper":
            return self._choose_as_the_paper([Prompt.of(p) for p in prompts], options)
        ids, forks, cut = self._forks([Prompt.of(p) for p in prompts], options)
        if scorer == "end":
            end = min(self.ends)
            forks = [[[*fork, end] for fork in choices] for choices in forks]
        weighed = zip(ids, self._logprobs(ids, forks), cut, strict=True)
        return [ranked(logprobs, scorer, len(prompt), truncated) for prompt, logprobs, truncated in weighed]

    def generate(
        self,
        prompts: Sequence[Prompt | str],
        sampling: Sampling | Sequence[Sampling] | None = None,
        begun: Sequence[Generation] | None = None,
    ) -> list[Generation]:
        return generate(self, prompts, sampling, begun)

    def continuing(self, prompts: Sequence[Prompt | str], room: Sequence[int]) -> Continuation:
        ids, cut = self._fit(self.encode(prompts), room)
        return self._continuation(ids, cut)

    def forced(self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[Sequence[int]]]) -> list[Forced]:
        forks = [[list(answer) for answer in choices] for choices in answers]
        ids, cut = self._fit(self.encode(prompts), [max(map(len, choices), default=0) for choices in forks])
        logits = self._forced_logits(ids, forks)
        return [Forced(self._real(p), c, own) for p, c, own in zip(ids, cut, logits, strict=True)]

    def answer_ids(self, prompts: Sequence[Prompt | str], answers: Sequence[Sequence[str]]) -> list[list[list[int]]]:
        whole = [Prompt.of(prompt) for prompt in prompts]
        return self.encoder.continuations(whole, self.encoder.prompts(whole), answers)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        size = int(self.model.get_output_embeddings().weight.shape[0])
        return Vocabulary(size, self.ends, self._decode, self._paper_labels, self.encoder.tokenizer)

    @property
    def ends(self) -> frozenset[int]:
        """Ids of the tokens that end an answer."""
        sources = (self.model.generation_config.eos_token_id, self.encoder.tokenizer.eos_token_id)
        return frozenset(i for s in sources if s is not None for i in (s if isinstance(s, list) else [s]))

    @abstractmethod
    def _logprobs(self, ids: list[list[int]], forks: list[list[list[int]]]) -> list[list[list[float]]]:
        """log p of every token of every fork behind its prompt."""

    @abstractmethod
    def _forced_logits(self, ids: list[list[int]], forks: list[list[list[int]]]) -> list[list[torch.Tensor]]:
        """Logits of every token of every fork behind its prompt, shape (fork tokens, vocabulary) each."""

    @abstractmethod
    def _branch(self, ids: Sequence[Sequence[int]], begun: Sequence[Sequence[int]]) -> Branch:
        """The prompts, ready to be continued behind what was begun."""

    aligned: ClassVar[bool] = False
    """Whether the rows of a branch must have equally many tokens begun."""

    def _continuation(self, ids: list[list[int]], cut: Sequence[bool]) -> Continuation:
        return Continuation(
            prompts=[self._real(prompt) for prompt in ids],
            lengths=[len(prompt) for prompt in ids],
            truncated=cut,
            open=lambda rows, begun: self._branch([ids[row] for row in rows], begun),
            batch_tokens=WRITING * self.batch_tokens,
            aligned=self.aligned,
        )

    def _real(self, ids: Sequence[int]) -> Sequence[int]:
        """The ids without those of trained tokens, of which only the model knows."""
        return ids[len(self.encoder.virtual) :]

    def pairs(self, prompts: Sequence[Prompt | str], answers: Sequence[str]) -> list[tuple[list[int], list[int]]]:
        """Ids of each prompt and of the answer behind it, as `score` would read them."""
        ids, forks, _ = self._forks([Prompt.of(prompt) for prompt in prompts], [[answer] for answer in answers])
        return [(prompt, fork[0]) for prompt, fork in zip(ids, forks, strict=True)]

    def _forks(
        self, prompts: Sequence[Prompt], options: Sequence[Sequence[str]]
    ) -> tuple[list[list[int]], list[list[list[int]]], list[bool]]:
        """Prompt ids, option ids and whether the prompt was cut."""
        ids = self.encoder.prompts(prompts)
        forks = self.encoder.continuations(prompts, ids, options)
        longest = [max((len(fork) for fork in choices), default=0) for choices in forks]
        fitted, cut = self._fit(ids, longest)
        return fitted, forks, cut

    def _fit(self, ids: list[list[int]], room: int | Sequence[int]) -> tuple[list[list[int]], list[bool]]:
        """The prompts within the context, leaving `room` tokens behind each; cut on the left or refused."""
        if self.context is None:
            return ids, [False] * len(ids)
        rooms = [room] * len(ids) if isinstance(room, int) else room
        limits = [self.context - r for r in rooms]
        cut = [len(prompt) > limit for prompt, limit in zip(ids, limits, strict=True)]
        if any(cut) and self.truncate == "error":
            longest = max(len(prompt) for prompt in ids)
            raise BadInput(
                f"{sum(cut)} of {len(ids)} prompts do not fit into the {self.context} tokens of "
                f'"{self.name}" (the longest has {longest}); shorten the items or cut them with --truncate left.'
            )
        return [self._cut_left(p, n) if c else p for p, n, c in zip(ids, limits, cut, strict=True)], cut

    def _cut_left(self, ids: list[int], limit: int) -> list[int]:
        head = len(self.encoder.virtual)
        head += ids[head : head + 1] == [self.encoder.tokenizer.bos_token_id]
        if limit < head + 1:
            raise BadInput(f'The answer alone fills the {self.context} tokens of "{self.name}"; shorten the options.')
        return ids[:head] + ids[len(ids) - limit + head :]

    def _decode(self, ids: Sequence[int]) -> str:
        return str(self.encoder.tokenizer.decode(list(ids), skip_special_tokens=True))

    @property
    def pad(self) -> int:
        pad = self.encoder.tokenizer.pad_token_id
        return pad if pad is not None else 0

    def _choose_as_the_paper(self, prompts: list[Prompt], options: Sequence[Sequence[str]]) -> list[Choice]:
        whole = self.encoder.prompts(prompts)
        cut = [len(ids) > PAPER_MAX_TOKENS for ids in whole]
        continuation = self._continuation([ids[:PAPER_MAX_TOKENS] for ids in whole], cut)
        return step_product(continuation, options, self.vocabulary, self.tokens)

    def _paper_labels(self, choices: Sequence[str]) -> list[list[int]]:
        """Label ids as released: without a beginning token; an encoder-decoder's with its end token."""
        return self.encoder.labels(choices)

    def _hidden(self, states: Sequence[torch.Tensor], layer: int, position: int, lengths: Sequence[int]) -> np.ndarray:
        """One state a row from a tuple of layers (rows, tokens, width), right-padded to the longest of `lengths`."""
        if not -len(states) <= layer < len(states):
            raise BadInput(f'"{self.name}" has layers 0 to {len(states) - 1}; {layer} is none of them.')
        places = [position if position >= 0 else n + position for n in lengths]
        if any(not 0 <= place < n for place, n in zip(places, lengths, strict=True)):
            raise BadInput(f"Position {position} lies outside a prompt of {min(lengths)} tokens.")
        rows = torch.arange(len(places), device=states[layer].device)
        picked = states[layer][rows, torch.tensor(places, device=rows.device)]
        return np.asarray(picked.float().cpu().numpy())
