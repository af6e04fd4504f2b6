"""Detection in files of any size, in constant memory: text is read, cut where the tokenizer cuts it anyway, and
counted.

A cut is taken between two words, at a place where the text around it gives the same tokens in one piece and in two.
There a tokenizer that splits at spaces gives the tokens of the whole file. Where no such place is found (scripts
without spaces), a text is cut all the same, and the result says how often: each such cut may change a few tokens.

Units that were seen are kept in a table of fixed size (a Bloom filter): it never forgets one, and takes a new one for
seen with a probability of 5e-8 up to a million units and 4e-4 at ten million. What it leaves out by mistake does not
depend on the key.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from surefoot.errors import BadInput
from surefoot.watermark.detect import Count, Detector
from surefoot.watermark.lists import splitmix

BYTES = 1 << 20  # read at once
AROUND = 64  # characters on each side of a cut that are tokenised together and apart
TRIES = 200
ESCAPED = re.compile("[\udc80-\udcff]")  # how Python's decoder hands on bytes that are not UTF-8
TABLE_BITS = 28
ROUNDS = 4


@dataclass(frozen=True)
class Streamed:
    """The count of a file, the characters that stood for invalid UTF-8, and the cuts that may have changed tokens."""

    count: Count
    replaced: int
    doubtful: int


class Tally:
    """A count that grows piece by piece: equal to the count of all ids at once."""

    def __init__(self, detector: Detector) -> None:
        self.detector = detector
        self.seen = Seen() if detector.repeats == "once" else None
        self.tail = np.empty(0, np.int64)
        self.tokens = self.scored = self.green = self.repeats = 0

    def feed(self, ids: NDArray[np.int64]) -> None:
        """The next token ids of the text."""
        first = self.detector.lists.scheme.first
        joined = np.concatenate([self.tail, ids])
        units, green = self.detector.lists.verdicts(joined)
        fresh = np.ones(len(units), np.bool_) if self.seen is None else self.seen.add(units)
        self.tokens += len(ids)
        self.scored += int(fresh.sum())
        self.green += int(green[fresh].sum())
        self.repeats += int((~fresh).sum())
        self.tail = joined[max(0, len(joined) - first) :]

    @property
    def count(self) -> Count:
        return self.detector.count(self.tokens, self.scored, self.green, self.repeats)


class Seen:
    """A Bloom filter of 64-bit numbers: 32 MiB, four places each."""

    def __init__(self, bits: int = TABLE_BITS) -> None:
        self.bits = np.uint64(bits)
        self.table = np.zeros(1 << (bits - 3), np.uint8)

    def add(self, units: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of the units come for the first time, in these or before; all are remembered."""
        fresh = np.zeros(len(units), np.bool_)
        fresh[np.unique(units, return_index=True)[1]] = True
        places = np.stack(
            [splitmix(units + np.uint64(round << 60)) >> (np.uint64(64) - self.bits) for round in range(ROUNDS)]
        )
        byte, bit = places >> np.uint64(3), np.uint8(1) << (places & np.uint64(7)).astype(np.uint8)
        fresh &= ~((self.table[byte] & bit) > 0).all(0)
        np.bitwise_or.at(self.table, byte, bit)
        return fresh


def detect_file(file: BinaryIO, detector: Detector, *, replace: bool = False, size: int = BYTES) -> Streamed:
    """Count a file's text. Invalid UTF-8 is refused with its place, or with `replace` becomes U+FFFD and is counted."""
    tally, waiting, replaced, doubtful = Tally(detector), "", 0, 0
    for text, wrong in decoded(file, replace, size):
        waiting, replaced = waiting + text, replaced + wrong
        cut, sure = cut_before_end(waiting, detector)
        doubtful += not sure
        if cut:
            tally.feed(detector.encode(waiting[:cut]))
            waiting = waiting[cut:]
    tally.feed(detector.encode(waiting))
    return Streamed(tally.count, replaced, doubtful)


def read_text(file: BinaryIO, replace: bool = False) -> tuple[str, int]:
    """A whole file's text, and the number of invalid bytes in it that were replaced."""
    pieces = list(decoded(file, replace))
    return "".join(text for text, _ in pieces), sum(wrong for _, wrong in pieces)


def decoded(file: BinaryIO, replace: bool = False, size: int = BYTES) -> Iterator[tuple[str, int]]:
    """The text of a file in pieces, each with the number of invalid bytes in it that were replaced."""
    decoder, read = codecs.getincrementaldecoder("utf-8")("surrogateescape"), 0
    while data := file.read(size):
        waiting = len(decoder.getstate()[0])
        yield _valid(decoder.decode(data), replace, read - waiting)
        read += len(data)
    waiting = len(decoder.getstate()[0])
    yield _valid(decoder.decode(b"", final=True), replace, read - waiting)


def _valid(text: str, replace: bool, read: int) -> tuple[str, int]:
    found = ESCAPED.search(text)
    if found is None:
        return text, 0
    if not replace:
        place = read + len(text[: found.start()].encode("utf-8"))
        raise BadInput(f"The text is not valid UTF-8 at byte {place}; convert it, or read it with --replace-invalid.")
    return ESCAPED.subn("\ufffd", text)


def cut_before_end(text: str, detector: Detector) -> tuple[int, bool]:
    """Where to cut a text so that both parts are tokenised as the whole is; 0 while it is too short to tell.

    False where no place could be confirmed among `TRIES` between words: the last of them is taken then, or the end.
    """
    end = len(text) - AROUND
    if end <= AROUND:
        return 0, True
    places = between_words(text, end)
    for place in places:
        if _cuts_alike(text, place, detector):
            return place, True
    return (places[0] if places else end), False


def between_words(text: str, end: int) -> list[int]:
    """Up to `TRIES` places, the last one first, where a single space follows a letter or digit and precedes one."""
    found: list[int] = []
    place = text.rfind(" ", AROUND, end)
    while place > 0 and len(found) < TRIES:
        if text[place - 1].isalnum() and text[place + 1].isalnum():
            found.append(place)
        place = text.rfind(" ", AROUND, place)
    return found


def _cuts_alike(text: str, place: int, detector: Detector) -> bool:
    left, right = text[place - AROUND : place], text[place : place + AROUND]
    apart = np.concatenate([detector.encode(left), detector.encode(right)])
    return np.array_equal(apart, detector.encode(left + right))
