"""Virtual tokens: ids beyond the vocabulary whose embeddings, or whose keys and values, are trained.

A prompt of n virtual tokens is written as the ids v, v + 1, ..., v + n - 1 in front of the real ones, v being the size
of the vocabulary. Whatever computes on ids (prefix trees, batches, generation) then needs to know nothing of them: two
prompts with the same virtual tokens share a prefix as any others do. What the ids mean is told by two modules that are
put into a *structural copy* of the model: modules of its own, over the very same weight tensors.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from surefoot.errors import NotAvailable


def structural_copy(model: Any) -> Any:
    """A model with modules of its own and the same weight tensors, so that modules can be put in without a trace."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


class VirtualEmbedding(nn.Module):
    """An embedding table that goes on behind its vocabulary with `prompt`, shape (virtual tokens, width).

    The table may be such a one itself, so that trained parts stack. `places` of the last call says which of its tokens
    were virtual, shape (rows, tokens); layers with a prefix read it.
    """

    def __init__(self, table: Any, prompt: nn.Parameter) -> None:
        super().__init__()
        self.table = table
        self.prompt = prompt
        self.first = int(table.num_embeddings)
        self.num_embeddings = self.first + len(prompt)
        self.embedding_dim = int(table.embedding_dim)
        self.places = torch.zeros(0, 0, dtype=torch.long)

    @property
    def weight(self) -> Any:
        return self.table.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        self.places = ids - self.first
        real: torch.Tensor = self.table(ids.masked_fill(self.places >= 0, 0))
        virtual = self.prompt.to(real.dtype)[self.places.clamp(min=0, max=len(self.prompt) - 1)]
        return torch.where((self.places >= 0)[..., None], virtual, real)


