"""Encoder-decoder models: each distinct prompt is encoded once, its answers fork in the decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from surefoot.models.branches import Seq2SeqBranch
from surefoot.models.local import LocalModel
from surefoot.models.tree_runner import log_softmax_at
from surefoot.text.prompt import Prompt

Found = TypeVar("Found")


class Seq2SeqModel(LocalModel):
    """An encoder-decoder transformer (T5, BART, ...). Answers are scored without the end token unless asked for.

    `decoder_virtual` are ids of trained tokens in front of the decoder's start (`surefoot.models.virtual`).
    """

    decoder_virtual: tuple[int, ...] = ()
    aligned = True

    def hidden_states(self, prompts: Sequence[Prompt | str], layer: int = -2, position: int = -1) -> np.ndarray:
        """The decoder's state at its first step (`position` is then the only one), shape (prompts, width)."""
        ids, _ = self._fit(self.encode(prompts), 0)
        found: dict[int, np.ndarray] = {}
        for batch in self._batches([(i, prompt) for i, prompt in enumerate(ids)]):
            encoded, mask = self._encode_prompts([prompt for _, prompt in batch])
            start = torch.tensor([self.opening] * len(batch), device=self.model.device)
            with torch.inference_mode():
                out = self.model.get_decoder()(
                    input_ids=start,
                    encoder_hidden_states=encoded,
                    encoder_attention_mask=mask,
                    output_hidden_states=True,
                )
            first = [state[:, -1:] for state in out.hidden_states]
            states = self._hidden(first, layer, position, [1] * len(batch))
            found.update((i, state) for (i, _), state in zip(batch, states, strict=True))
        return np.stack([found[i] for i in range(len(ids))])

    @property
    def opening(self) -> list[int]:
        """What the decoder reads before the first token of an answer."""
        return [*self.decoder_virtual, int(self.model.config.decoder_start_token_id)]

    def _branch(self, ids: Sequence[Sequence[int]], begun: Sequence[Sequence[int]]) -> Seq2SeqBranch:
        return Seq2SeqBranch(self.model, ids, self.pad, [[*self.opening, *text] for text in begun], self.tokens)

    def _logprobs(self, ids: list[list[int]], forks: list[list[list[int]]]) -> list[list[list[float]]]:
        return self._along(ids, forks, lambda logits, fork: log_softmax_at(logits, list(enumerate(fork))))

    def _forced_logits(self, ids: list[list[int]], forks: list[list[list[int]]]) -> list[list[torch.Tensor]]:
        return self._along(ids, forks, lambda logits, _: logits.clone())

    def _along(
        self, ids: list[list[int]], forks: list[list[list[int]]], read: Callable[[torch.Tensor, list[int]], Found]
    ) -> list[list[Found]]:
        """What `read` makes of the logits (fork tokens, vocabulary) of each fork."""
        distinct = sorted({tuple(prompt) for prompt in ids}, key=len, reverse=True)
        result: list[list[Found]] = [[] for _ in ids]
        users: dict[tuple[int, ...], list[int]] = {}
        for i, prompt in enumerate(ids):
            users.setdefault(tuple(prompt), []).append(i)
        for batch in self._batches(list(enumerate(distinct))):
            encoded, mask = self._encode_prompts([prompt for _, prompt in batch])
            jobs = [(row, i) for row, (_, prompt) in enumerate(batch) for i in users[tuple(prompt)]]
            own = [(row, fork) for row, i in jobs for fork in forks[i]]
            logits = self._read_forks(encoded, mask, own)
            for _, i in jobs:
                result[i] = [read(next(logits), fork) for fork in forks[i]]
        self.tokens.asked += sum(len(p) + len(fork) for p, choices in zip(ids, forks, strict=True) for fork in choices)
        return result

    def _read_forks(
        self, encoded: torch.Tensor, mask: torch.Tensor, forks: Sequence[tuple[int, list[int]]], rows: int = 64
    ) -> Iterator[torch.Tensor]:
        """Teacher forcing for (row of the encoded prompt, token ids of an answer), at most `rows` at a time.

        Gives logits of shape (answer tokens, vocabulary), views of a batch.
        """
        for start in range(0, len(forks), rows):
            part = forks[start : start + rows]
            width = max(len(fork) for _, fork in part)
            inputs = [[*self.opening, *fork[:-1], *[self.pad] * (width - len(fork))] for _, fork in part]
            prompts = torch.tensor([row for row, _ in part], device=self.model.device)
            with torch.inference_mode():
                logits = self.model(
                    encoder_outputs=(encoded[prompts],),
                    attention_mask=mask[prompts],
                    decoder_input_ids=torch.tensor(inputs, device=self.model.device),
                    use_cache=False,
                ).logits
            self.tokens.computed += sum(len(fork) for _, fork in part)
            for k, (_, fork) in enumerate(part):
                yield logits[k, len(self.decoder_virtual) :][: len(fork)]

    @torch.inference_mode()
    def _encode_prompts(self, prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        width = max(len(prompt) for prompt in prompts)
        ids = torch.tensor([[*p, *[self.pad] * (width - len(p))] for p in prompts], device=self.model.device)
        mask = torch.tensor([[1] * len(p) + [0] * (width - len(p)) for p in prompts], device=self.model.device)
        encoded = self.model.get_encoder()(input_ids=ids, attention_mask=mask, return_dict=True).last_hidden_state
        self.tokens.computed += int(mask.sum())
        return encoded, mask

    def _batches(self, prompts: list[tuple[int, Any]]) -> Iterator[list[tuple[int, Any]]]:
        """Prompts cut by token budget, longest first."""
        prompts = sorted(prompts, key=lambda pair: len(pair[1]), reverse=True)
        while prompts:
            taken = max(1, self.batch_tokens // len(prompts[0][1]))
            yield prompts[:taken]
            prompts = prompts[taken:]

    def _paper_labels(self, choices: Sequence[str]) -> list[list[int]]:
        end = min(self.ends)
        return [[*ids, end] for ids in super()._paper_labels(choices)]
