"""The prefix tree of a batch, and its cut into blocks that are computed once each.

Every request is a sequence of token ids. The tree holds each distinct prefix once. It is cut into *blocks*: connected
pieces of at most `block_tokens` tokens, so that a long shared stretch is a block of its own and a short question with
its forking options is one block. A block attends to itself (through a tree mask) and to its ancestors, whose keys
and values were computed on an earlier level. All blocks of a level are independent and are packed without padding.

Nothing here knows of torch: this file is the plan, `surefoot.models.tree_runner` carries it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter

import numpy as np


@dataclass(eq=False)
class Node:
    """An edge of the compressed tree: `tokens` from depth `start` on, then the forks by their first token."""

    tokens: Sequence[int]
    start: int
    forks: dict[int, Node] = field(default_factory=dict)
    size: int = 0  # tokens in the whole subtree
    block: Block | None = None  # the block that computes this edge, from its token `offset` on
    offset: int = 0
    last: bool = False  # whether a sequence ends with it
    given: bool = False  # whether its keys and values are known already

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)


@dataclass(eq=False)
class Block:
    """A piece of the tree in depth-first order.

    `tokens`, `positions` (depth in the prompt) and `reach` have one entry a token; token j is visible to token i of the
    block if j <= i < reach[j]. `ancestors` are the blocks above it, from the root down, each wholly visible.
    """

    tokens: np.ndarray
    positions: np.ndarray
    reach: np.ndarray
    ancestors: tuple[Block, ...]
    keeps: bool  # whether a later block needs its keys and values
    given: bool = False  # whether these are known already, so that nothing is computed

    @property
    def level(self) -> int:
        """How many blocks above it have to be computed first."""
        return sum(not above.given for above in self.ancestors)

    @property
    def depth(self) -> int:
        """Number of ancestor tokens."""
        return int(self.positions[0])

    def __len__(self) -> int:
        return len(self.tokens)


Forest = dict[int, Node]
"""Trees by their first token."""


def build_forest(sequences: Sequence[Sequence[int]]) -> Forest:
    """The compressed prefix trees of token sequences; empty sequences add nothing."""
    forest: Forest = {}
    ordered = sorted({tuple(sequence) for sequence in sequences if len(sequence)})
    pending: list[tuple[Sequence[tuple[int, ...]], int, Forest]] = [(ordered, 0, forest)]
    while pending:
        group, start, forks = pending.pop()
        for token, run in groupby(group, key=itemgetter(start)):
            members = list(run)
            end = _agreement(members[0], members[-1], start)
            forks[token] = node = Node(members[0][start:end], start, last=len(members[0]) == end)
            pending.append(([member for member in members if len(member) > end], end, node.forks))
    for root in forest.values():
        _measure(root)
    return forest


def _agreement(first: Sequence[int], last: Sequence[int], start: int) -> int:
    """Where two sequences that agree at `start` part; of sorted sequences the first and last part earliest."""
    shortest = min(len(first), len(last))
    return next((i for i in range(start, shortest) if first[i] != last[i]), shortest)


def _measure(root: Node) -> None:
    order = [root]
    for node in order:
        order.extend(node.forks.values())
    for node in reversed(order):
        node.size = len(node.tokens) + sum(fork.size for fork in node.forks.values())


def mark_given(forest: Forest, sequence: Sequence[int], count: int) -> None:
    """Mark the edges of the first `count` tokens of a sequence as known, short of a token with which a sequence ends.

    An edge that is known in part is parted.
    """
    forks, at = forest, 0
    while at < count:
        node = forks[sequence[at]]
        if node.last:
            count = min(count, node.end - 1)
        if count == at:
            return
        if node.end > count:
            _part(node, count)
        node.given = True
        forks, at = node.forks, node.end


def _part(node: Node, depth: int) -> None:
    """Cut an edge in two at a depth."""
    front = depth - node.start
    rest = Node(node.tokens[front:], depth, node.forks, node.size - front, last=node.last)
    node.tokens, node.forks, node.last = node.tokens[:front], {rest.tokens[0]: rest}, False


def cut(forest: Forest, block_tokens: int) -> list[Block]:
    """The blocks of the trees, ancestors before descendants.

    A subtree of at most `block_tokens` tokens is one block; of a larger one, and of one that begins with what is given,
    the top edge is a block of its own.
    """
    blocks: list[Block] = []
    pending: list[tuple[Node, tuple[Block, ...]]] = [(root, ()) for root in forest.values()]
    while pending:
        node, above = pending.pop()
        whole = not node.given and (node.size <= block_tokens or not node.forks)
        blocks.append(block := _block(node, above, whole))
        if not whole:
            pending.extend((fork, (*above, block)) for fork in node.forks.values())
    return blocks


def _block(top: Node, above: tuple[Block, ...], whole: bool) -> Block:
    """The edge of `top`, with its whole subtree or without."""
    nodes, stack = [], [top]
    while stack:
        nodes.append(node := stack.pop())
        if whole:
            stack.extend(reversed(node.forks.values()))
    lengths = [len(node.tokens) for node in nodes]
    offsets = np.cumsum([0, *lengths[:-1]])
    sizes = [node.size if whole else len(node.tokens) for node in nodes]
    block = Block(
        tokens=np.concatenate([np.asarray(node.tokens, dtype=np.int64) for node in nodes]),
        positions=np.concatenate([np.arange(node.start, node.end) for node in nodes]),
        reach=np.repeat(offsets + sizes, lengths),
        ancestors=above,
        keeps=not whole,
        given=top.given,
    )
    for node, offset in zip(nodes, offsets, strict=True):
        node.block, node.offset = block, int(offset)
    return block


@dataclass(frozen=True)
class Plan:
    """The blocks of a batch of sequences, and where each sequence's tokens lie in them."""

    forest: Forest
    blocks: list[Block]

    @property
    def tokens(self) -> int:
        """Distinct prefixes that are not given; each is computed once."""
        return sum(len(block) for block in self.blocks if not block.given)

    def levels(self) -> list[list[Block]]:
        """Blocks to be computed by level; a level needs what is given and the levels before it."""
        levels: list[list[Block]] = [[] for _ in range(1 + max((b.level for b in self.blocks), default=-1))]
        for block in self.blocks:
            if not block.given:
                levels[block.level].append(block)
        return levels

    def places(self, sequence: Sequence[int], start: int = 0) -> list[tuple[Block, int]]:
        """The block, and the place in it, that computes each token of a planned sequence from `start` on."""
        found: list[tuple[Block, int]] = []
        forks, at = self.forest, 0
        while at < len(sequence):
            node = forks[sequence[at]]
            assert node.block is not None
            for depth in range(max(node.start, start), min(node.end, len(sequence))):
                found.append((node.block, node.offset + depth - node.start))
            forks, at = node.forks, node.end
        return found


def plan(sequences: Sequence[Sequence[int]], block_tokens: int = 256, given: Sequence[int] = ()) -> Plan:
    """The prefix tree of the sequences, cut into blocks. `given` tells of how many tokens at the beginning of each
    sequence keys and values are known already; those of its last token are computed all the same."""
    forest = build_forest(sequences)
    for sequence, count in zip(sequences, given, strict=bool(given)):
        mark_given(forest, sequence, count)
    return Plan(forest, cut(forest, block_tokens))