class Rotation(NamedTuple):
    """The turn of keys by their position: cosines and sines of shape (positions, 1, head width), float32.

    Rotary layers turn pairs (x_i, x_{i + w/2}) by an angle that grows with the position: k cos + r(k) sin, with
    r(k) = (-second half, first half). Source: Su et al. 2021 (arXiv:2104.09864).
    """

    cos: torch.Tensor
    sin: torch.Tensor

    def turn(self, keys: torch.Tensor, *, back: bool = False) -> torch.Tensor:
        """Keys (positions, key heads x head width) as attention sees them at their positions; `back` undoes it."""
        width = self.cos.shape[-1]
        split, half = keys.reshape(*keys.shape[:-1], keys.shape[-1] // width, width), width // 2
        swapped = torch.cat([-split[..., half:], split[..., :half]], -1)
        turned: torch.Tensor = split * self.cos + swapped * (-self.sin if back else self.sin)
        return (turned / (self.cos**2 + self.sin**2) if back else turned).flatten(-2)


def rotation(model: Any, count: int) -> Rotation | None:
    """The rotation of the first `count` positions; None for models without rotary positions."""
    rotary = getattr(model.get_decoder(), "rotary_emb", None)
    if rotary is None:
        return None
    device = model.get_input_embeddings().weight.device
    cos, sin = rotary(torch.zeros(1, 1, device=device), torch.arange(count, device=device)[None])
    if cos.shape[-1] != getattr(model.config, "head_dim", cos.shape[-1]):
        raise NotAvailable("This model rotates a part of each key only, which a per-layer prefix does not know.")
    return Rotation(cos[0, :, None].float(), sin[0, :, None].float())


class Prefix(NamedTuple):
    """One layer's keys or values in the whole prefix; cut out anew at each use, so that gradients reach the whole.

    Keys are kept as attention sees them; a projection gives them before they are turned, so they are turned back.
    """

    whole: nn.Parameter
    layer: int
    part: int  # 0 keys, 1 values
    rotation: Rotation | None

    def at(self, places: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        own: torch.Tensor = self.whole[self.layer, self.part]
        if self.rotation is not None and self.part == 0:
            own = self.rotation.turn(own, back=True)
        return own.to(dtype)[places.clamp(min=0, max=len(own) - 1)]


class PrefixedProjection(nn.Module):
    """A key or value projection that gives the prefix where a token is virtual.

    `start` is the first column of the output that holds keys or values (some models project all in one matrix).
    """

    def __init__(self, projection: nn.Module, prefix: Prefix, tokens: VirtualEmbedding, start: int = 0) -> None:
        super().__init__()
        self.projection = projection
        self.prefix = prefix
        self._tokens = [tokens]  # in a list: the embedding is not this module's child
        self.start = start

    @property
    def weight(self) -> Any:
        return self.projection.weight

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.projection(states)
        places = self._tokens[0].places
        own = self.prefix.at(places, out.dtype)
        stop = self.start + own.shape[-1]
        changed = torch.where((places >= 0)[..., None], own, out[..., self.start : stop])
        return torch.cat([out[..., : self.start], changed, out[..., stop:]], -1)


class Projection(NamedTuple):
    """Where a layer makes its keys or values: the module that holds the projection, its name, the columns."""

    owner: nn.Module
    name: str
    start: int
    width: int


def put_prompt(model: Any, prompt: nn.Parameter) -> VirtualEmbedding:
    """Let the model's input tower read virtual tokens. Call it on a structural copy."""
    tower = model.get_encoder() if model.config.is_encoder_decoder else model
    return _put(tower, prompt)


def put_prefix(model: Any, prefix: nn.Parameter) -> VirtualEmbedding:
    """Give the decoder's layers trained keys and values at virtual tokens. Call it on a structural copy.

    `prefix` has the shape (layers, 2, virtual tokens, key heads x head width): keys as attention sees them; values.
    """
    tower = model.get_decoder() if model.config.is_encoder_decoder else model
    table = tower.get_input_embeddings()
    silent = nn.Parameter(table.weight.new_zeros(prefix.shape[2], table.embedding_dim), requires_grad=False)
    tokens = _put(tower, silent)
    turned = rotation(model, prefix.shape[2])
    for layer, pair in enumerate(prefix_layers(model)):
        for part, place in enumerate(pair):
            inner, own = getattr(place.owner, place.name), Prefix(prefix, layer, part, turned)
            setattr(place.owner, place.name, PrefixedProjection(inner, own, tokens, place.start))
    model.register_parameter("surefoot_prefix", prefix)
    return tokens


def _put(tower: Any, prompt: nn.Parameter) -> VirtualEmbedding:
    tokens = VirtualEmbedding(tower.get_input_embeddings(), prompt)
    tower.set_input_embeddings(tokens)
    return tokens


def prefix_layers(model: Any) -> list[tuple[Projection, Projection]]:
    """The key and value projection of each self-attention layer of the decoder, in their order."""
    decoder = model.get_decoder()
    found = list(_attention_layers(decoder))
    layers = model.config.num_decoder_layers if model.config.is_encoder_decoder else model.config.num_hidden_layers
    if len(found) != layers:
        raise NotAvailable(
            f"{type(model).__name__} makes its keys and values in a way that a per-layer prefix cannot reach; "
            "train a soft prompt at the input instead (adapter=prompt)."
        )
    return found


def _attention_layers(decoder: Any) -> Iterator[tuple[Projection, Projection]]:
    for name, module in decoder.named_modules():
        if "EncDecAttention" in name or "encoder_attn" in name or "crossattention" in name:
            continue
        if hasattr(module, "k_norm"):  # a norm between projection and rotation would change the prefix
            continue
        for key, value in (("k_proj", "v_proj"), ("k", "v")):
            if isinstance(getattr(module, key, None), nn.Linear) and isinstance(
                getattr(module, value, None), nn.Linear
            ):
                yield tuple(Projection(module, n, 0, getattr(module, n).out_features) for n in (key, value))  # type: ignore[misc]
        joint = getattr(module, "c_attn", None)
        if joint is not None and joint.nf % 3 == 0:  # queries, keys and values side by side
            width = joint.nf // 3
            yield Projection(module, "c_attn", width, width), Projection(module, "c_attn", 2 * width, width)
