"""What a rule yields."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One defect: an `error` makes results wrong, a `warning` may be meant. `wording` / `item` say where it is."""

    level: Literal["error", "warning"]
    rule: str
    sentence: str
    wording: str = ""
    item: str = ""


def repeated(values: Iterable[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]
