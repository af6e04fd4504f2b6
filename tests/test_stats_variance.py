"""The variance split against textbook sums, planted components and invariances."""

from __future__ import annotations

import numpy as np
import pytest

from surefoot.errors import BadInput
from surefoot.stats.variance import variance_components, variance_split

FRAMES = ["a", "a", "a", "b", "b", "c", "c", "c", "c"]


def planted(sd: dict[str, float], items: int, frames: list[str], rng: np.random.Generator) -> np.ndarray:
    frame = {name: rng.normal(0, sd["frame"]) for name in sorted(set(frames))}
    wording = np.array([frame[name] for name in frames]) + rng.normal(0, sd["wording"], len(frames))
    noise = rng.normal(0, sd["residual"], (items, len(frames)))
    return rng.normal(0, sd["item"], (items, 1)) + wording + noise


def by_loops(y: np.ndarray, frames: list[str]) -> dict[str, float]:
    """Mean squares summed cell by cell, then the expectations solved as a linear system."""
    n, wordings = y.shape
    names, mean = sorted(set(frames)), y.mean()
    members = {name: [j for j, frame in enumerate(frames) if frame == name] for name in names}
    ms = dict.fromkeys(("frame", "wording", "item", "residual"), 0.0)
    for i in range(n):
        for j in range(wordings):
            in_frame = y[:, members[frames[j]]].mean()
            ms["frame"] += (in_frame - mean) ** 2 / (len(names) - 1)
            ms["wording"] += (y[:, j].mean() - in_frame) ** 2 / (wordings - len(names))
            ms["item"] += (y[i].mean() - mean) ** 2 / (n - 1)
            ms["residual"] += (y[i, j] - y[:, j].mean() - y[i].mean() + mean) ** 2 / ((n - 1) * (wordings - 1))
    k = (wordings - sum(len(m) ** 2 for m in members.values()) / wordings) / (len(names) - 1)
    system = np.array([[n * k, n, 0, 1], [0, n, 0, 1], [0, 0, wordings, 1], [0, 0, 0, 1]])
    return dict(zip(ms, np.linalg.solve(system, list(ms.values())), strict=True))


def test_components_equal_sums_over_single_cells() -> None:
    y = np.random.default_rng(0).random((7, len(FRAMES)))
    assert variance_components(y, FRAMES) == pytest.approx(by_loops(y, FRAMES))


def test_components_are_unbiased_for_planted_ones() -> None:
    rng, sd = np.random.default_rng(1), {"frame": 0.5, "wording": 0.3, "item": 1.0, "residual": 0.8}
    found = [variance_components(planted(sd, 30, FRAMES, rng), FRAMES) for _ in range(1500)]
    for source, value in sd.items():
        draws = [components[source] for components in found]
        assert abs(np.mean(draws) - value**2) < 4 * np.std(draws) / np.sqrt(len(draws)), source


@pytest.mark.parametrize("source", ["frame", "wording", "item", "residual"])
def test_a_source_that_alone_varies_gets_nearly_all(source: str) -> None:
    rng = np.random.default_rng(2)
    sd = dict.fromkeys(("frame", "wording", "item", "residual"), 0.01) | {source: 1.0}
    frames = [f"f{j // 3}" for j in range(30)]
    split = variance_split(planted(sd, 40, frames, rng), frames, 200, rng)
    assert split is not None
    assert split.shares[source].value > 0.85
    assert sum(share.value for share in split.shares.values()) == pytest.approx(1)
    assert all(0 <= share.low <= share.value <= share.high <= 1 for share in split.shares.values())


def test_bootstrap_is_not_fooled_into_a_wording_share_where_there_is_none() -> None:
    rng = np.random.default_rng(3)
    lows = []
    for _ in range(40):
        y = (rng.random((60, 10)) < 0.6) * 1.0
        split = variance_split(y, [""] * 10, 200, rng)
        assert split is not None
        lows.append(split.shares["wording"].low)
    assert np.mean(np.array(lows) == 0) >= 0.9


def test_frame_is_left_out_where_it_cannot_be_told_from_wording() -> None:
    rng = np.random.default_rng(4)
    y = rng.random((10, 3))
    for frames in (["a", "b", "c"], ["a", "a", "a"]):
        split = variance_split(y, frames, 20, rng)
        assert split is not None
        assert list(split.shares) == ["wording", "item", "residual"]


def test_missing_cells_drop_their_item_and_empty_wordings_are_dropped_first() -> None:
    rng = np.random.default_rng(5)
    y = rng.random((12, 5))
    holes = np.column_stack([y, np.full(12, np.nan)])
    holes[3, 1] = np.nan
    frames = ["a", "a", "b", "b", "b"]
    split = variance_split(holes, [*frames, "c"], 50, np.random.default_rng(0))
    same = variance_split(np.delete(y, 3, axis=0), frames, 50, np.random.default_rng(0))
    assert split is not None
    assert same is not None
    assert split.shares == same.shares
    assert (split.items, split.dropped_items, split.dropped_wordings) == (11, 1, 1)


def test_nothing_to_split_gives_none_and_a_wrong_number_of_frames_is_refused() -> None:
    rng = np.random.default_rng(6)
    assert variance_split(np.ones((5, 4)), ["a", "a", "b", "b"], 10, rng) is None
    assert variance_split(rng.random((1, 4)), ["a", "a", "b", "b"], 10, rng) is None
    with pytest.raises(BadInput, match="4 wordings came with 3 frames"):
        variance_split(rng.random((5, 4)), ["a", "a", "b"], 10, rng)
