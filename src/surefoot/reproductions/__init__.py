"""Published tables, recomputed, and methods shown at small scale: `surefoot reproduce ID`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from surefoot.errors import BadInput
from surefoot.reproductions.registry import REPRODUCTIONS, experiment, reproduction
from surefoot.reproductions.reproduction import Reproduction, ReproductionResult

__all__ = ["REPRODUCTIONS", "Reproduction", "ReproductionResult", "reproduce", "reproduction"]


def reproduce(
    id: str,
    data: str | None = None,
    *,
    part: str = "published",
    seeds: int | None = None,
    size: str = "small",
    say: Callable[[str], None] | None = None,
) -> Any:
    """Recomputes the published numbers of this id from the folder `data`, or runs another part of it.

    The parts of R0: `published`, the table from the released rows, a `ReproductionResult`; `alignment`, the treatment
    in worlds of `seeds` seeds (default 5), an `AlignmentReport`, which needs no data; `size` is that of its models,
    `small` or `planned`. `say` hears of its progress.
    """
    if part == "published":
        if seeds is not None:
            raise BadInput(f"seeds is {seeds}, and the published numbers have none; leave it out or give another part.")
        return reproduction(id).run(data)
    run = experiment(id, part)
    if data is not None:
        raise BadInput(f'The part "{part}" of {id.upper()} reads no data, and "{data}" was given; leave it out.')
    return run(5 if seeds is None else seeds, size=size, say=say)
