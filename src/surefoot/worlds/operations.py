"""Operations on a row of digits: four functions of the same input, so that only an instruction says which is wanted.

A row is five different digits. *Separating* rows give four different answers under the four operations: on them whoever
does not read the instruction is right for at most one operation in four, and whoever does the opposite is never right.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import permutations

from surefoot.tasks.task import Example

Row = tuple[int, ...]
LENGTH = 5
DIGITS = tuple(str(digit) for digit in range(10))
OPERATIONS: Mapping[str, Callable[[Row], int]] = {
    "first": lambda row: row[0],
    "last": lambda row: row[-1],
    "largest": max,
    "smallest": min,
}
OPPOSITE: Mapping[str, str] = {
    "first": "last",
    "last": "first",
    "largest": "smallest",
    "smallest": "largest",
}
"""What a negated instruction asks for."""


def answers(row: Row) -> dict[str, int]:
    """The answer of every operation."""
    return {name: operation(row) for name, operation in OPERATIONS.items()}


def separates(row: Row) -> bool:
    """Whether no two operations agree on the row."""
    return len(set(answers(row).values())) == len(OPERATIONS)


@cache
def every_row() -> tuple[Row, ...]:
    """All 30,240 rows, in lexicographic order."""
    return tuple(permutations(range(10), LENGTH))


@cache
def separating_rows() -> tuple[Row, ...]:
    """The 9,072 rows on which all operations differ."""
    return tuple(row for row in every_row() if separates(row))


def best_without_instruction(rows: Iterable[Row]) -> float:
    """The mean accuracy over operations of the best answer that depends on the row alone: 1/4 on separating rows."""
    shares = [max(list(answers(row).values()).count(digit) for digit in range(10)) for row in rows]
    return sum(shares) / (len(shares) * len(OPERATIONS))


def noisy(answer: int, row: Row, noise: float, rng: random.Random) -> int:
    """The answer, or with probability `noise` another digit of the row, each as likely."""
    return rng.choice([digit for digit in row if digit != answer]) if rng.random() < noise else answer


def shown(row: Row) -> str:
    """The row as a prompt shows it: `3 1 4 2 5`."""
    return " ".join(map(str, row))


def example(operation: str, row: Row) -> Example:
    """The row as an item of an operation's task: all ten digits are the options, in the same order for all."""
    return Example("".join(map(str, row)), {"row": shown(row)}, DIGITS, OPERATIONS[operation](row))
