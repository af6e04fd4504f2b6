"""The prefix tree against brute force: every prefix once, every visible token the request's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from surefoot.models.prefix import Plan, plan

sequences = st.lists(st.lists(st.integers(0, 3), min_size=0, max_size=12), max_size=30)
sizes = st.integers(1, 40)


def distinct_prefixes(batch: list[list[int]]) -> set[tuple[int, ...]]:
    return {tuple(sequence[:end]) for sequence in batch for end in range(1, len(sequence) + 1)}


def read_back(made: Plan, sequence: list[int]) -> list[tuple[int, int]]:
    """The (token, position) pairs that the sequence's last token attends to, as the plan lays them out."""
    block, place = made.places(sequence)[-1]
    seen = [(int(t), int(p)) for above in block.ancestors for t, p in zip(above.tokens, above.positions, strict=True)]
    for j in range(place + 1):
        if place < block.reach[j]:
            seen.append((int(block.tokens[j]), int(block.positions[j])))
    return seen


@given(sequences, sizes)
def test_each_distinct_prefix_is_computed_once(batch: list[list[int]], size: int) -> None:
    assert plan(batch, size).tokens == len(distinct_prefixes(batch))


@given(sequences, sizes)
def test_a_token_sees_exactly_its_own_prefix(batch: list[list[int]], size: int) -> None:
    made = plan(batch, size)
    for prefix in distinct_prefixes(batch):
        assert read_back(made, list(prefix)) == [(token, place) for place, token in enumerate(prefix)]


@given(sequences, sizes)
def test_blocks_stay_within_their_size_unless_one_edge_is_longer(batch: list[list[int]], size: int) -> None:
    for block in plan(batch, size).blocks:
        straight = all(reach == len(block) for reach in block.reach)
        assert len(block) <= size or straight


@given(sequences, sizes)
def test_only_blocks_with_descendants_are_kept(batch: list[list[int]], size: int) -> None:
    made = plan(batch, size)
    parents = {id(above) for block in made.blocks for above in block.ancestors}
    assert {id(block) for block in made.blocks if block.keeps} == parents


def test_places_start_where_asked() -> None:
    made = plan([[1, 2, 3, 4], [1, 2, 5]], 2)
    assert made.places([1, 2, 3, 4], 2) == made.places([1, 2, 3, 4])[2:]
    assert len(made.places([1, 2, 5], 1)) == 2


@given(sequences, sizes, st.lists(st.integers(0, 12), min_size=30, max_size=30))
def test_what_is_given_is_not_computed_and_everything_else_is(
    batch: list[list[int]], size: int, counts: list[int]
) -> None:
    known = [min(count, len(sequence)) for count, sequence in zip(counts, batch, strict=False)]
    made = plan(batch, size, known)
    ends = {tuple(sequence) for sequence in batch}
    given_prefixes = {
        tuple(sequence[:end])
        for sequence, count in zip(batch, known, strict=True)
        for end in range(1, count + 1)
        if not any(tuple(sequence[:before]) in ends for before in range(1, end + 1))
    }
    placed = {p: made.places(list(p))[-1][0] for p in distinct_prefixes(batch)}
    assert {prefix for prefix, block in placed.items() if block.given} == given_prefixes
    assert made.tokens == len(distinct_prefixes(batch)) - len(given_prefixes)
    for prefix, block in placed.items():
        assert read_back(made, list(prefix)) == [(token, place) for place, token in enumerate(prefix)]
        assert block.given or block in made.levels()[sum(not above.given for above in block.ancestors)]
        assert not block.given or all(above.given for above in block.ancestors)
