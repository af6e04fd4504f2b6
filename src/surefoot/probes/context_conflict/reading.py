"""Which value does a written answer name? The options of the item, their other accepted names, and sayings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from surefoot.metrics.normalise import normalise, words
from surefoot.models.base import Choice
from surefoot.probes.asking import Cell, chosen_row, first_line
from surefoot.text.answers import parse_answer
from surefoot.worlds.conflicts import ENDINGS, aliases_of

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)]*\s")


def read_again(cell: Cell, row: Mapping[str, Any], match: str) -> dict[str, Any]:
    """The row of a written answer with its outcome by this probe's rules; unparsed where no one value is named."""
    query = cell.query
    if not query.labels:
        return dict(row)
    text = first_line(str(row["text"]))
    if cell.task.name == ENDINGS:
        index = ending_of(text, query.labels)
    else:
        index = named(text, query.labels, aliases_of(cell.example), exact=match == "exact")
    found = chosen_row(query, Choice(index, ()))
    told = ("outcome", "score", "predicted", "predicted_index")
    return {**row, **{name: found[name] for name in told}}


def named(
    text: str, options: Sequence[str], aliases: Mapping[str, Sequence[str]] | None = None, *, exact: bool = False
) -> int | None:
    """The place of the one option that the text names, or None.

    Exact match goes first: the text is an option or another name of it, up to case, articles and punctuation. Unless
    `exact` it may also be a sentence that names one option and no other, and does not deny it (`parse_answer`).
    """
    names = [(option, *(aliases or {}).get(option, ())) for option in options]
    same = [i for i, own in enumerate(names) if normalise(text) in {normalise(name) for name in own}]
    if len(same) == 1 or exact:
        return same[0] if len(same) == 1 else None
    return parse_answer(_canonical(text, names), options)


def ending_of(text: str, options: Sequence[str]) -> int | None:
    """The place of the option whose last word ends the text's first sentence, or None."""
    sentence = _SENTENCE_END.split(text.strip(), maxsplit=1)[0]
    last = words(sentence)[-1:]
    same = [i for i, option in enumerate(options) if words(option)[-1:] == last]
    return same[0] if len(same) == 1 else None


def _canonical(text: str, names: Sequence[Sequence[str]]) -> str:
    """The text with every accepted name replaced by the option's own, longer names first."""
    known = {name.casefold(): own[0] for own in names for name in own}
    longest = sorted(known, key=len, reverse=True)
    pattern = "|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in longest)
    return re.sub(pattern, lambda match: known[match.group().casefold()], text, flags=re.IGNORECASE)
