"""What undoes edits that a reader does not see, before a text is tokenised: a homoglyph changes tokens and no word.

A normaliser also changes text that nobody attacked, whose tokens then differ from those that were written. So all are
off unless asked for; running with and without and taking the better p doubles the level.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from surefoot.errors import BadInput, nearest

LOOKALIKES: Mapping[str, str] = dict(
    pair.split(" ")
    for pair in re.split(
        r"\s\s+",
        """
    A ΑАᎪ  B ΒВᏴ  C СϹᏟ  E ΕЕᎬ  H ΗНᎻ  I ΙІ  J ЈᎫ  K ΚКᏦ  M ΜМᎷ  N Ν  O ΟОՕ
    P ΡРᏢ  S ЅᏚ  T ΤТᎢ  X ΧХ  Y ΥҮ  Z ΖᏃ  a аɑ  c сϲ  d ԁ  e еҽ  g ɡ
    h һ  i іɩ  j јϳ  l ӏⅼ  n ո  o оοօ  p рρ  q ԛ  s ѕ  u սυ  v νѵ
    w ԝ  x хⅹ  y уү
    """.strip(),
    )
)
"""Letters of other scripts that look like Latin ones in common fonts (a subset of Unicode's confusables)."""
HIDDEN = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
SPACES = "\u00a0\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"

_TABLE = str.maketrans(
    {other: letter for letter, others in LOOKALIKES.items() for other in others}
    | dict.fromkeys(HIDDEN)
    | dict.fromkeys(SPACES, " ")
)

STEPS: Mapping[str, tuple[str, Callable[[str], str]]] = {
    "nfc": ("canonical composition of Unicode (NFC)", lambda text: unicodedata.normalize("NFC", text)),
    "homoglyphs": (
        "letters that look Latin become Latin, hidden characters go, spaces become a space",
        lambda text: text.translate(_TABLE),
    ),
    "lower": ("lower case, for text that was generated in lower case", str.lower),
}


def normaliser(names: Sequence[str]) -> Callable[[str], str]:
    """The steps of these names after each other; none leaves a text as it is."""
    for name in names:
        if name not in STEPS:
            raise BadInput(f'"{name}" is not a normaliser of the watermark detector.{nearest(name, STEPS)}')
    steps = [STEPS[name][1] for name in names]

    def every(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return every
