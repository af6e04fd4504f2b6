"""How values are written: the same number reads the same in the report, the notebook and the terminal."""

from __future__ import annotations

import math
import re

from surefoot.stats.intervals import Interval

NOTHING = "–"


def percent(value: float | None) -> str:
    """A share of 1 as a percentage with one decimal: `0.4125` is `41.2 %`; NaN and None are a dash."""
    return NOTHING if value is None or math.isnan(value) else f"{_unsigned_zero(100 * value):.1f} %"


def points(value: float | None) -> str:
    """A share of 1 as percentage points without a sign for the unit: `0.0412` is `4.1`."""
    if value is None or math.isnan(value):
        return NOTHING
    return f"{_unsigned_zero(100 * value):.1f}".replace("-", "−")


def signed_points(value: float | None) -> str:
    """A difference of shares in percentage points: `+4.1`, `−4.1`, `0.0`."""
    if value is None or math.isnan(value):
        return NOTHING
    rounded = _unsigned_zero(100 * value)
    return f"{rounded:+.1f}".replace("-", "−") if rounded else "0.0"


def ends(interval: Interval, signed: bool = False) -> str:
    """The ends of an interval in points: `38.0 to 44.6`."""
    write = signed_points if signed else points
    return f"{write(interval.low)} to {write(interval.high)}"


def p_value(p: float) -> str:
    """`p = 0.032`; below a thousandth `p < 0.001`."""
    if math.isnan(p):
        return f"p {NOTHING}"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def p_bare(p: float) -> str:
    """The p-value for a column that is headed `p`: `0.032`, `< 0.001`; NaN is a dash."""
    return p_value(p).removeprefix("p ").removeprefix("= ")


def count(n: int, noun: str, plural: str = "") -> str:
    """`1 item`, `2,400 items`."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\uffff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """The text with characters that cannot be seen, or that reorder their neighbours, written out.

    ASCII controls become their control pictures (NUL is `␀`); direction marks, zero-width spaces, surrogates and the
    like become `⟨U+202E⟩`. Line breaks, tabs and joiners stay. The result is valid in HTML and harmless in a terminal.
    """
    return _INVISIBLE.sub(lambda match: _picture(ord(match.group())), text)


def _picture(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"⟨U+{code:04X}⟩"


def _unsigned_zero(value: float) -> float:
    rounded = round(value, 1)
    return 0.0 if rounded == 0 else rounded
