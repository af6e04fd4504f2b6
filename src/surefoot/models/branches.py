"""Branches of local models: their key-value caches, padding and positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from surefoot.decoding.branch import Next
from surefoot.errors import NotAvailable
from surefoot.models.base import TokenCount
from surefoot.models.cache import RoomyLayer, roomy_cache
from surefoot.models.prefix_store import BLOCK, PrefixStore
from surefoot.models.tree_attention import Unsupported
from surefoot.models.tree_runner import TreeRunner

BLOCK_TOKENS = 256  # up to here a stretch of the prefix tree is one block; attention cost grows with its square


class States(NamedTuple):
    """States behind the last layer, shape (rows, tokens of a pass, width), and which of them are of real tokens."""

    values: torch.Tensor
    real: torch.Tensor


class CausalBranch:
    """A decoder-only model: one growing cache of rows that are padded on the left.

    Prompts are read by `runner` on their prefix tree, each distinct beginning once, or not at all where `store` has it;
    without a runner, or where the model's attention cannot be computed on trees, in padded rows. A branch that
    `remembers` keeps the states of its last pass.
    """

    remembers = False
    states: States

    def __init__(
        self,
        model: Any,
        prompts: Sequence[Sequence[int]],
        pad: int,
        tokens: TokenCount,
        runner: TreeRunner | None = None,
        store: PrefixStore | None = None,
    ) -> None:
        self.model = model
        self.prompts = prompts
        self.pad = pad
        self.tokens = tokens
        self.runner = runner
        self.store = store
        self.width = max(map(len, prompts))
        mask = [[0] * (self.width - len(ids)) + [1] * len(ids) for ids in prompts]
        self.mask = torch.tensor(mask, device=model.device)
        self.cache = roomy_cache(model.config)
        whole = all(isinstance(layer, RoomyLayer) for layer in self.cache.layers)
        self.sees_all = whole and model.config._attn_implementation in ("sdpa", "eager")

    def first(self) -> Next:
        read = self._on_tree()
        if read is not None:
            self._keep()
            return _plain(read)
        self.tokens.computed += int(self.mask.sum())
        padded = [[self.pad] * (self.width - len(ids)) + list(ids) for ids in self.prompts]
        positions = (self.mask.cumsum(-1) - 1).clamp(min=0)
        ids = torch.tensor(padded, device=self.model.device)
        return _plain(self._forward(ids, positions, self.mask, 1)[:, -1])

    def _keep(self) -> None:
        """Leave what was read for later prompts."""
        if self.store is None:
            return
        for row, ids in enumerate(self.prompts):
            start = self.store.known(self.model, ids)
            if len(ids) - start < BLOCK:
                continue
            own = self.mask[row].nonzero()[start:, 0]
            pairs = [(layer.keys[row][:, own], layer.values[row][:, own]) for layer in self.cache.layers]
            self.store.keep(self.model, ids, pairs, start)

    def _on_tree(self) -> torch.Tensor | None:
        """Logits behind the prompts, the cache being filled from their tree; None where that cannot be done."""
        if self.runner is None or not self.sees_all or self.remembers:
            return None
        try:
            read = self.runner.prefill(self.prompts, BLOCK_TOKENS, self.store)
        except Unsupported:
            return None
        self.tokens.computed += self.runner.computed
        places = np.zeros(self.mask.shape, dtype=np.int64)
        for row, own in zip(places, read.slots, strict=True):
            row[self.width - len(own) :] = own
        rows = torch.from_numpy(places).to(self.mask.device)
        for index, layer in enumerate(self.cache.layers):
            layer.fill(*(part[rows].transpose(1, 2) for part in read.layers[index]))
        return read.logits

    def next(self, tokens: torch.Tensor) -> Next:
        return _plain(self.extend(tokens[:, None])[:, -1])

    def extend(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits behind each of the appended tokens (rows, k), shape (rows, k, vocabulary)."""
        self.tokens.computed += tokens.numel()
        self.mask = torch.cat([self.mask, self.mask.new_ones(tokens.shape)], 1)
        positions = (self.mask.cumsum(-1) - 1)[:, -tokens.shape[1] :]
        seen = self._bias(tokens.shape[1]) if self.sees_all else self.mask
        return self._forward(tokens, positions, seen, tokens.shape[1])

    def _bias(self, count: int) -> torch.Tensor:
        """What the last `count` tokens see, as the library's attention adds it: (rows, 1, count, tokens), 0 or lowest.

        It is faster than its own, made anew for each layer's kernel from zeros and ones.
        """
        seen = self.mask.bool()[:, None, None].repeat(1, 1, count, 1)
        seen[..., -count:] &= torch.ones(count, count, dtype=torch.bool, device=seen.device).tril()
        dtype = self.model.dtype
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)

    def forget(self, counts: Sequence[int]) -> None:
        """Take back the last tokens of each row, so many a row; they stay in the cache, unseen."""
        for row, count in enumerate(counts):
            seen = self.mask[row].nonzero()[:, 0]
            self.mask[row, seen[len(seen) - count :]] = 0

    def keep(self, rows: torch.Tensor) -> None:
        self.mask = self.mask[rows]
        self.cache.batch_select_indices(rows)

    @property
    def joins(self) -> bool:
        return self.sees_all

    def join(self, other: CausalBranch) -> None:
        if not (self.sees_all and other.sees_all):
            raise NotAvailable(
                "Rows cannot join a batch of a model with a sliding window; wait until the batch has ended."
            )
        blank = (self.blank(), other.blank())  # or a batch that never empties would grow with every token
        masks = (self.mask, other.mask)
        width = max(mask.shape[1] - front for mask, front in zip(masks, blank, strict=True))

        def joined(parts: Sequence[torch.Tensor], axis: int) -> torch.Tensor:
            return torch.cat([_fitted(part, n, width, axis) for part, n in zip(parts, blank, strict=True)])

        self.mask = joined(masks, 1)
        for layer, more in zip(self.cache.layers, other.cache.layers, strict=True):
            layer.fill(joined((layer.keys, more.keys), 2), joined((layer.values, more.values), 2))

    def blank(self) -> int:
        """Columns in front that no row sees: padding of rows that have left."""
        return int(self.mask.amax(0).argmax())

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor, wanted: int) -> torch.Tensor:
        out = self.model(
            input_ids=ids,
            attention_mask=seen,
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=wanted,
            output_hidden_states=self.remembers,
        )
        if self.remembers:
            self.states = States(out.hidden_states[-1], self.mask[:, -ids.shape[1] :].bool())
        logits: torch.Tensor = out.logits.float()
        return logits


