"""The key-value cache with room holds what the library's holds, whatever is appended and whichever rows stay."""

from __future__ import annotations

import random

import torch
from transformers.cache_utils import DynamicLayer

from surefoot.models.cache import ROOM, RoomyLayer


def tokens(rows: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(rows, 2, count, 4), torch.randn(rows, 2, count, 4)


def held(layer: DynamicLayer) -> tuple[torch.Tensor, torch.Tensor]:
    assert layer.keys is not None
    assert layer.values is not None
    return layer.keys, layer.values


def test_it_holds_what_the_librarys_layer_holds() -> None:
    draw = random.Random(0)
    torch.manual_seed(0)
    for _ in range(20):
        plain, roomy, rows = DynamicLayer(), RoomyLayer(), 12
        for _ in range(12):
            new = tokens(rows, draw.choice((1, 1, 3, ROOM)))
            plain.update(*new)
            roomy.update(*new)
            if draw.random() < 0.6:
                stay = sorted(draw.sample(range(rows), draw.randint(1, rows)))
                if draw.random() < 0.3:
                    stay = draw.choices(range(rows), k=rows)  # in any order, some of them several times
                plain.batch_select_indices(torch.tensor(stay))
                roomy.batch_select_indices(torch.tensor(stay))
                rows = len(stay)
            assert all(torch.equal(a, b) for a, b in zip(held(plain), held(roomy), strict=True))


def test_rows_that_stay_are_not_copied_into_another_store_until_half_of_it_is_empty() -> None:
    layer = RoomyLayer()
    layer.update(*tokens(8, 5))
    place = held(layer)[0].data_ptr()
    layer.batch_select_indices(torch.tensor([0, 1, 2, 4, 5, 7]))
    layer.update(*tokens(6, 1))
    assert held(layer)[0].data_ptr() == place
    layer.batch_select_indices(torch.tensor([1, 2, 3, 4]))
    assert held(layer)[0].data_ptr() != place
    keys = held(layer)[0]
    assert keys.untyped_storage().nbytes() == keys.nbytes
