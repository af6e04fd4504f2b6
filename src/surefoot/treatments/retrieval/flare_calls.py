"""Searches that a model asks for in what it writes: `[Search(query)]`, and the `Follow up:` line of self-ask.

Sources: FLARE_instruct of Jiang et al. 2023 (arXiv:2305.06983), section 3.1, after Toolformer; self-ask of Press et
al. 2023 (arXiv:2210.03350) for decomposition.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

    from surefoot.decoding.rows import Row

SEARCH = re.compile(r"\[Search\((.*?)\)\]", re.DOTALL)
FOLLOW_UP = re.compile(r"^[ \t]*Follow up:(.*)(?=\n)", re.MULTILINE | re.IGNORECASE)
BIAS = 2.0  # on the logit of "[" (paper, section 3.1)
NEVER = -100.0  # on the same logit behind a search


class Call(NamedTuple):
    """A search that was asked for: its query, and where the text that asks for it begins and ends."""

    query: str
    start: int
    end: int


def next_call(pattern: re.Pattern[str], text: str, start: int = 0) -> Call | None:
    """The first call at or behind a character of the text that has a query; None where none is complete yet."""
    for found in pattern.finditer(text, start):
        if found.group(1).strip():
            return Call(found.group(1).strip(), found.start(), found.end())
    return None


def without_calls(pattern: re.Pattern[str], text: str) -> str:
    """The text without its calls and without the spaces in front of them."""
    return re.sub(rf"[ \t]*(?:{pattern.pattern})", "", text, flags=pattern.flags)


def opening_tokens(vocabulary: Any) -> list[int]:
    """Ids of the tokens that open a call: their text begins with "[", white space left aside."""
    decode = vocabulary.decode
    return [token for token in range(vocabulary.size) if decode([token]).lstrip().startswith("[")]


class SearchBias:
    """A rule: `bias` is added to the logits of `opening` tokens; for `cool_down` tokens behind a search, `NEVER` is.

    `searched[i]` is how many tokens of row i were written when its last search was done; None where it had none.
    """

    def __init__(
        self, opening: Sequence[int], searched: Sequence[int | None], bias: float = BIAS, cool_down: int = 10
    ) -> None:
        self.opening = list(opening)
        self.searched = searched
        self.bias = bias
        self.cool_down = cool_down

    def __call__(self, rows: Sequence[Row], logits: torch.Tensor) -> torch.Tensor:
        added = logits.new_tensor([self._added(row) for row in rows])
        changed = logits.clone()
        changed[:, self.opening] += added[:, None]
        return changed

    def _added(self, row: Row) -> float:
        since = self.searched[row.index]
        cooling = since is not None and len(row.written) - since < self.cool_down
        return NEVER if cooling else self.bias