class Seq2SeqBranch:
    """An encoder-decoder: prompts encoded once, a growing decoder cache. `openings` are equally long."""

    remembers = False
    joins = False
    states: States

    def __init__(
        self,
        model: Any,
        prompts: Sequence[Sequence[int]],
        pad: int,
        openings: Sequence[Sequence[int]],
        tokens: TokenCount,
    ) -> None:
        from transformers import EncoderDecoderCache

        self.model = model
        self.tokens = tokens
        self.openings = torch.tensor([list(opening) for opening in openings], device=model.device)
        width = max(len(ids) for ids in prompts)
        ids = torch.tensor([list(p) + [pad] * (width - len(p)) for p in prompts], device=model.device)
        mask = [[1] * len(p) + [0] * (width - len(p)) for p in prompts]
        self.mask = torch.tensor(mask, device=model.device)
        tokens.computed += int(self.mask.sum())
        self.encoded = model.get_encoder()(input_ids=ids, attention_mask=self.mask, return_dict=True)
        self.cache = EncoderDecoderCache(roomy_cache(model.config), roomy_cache(model.config))

    def first(self) -> Next:
        return self._forward(self.openings)

    def next(self, tokens: torch.Tensor) -> Next:
        self.tokens.computed += len(tokens)
        return self._forward(tokens[:, None])

    def join(self, other: Seq2SeqBranch) -> None:
        raise NotAvailable("Rows cannot join a batch of an encoder-decoder; wait until the batch has ended.")

    def keep(self, rows: torch.Tensor) -> None:
        self.mask = self.mask[rows]
        self.encoded.last_hidden_state = self.encoded.last_hidden_state[rows]
        self.cache.batch_select_indices(rows)

    def _forward(self, ids: torch.Tensor) -> Next:
        out = self.model(
            encoder_outputs=self.encoded,
            attention_mask=self.mask,
            decoder_input_ids=ids,
            past_key_values=self.cache,
            use_cache=True,
            output_hidden_states=self.remembers,
        )
        if self.remembers:
            self.states = States(out.decoder_hidden_states[-1], torch.ones_like(ids, dtype=torch.bool))
        return _plain(out.logits[:, -1].float())


def _padded(tensor: torch.Tensor, width: int, axis: int) -> torch.Tensor:
    """The tensor with zeros in front along an axis, up to a width."""
    shape = list(tensor.shape)
    shape[axis] = width - shape[axis]
    return torch.cat([tensor.new_zeros(shape), tensor], axis) if shape[axis] else tensor


def _fitted(tensor: torch.Tensor, front: int, width: int, axis: int) -> torch.Tensor:
    """Without so many places in front along an axis, then padded up to a width."""
    return _padded(tensor.narrow(axis, front, tensor.shape[axis] - front), width, axis)


def _plain(logits: torch.Tensor) -> Next:
    return Next(logits, logits)
